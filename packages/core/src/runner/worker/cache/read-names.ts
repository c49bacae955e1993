/**
 * The names of what a task reads, as they stand in cache entries: close to what the step itself writes. The grammar is in
 * docs/formats/cache-key.md.
 */

/** All inputs of a join, or some of them by position. */
export type InputRange = "*" | readonly (readonly [first: number, last: number])[];

export type ReadName =
  /** `this.rows` */
  | { readonly kind: "field"; readonly name: string }
  /** `set this.rows`: only whether it may be set. */
  | { readonly kind: "settable"; readonly name: string }
  /** `this.model.upstreams.source.data.rows`: `path` is model, source; the last part is a fact of the run, or data. */
  | { readonly kind: "upstream-run"; readonly path: readonly string[]; readonly fact: string }
  | { readonly kind: "upstream-data"; readonly path: readonly string[]; readonly name: string }
  /** `this.model.data.rows?`: whether it is there. */
  | { readonly kind: "upstream-has"; readonly path: readonly string[]; readonly name: string }
  /** `this.model.data.*`: which there are. */
  | { readonly kind: "upstream-names"; readonly path: readonly string[] }
  /** `this.model.upstreams.source`: whether there is a run. */
  | { readonly kind: "upstream"; readonly path: readonly string[] }
  /** `inputs[*].score`, `inputs[0-3,7-7].score` */
  | { readonly kind: "inputs"; readonly range: InputRange; readonly name: string }
  /** `inputs.before.rows` */
  | { readonly kind: "before"; readonly name: string }
  /** `inputs.merge {"set":["a"]}` */
  | { readonly kind: "merge"; readonly options: string }
  /** `current.path`, `current.run.tags` */
  | { readonly kind: "current"; readonly fact: string };

/** @returns undefined for a name of no form that this version writes */
export function parseReadName(text: string): ReadName | undefined {
  if (text.startsWith("set this.")) return { kind: "settable", name: text.slice(9) };
  if (text.startsWith("current.")) return { kind: "current", fact: text.slice(8) };
  if (text.startsWith("inputs.before.")) return { kind: "before", name: text.slice(14) };
  if (text.startsWith("inputs.merge ")) return { kind: "merge", options: text.slice(13) };
  const inputs = /^inputs\[(\*|\d+-\d+(?:,\d+-\d+)*)\]\.(.+)$/.exec(text);
  if (inputs !== null) return { kind: "inputs", range: parseRange(inputs[1]!), name: inputs[2]! };
  return text.startsWith("this.") ? parseFieldName(text.slice(5).split(".")) : undefined;
}

export function inputsName(range: InputRange, name: string): string {
  const text = range === "*" ? range : range.map(([first, last]) => `${first}-${last}`).join(",");
  return `inputs[${text}].${name}`;
}

function parseFieldName([first, ...rest]: readonly string[]): ReadName | undefined {
  if (first === undefined) return undefined;
  if (rest.length === 0) return { kind: "field", name: first };
  const path = [first];
  while (rest[0] === "upstreams" && rest.length > 1) path.push(...rest.splice(0, 2).slice(1));
  const [part, name, ...more] = rest;
  if (part === undefined) return { kind: "upstream", path };
  if (name === undefined || more.length > 0) return undefined;
  if (part === "run") return { kind: "upstream-run", path, fact: name };
  if (part !== "data") return undefined;
  if (name === "*") return { kind: "upstream-names", path };
  return name.endsWith("?")
    ? { kind: "upstream-has", path, name: name.slice(0, -1) }
    : { kind: "upstream-data", path, name };
}

function parseRange(text: string): InputRange {
  if (text === "*") return text;
  return text.split(",").map((part) => part.split("-").map(Number) as [number, number]);
}
