/**
 * The one validator of names. Names of flows, steps and artifacts are identifiers, so they can never become paths,
 * flags or markup; the same rule holds when a flow is loaded, in the client and in the store.
 */
const NAME = /^[A-Za-z_$][A-Za-z0-9_$]{0,127}$/;

/** Whether a text can name a flow, a step or an artifact: an ASCII identifier of 1 to 128 characters. */
export function isName(text: string): boolean {
  return NAME.test(text) && text !== "__proto__";
}

/** Longest name of a package that npm takes. */
const MAX_PROJECT_LENGTH = 214;
const PROJECT = /^(?:@[\w.~-]+\/)?[\w.~-]+$/;

/** Whether a text can name a project: the name of a package, with its scope if it has one, of at most 214 characters. */
export function isProject(text: string): boolean {
  return text.length <= MAX_PROJECT_LENGTH && PROJECT.test(text) && !/^@?\.{1,2}(?:\/|$)|\/\.{1,2}$/.test(text);
}

/** Longest tag, in characters. The same limit as Metaflow's. */
export const MAX_TAG_LENGTH = 500;

/** Why a text cannot be a tag, or undefined when it can. Tags are NFC, 1 to 500 characters, without control characters or blank ends. */
export function tagProblem(tag: string): string | undefined {
  if (tag.length === 0) return "it is empty";
  if (tag.length > MAX_TAG_LENGTH) return `it has ${tag.length} characters, the limit is ${MAX_TAG_LENGTH}`;
  if (!tag.isWellFormed()) return "it is not well-formed Unicode";
  if (tag !== tag.normalize("NFC")) return "it is not in Unicode normal form NFC";
  if (/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u.test(tag)) return "it holds control characters";
  if (tag !== tag.trim()) return "it begins or ends with white space";
  return undefined;
}

/** Longest name of a metric, in characters. */
export const MAX_METRIC_NAME_LENGTH = 128;

/**
 * Why a text cannot name a metric, or undefined when it can. Letters are those of any language. Blanks and the signs of a
 * comparison are left out, so that `metric:r2>0.9` can be read in one way, and a slash groups: `val/loss`.
 */
export function metricNameProblem(name: string): string | undefined {
  if (name.length === 0) return "it has no name";
  if (name.length > MAX_METRIC_NAME_LENGTH)
    return `its name has ${name.length} characters, the limit is ${MAX_METRIC_NAME_LENGTH}`;
  if (!name.isWellFormed() || name !== name.normalize("NFC")) return "its name is not in Unicode normal form NFC";
  if (!/^[\p{L}\p{N}_]/u.test(name)) return "its name does not begin with a letter, a digit or _";
  if (!/^[\p{L}\p{M}\p{N}_./@%+-]*$/u.test(name)) return "its name holds other than letters, digits and _ - . / @ % +";
  return undefined;
}
