import { inspect } from "node:util";

/** Arrays up to here are asked for their keys; longer ones would need a string for every element (150 ms a million). */
const SHORT = 64;

/**
 * Whether an array or typed array has properties besides its elements, as a `match()` result has. No encoding of
 * arrays keeps them, so they are found and refused instead of dropped.
 */
export function hasExtraProperties(array: ArrayLike<unknown> & object): boolean {
  if (array.length <= SHORT) return hasExtraKeys(array);
  return inspectTellsKeys() ? !onlyElements(array) : hasExtraKeys(array);
}

/** V8 lists the other keys alone in 3 us whatever the length; only `inspect` hands that list out. */
function onlyElements(array: object): boolean {
  const text = inspect(array, {
    depth: 0,
    maxArrayLength: 0,
    maxStringLength: 0,
    customInspect: false,
    breakLength: Number.POSITIVE_INFINITY,
  });
  return /^(?:\w+\(\d+\) (?:\[Uint8Array\] )?)?\[ \.\.\. \d+ more items? \]$/.test(text);
}

function hasExtraKeys(array: ArrayLike<unknown> & object): boolean {
  return Object.keys(array).length !== array.length || Object.getOwnPropertySymbols(array).length !== 0;
}

let isTelling: boolean | undefined;

/** The text of `inspect` is no contract: it is tried once, and a Node.js that words it otherwise gets the slow way. */
function inspectTellsKeys(): boolean {
  if (isTelling === undefined) {
    const plain = new Array<number>(SHORT + 1).fill(0);
    const named = Object.assign(plain.slice(), { name: 0 });
    isTelling = [plain, new Float64Array(plain), Buffer.from(plain)].every(onlyElements) && !onlyElements(named);
  }
  return isTelling;
}
