/**
 * Whether a step's method may look at the index of its item, which is its second argument. Only a method of which its text
 * says for certain that it takes the item alone does not: then an item has one key wherever it stands in its list.
 */
export function seesIndex(method: object): boolean {
  let sees = known.get(method);
  if (sees === undefined) {
    const text = Function.prototype.toString.call(method);
    sees = !TAKES_ITEM_ALONE.test(text) || /\b(?:arguments|eval)\b|\[native code\]|\\u/.test(text);
    known.set(method, sees);
  }
  return sees;
}

const known = new WeakMap<object, boolean>();

const NAME = "[\\w$]+";
/** `{ a, b: c }` and `[a, b]`, without defaults, rests and computed keys, which are code. */
const PATTERN = `\\{[\\w$\\s,:]*\\}|\\[[\\w$\\s,]*\\]`;
const TAKES_ITEM_ALONE = new RegExp(`^(?:async\\s+)?${NAME}\\s*\\(\\s*(?:(?:${NAME}|${PATTERN})\\s*,?\\s*)?\\)\\s*\\{`);
