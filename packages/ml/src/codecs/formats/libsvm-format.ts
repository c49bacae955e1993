/**
 * The text format of libsvm, as far as it must be checked: the library believes its counts, and a wrong one is read as a
 * different model, or aborts the WebAssembly module, after which no model of the process can be used.
 */

const TYPES = ["c_svc", "nu_svc", "one_class", "epsilon_svr", "nu_svr"];
const KERNELS = ["linear", "polynomial", "rbf", "sigmoid", "precomputed"];
const NUMBER = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i;

/** What the header of a model says. */
export interface LibsvmFacts {
  readonly type: string;
  readonly kernel: string;
  readonly classes: number;
  readonly supportVectors: number;
}

/**
 * Reads a model to its end, without the library.
 *
 * @throws TypeError, RangeError with what is wrong
 */
export function readLibsvm(text: string): LibsvmFacts {
  const [head, body, ...more] = text.split(/^SV\n/m);
  if (body === undefined || more.length > 0) throw new TypeError('there is not one line "SV"');
  if (!body.endsWith("\n")) throw new TypeError("it ends inside a line");
  const header = readHeader(head!);
  const { classes, supportVectors } = header;
  const lines = body.slice(0, -1).split("\n");
  if (lines.length !== supportVectors)
    throw new RangeError(`it has ${lines.length} support vectors and counts ${supportVectors}`);
  for (const [index, line] of lines.entries()) checkVector(line.trim().split(/ +/), classes - 1, index);
  return header;
}

function readHeader(head: string): LibsvmFacts {
  const fields = new Map<string, readonly string[]>();
  for (const line of head.trimEnd().split("\n")) {
    const [name, ...words] = line.trim().split(/ +/) as [string, ...string[]];
    if (fields.has(name)) throw new TypeError(`"${name}" stands there twice`);
    fields.set(name, words);
  }
  const one = (name: string): string => fields.get(name)?.[0] ?? "";
  const [type, kernel] = [one("svm_type"), one("kernel_type")];
  if (!TYPES.includes(type) || !KERNELS.includes(kernel)) throw new TypeError("it names no type or no kernel");
  const [classes, supportVectors] = [count(one("nr_class")), count(one("total_sv"))];
  if (classes < 2 || classes > 10_000) throw new RangeError(`it has ${classes} classes`);
  const pairs = (classes * (classes - 1)) / 2;
  const lengths: Readonly<Record<string, number>> = {
    ...{ svm_type: 1, kernel_type: 1, degree: 1, gamma: 1, coef0: 1, nr_class: 1, total_sv: 1, rho: pairs },
    ...{ label: classes, nr_sv: classes, probA: pairs, probB: pairs },
  };
  for (const [name, words] of fields) {
    if (words.length !== lengths[name]) throw new RangeError(`"${name}" has ${words.length} values`);
    if (name.endsWith("_type")) continue;
    if (!words.every((word) => NUMBER.test(word))) throw new TypeError(`"${name}" is no number`);
  }
  if (!fields.has("rho")) throw new TypeError('it has no "rho"');
  const isClassifier = type.endsWith("svc");
  if (isClassifier !== fields.has("label") || isClassifier !== fields.has("nr_sv"))
    throw new TypeError("labels and type do not belong together");
  if (isClassifier && fields.get("nr_sv")!.reduce((sum, word) => sum + count(word), 0) !== supportVectors)
    throw new RangeError("the support vectors of the classes are not all");
  return { type, kernel, classes, supportVectors };
}

function checkVector(words: readonly string[], coefficients: number, index: number): void {
  const wrong = (): TypeError => new TypeError(`support vector ${index} is malformed`);
  if (words.length < coefficients) throw wrong();
  let last = -1;
  for (const [position, word] of words.entries()) {
    if (position < coefficients) {
      if (!NUMBER.test(word)) throw wrong();
      continue;
    }
    const [column, value, ...rest] = word.split(":");
    if (rest.length > 0 || value === undefined || !NUMBER.test(value) || !/^\d{1,9}$/.test(column!)) throw wrong();
    if (Number(column) <= last) throw wrong();
    last = Number(column);
  }
}

function count(word: string): number {
  if (!/^\d{1,9}$/.test(word)) throw new TypeError(`"${word.slice(0, 20)}" is no count`);
  return Number(word);
}
