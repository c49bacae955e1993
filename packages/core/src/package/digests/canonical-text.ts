/**
 * Code as a text that formatting, comments and the bundler's choice of names do not change.
 *
 * The bundler numbers names that clash over the whole bundle (`row2`, `_init3`), so a new function in one file renames
 * things in all others. Names of the top level are therefore left open here and filled in by the reader, who numbers
 * them as they are reached; names that the code declares for itself are numbered where they first occur. Both are
 * one-to-one, so two codes with one text differ in nothing but the choice of names.
 */

/** A token that is no punctuation and no keyword: a name, a literal, or nothing for what is left out. */
export type Leaf = { readonly start: number; readonly end: number } & (
  | { readonly kind: "name"; readonly name: string; readonly key?: string }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "nothing"; readonly text: string }
);

/** `texts` has one entry more than `names`: the top-level names stand between them. */
export interface CanonicalText {
  readonly texts: readonly string[];
  readonly names: readonly string[];
}

export interface TextRange {
  readonly code: string;
  readonly start: number;
  readonly end: number;
}

/** Stands before and after every leaf, so that two of them never become one. */
const EDGE = "\u0001";

/**
 * @param leaves of the range, in any order
 * @param isTopLevel whether a name is one of the bundle's top level
 * @param isLocal whether a name is declared within the range
 */
export function canonicalText(
  { code, start, end }: TextRange,
  leaves: readonly Leaf[],
  isTopLevel: (name: string) => boolean,
  isLocal: (name: string) => boolean,
): CanonicalText {
  const texts: string[] = [];
  const names: string[] = [];
  const locals = new Map<string, number>();
  let text = "";
  let at = start;
  for (const leaf of [...leaves].sort((a, b) => a.start - b.start || b.end - a.end)) {
    if (leaf.start < at) continue; // Inside of what is left out.
    text += punctuation(code.slice(at, leaf.start));
    at = leaf.end;
    if (leaf.kind !== "name") text += leaf.kind === "text" ? EDGE + leaf.text + EDGE : leaf.text;
    else {
      const key = leaf.key === undefined ? "" : `${EDGE}${leaf.key}${EDGE}:`;
      if (isTopLevel(leaf.name)) {
        texts.push(text + key + EDGE);
        names.push(leaf.name);
        text = EDGE;
      } else if (isLocal(leaf.name)) {
        if (!locals.has(leaf.name)) locals.set(leaf.name, locals.size);
        text += `${key}${EDGE}\u00a4${locals.get(leaf.name)}${EDGE}`;
      } else text += key + EDGE + leaf.name + EDGE;
    }
  }
  texts.push(text + punctuation(code.slice(at, end)));
  return { texts, names };
}

/** Few gaps differ: most are one of `, `, `(`, ` = `. */
const cleaned = new Map<string, string>();
const MAX_CLEANED = 10_000;

/**
 * What stands between leaves: punctuation and keywords. Space is kept only where it parts two of them (`+ +` is not
 * `++`); around brackets and separators it never does.
 */
function punctuation(gap: string): string {
  const known = cleaned.get(gap);
  if (known !== undefined) return known;
  const clean = gap
    .replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, " ")
    .trim()
    .replace(/\s*([()[\]{},;:`])\s*/g, "$1")
    .replace(/\s+/g, " ");
  if (cleaned.size >= MAX_CLEANED) cleaned.clear();
  cleaned.set(gap, clean);
  return clean;
}
