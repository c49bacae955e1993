/** Names by which built-in methods are told apart: those that change their object, and those that only look at it. */

const MUTATORS = new Set(
  `add append clear copyWithin delete fill pop push register reverse set setItem shift sort splice unshift`.split(" "),
);

const READERS = new Set(
  `at charAt charCodeAt codePointAt concat endsWith entries every filter find findIndex findLast findLastIndex flat flatMap
   forEach get has hasOwn includes indexOf isPrototypeOf join keys lastIndexOf localeCompare map match matchAll normalize
   padEnd padStart reduce reduceRight repeat replace replaceAll search slice some split startsWith subarray substring
   test toFixed toISOString toJSON toLocaleString toLowerCase toReversed toSorted toSpliced toString toUpperCase trim
   trimEnd trimStart valueOf values with`.split(/\s+/),
);

export function isMutator(method: string): boolean {
  return MUTATORS.has(method);
}

export function isReadOnlyMethod(method: string): boolean {
  return READERS.has(method);
}

/** Functions that change their first argument. */
export const REDEFINERS: ReadonlySet<string> = new Set([
  "Object.assign",
  "Object.defineProperty",
  "Object.defineProperties",
  "Object.setPrototypeOf",
  "Reflect.defineProperty",
  "Reflect.deleteProperty",
  "Reflect.set",
  "Reflect.setPrototypeOf",
]);

export const EFFECT_FREE_OBJECTS: ReadonlySet<string> = new Set([
  "BigInt",
  "Date",
  "JSON",
  "Math",
  "Number",
  "Object",
  "String",
  "Symbol",
]);

export const EFFECT_FREE_CONSTRUCTORS: ReadonlySet<string> = new Set([
  "Date",
  "Error",
  "Map",
  "RegExp",
  "Set",
  "URL",
  "WeakMap",
  "WeakSet",
]);
