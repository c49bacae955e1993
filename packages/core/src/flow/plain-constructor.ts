/**
 * Whether a class's constructor does nothing but set fields, as far as its text tells. Compilers that lower decorators
 * write a constructor of their own (esbuild's: `super(...arguments); __runInitializers(…); __publicField(this, "x", …);`),
 * so exactly these statements are recognised; everything else counts as a statement of the user's.
 */

/** Whether a class has no constructor of its own, or one that only a compiler writes, to set string-named fields. */
export function hasPlainConstructor(owner: object): boolean {
  const text = Function.prototype.toString.call(owner);
  // A name can be written with escapes, and a member of that name can be made by a computed key.
  if (/\\u/.test(text)) return false;
  const mentions = [...text.matchAll(/(?<![.\w$])constructor(?![\w$])/g)];
  if (mentions.length === 0) return true;
  return mentions.length === 1 && isWrittenByCompiler(text, mentions[0]!.index) && hasOnlyStepDecorators(text);
}

const HEAD = /constructor\(\)\s*\{\s*super\(\.\.\.arguments\);/y;
const INITIALIZERS = /__runInitializers\d*\(_init\d*,\s*\d+,\s*this\);/y;
/** The comments of fields are kept. */
const GAP = /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
const FIELD = /__publicField\d*\(this,\s*(?:"[^"\\\n]*"|'[^'\\\n]*')\s*(?=[,)])/y;

function isWrittenByCompiler(text: string, start: number): boolean {
  let at = after(HEAD, text, start);
  if (at === undefined) return false;
  for (;;) {
    at = after(GAP, text, at) ?? at;
    if (text[at] === "}") return true;
    const next: number | undefined = after(INITIALIZERS, text, at) ?? fieldEnd(text, at);
    if (next === undefined) return false;
    at = next;
  }
}

function fieldEnd(text: string, start: number): number | undefined {
  const value = after(FIELD, text, start);
  const close = value === undefined ? undefined : closing(text, value);
  return close === undefined ? undefined : after(/\)\s*;/y, text, close);
}

/** Other decorators may have asked for initialisers (`context.addInitializer`), which run with each construction. */
function hasOnlyStepDecorators(text: string): boolean {
  for (const list of text.matchAll(/_dec\d*\s*=\s*\[/g)) {
    const call = after(/\s*(?:\(0,\s*[\w$]+\.)?(?:step|join|choose)\d*\)?\(/y, text, list.index + list[0].length);
    const close = call === undefined ? undefined : closing(text, call);
    if (close === undefined || after(/\)\s*\]/y, text, close) === undefined) return false;
  }
  return true;
}

function after(pattern: RegExp, text: string, start: number): number | undefined {
  pattern.lastIndex = start;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

const SKIPPED = /"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\]|\\[\s\S])*'|\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const REGULAR_EXPRESSION = /\/(?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\//y;

/** Where the bracket closes whose inside begins at `start`; undefined for text that cannot be told apart for certain. */
function closing(text: string, start: number): number | undefined {
  let before = "(";
  for (let at: number | undefined = start; at < text.length; ) {
    const char = text[at]!;
    const skipped: number | undefined = after(SKIPPED, text, at);
    if (skipped !== undefined) {
      if (char !== "/") before = char;
      at = skipped;
      continue;
    }
    if (")]}".includes(char)) return at;
    if ("([{".includes(char)) at = closing(text, at + 1);
    else if (char === "`") at = templateEnd(text, at + 1);
    // A slash is a division or a regular expression: only behind these signs is it certainly the latter.
    else if (char === "/") at = "(,=:[!&|?;".includes(before) ? lastOf(after(REGULAR_EXPRESSION, text, at)) : undefined;
    if (at === undefined) return undefined;
    if (!/\s/.test(char)) before = text[at] ?? "";
    at++;
  }
  return undefined;
}

function lastOf(end: number | undefined): number | undefined {
  return end === undefined ? undefined : end - 1;
}

/** Where the back-quote is that ends a template. */
function templateEnd(text: string, start: number): number | undefined {
  for (let at: number | undefined = start; at < text.length; at++) {
    if (text[at] === "`") return at;
    if (text[at] === "\\") at++;
    else if (text[at] === "$" && text[at + 1] === "{") {
      at = closing(text, at + 2);
      if (at === undefined) return undefined;
    }
  }
  return undefined;
}
