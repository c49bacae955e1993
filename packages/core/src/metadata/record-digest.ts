/**
 * Digests over records: what a finished task left and what it started from, what a run was given, and how it ended. They are
 * written in the transaction that makes it so, so that a row which is changed by hand later no longer fits
 * (docs/formats/schema.md, docs/adr/0039).
 *
 * Only facts that mean the same in every store are covered: no row numbers, so that a run keeps its digests when it is moved; no
 * sizes, which follow from the digests of values; no times and no output, which nothing is computed from.
 */
import { createHash, hash } from "node:crypto";

/** What a task left, as its digest covers it. Digests are lower-case hex. */
export interface TaskRecord {
  readonly step: string;
  readonly path: string;
  readonly status: string;
  readonly fanOut: number | null;
  readonly choice: string | null;
  /** The digest of the task that it starts from; null for the start and for joins. */
  readonly parent: string | null;
  /** JSON: the artifacts that are not kept for ever (`termsText`); null when there are none. */
  readonly terms: string | null;
  /** JSON: the names of the run's values that it read; null when they are not known. */
  readonly valueReads: string | null;
  readonly metrics: readonly MetricFacts[];
  readonly artifacts: readonly (readonly [name: string, codec: string, digest: string])[];
  readonly pages: readonly (readonly [first: number, count: number, codec: string, digest: string])[];
}

/** The values of one metric, under one digest (`metricFacts`). */
export type MetricFacts = readonly [name: string, count: number, digest: string];

/** The digest of a task's records: lower-case hex. */
export function taskDigest(task: TaskRecord): string {
  const metrics = byName(task.metrics);
  return digestOf(["millrace-task 2", ...factsOf(task), task.valueReads, metrics]);
}

/** The digest that programs of schemas 3 to 6 wrote: over fewer facts. */
export function firstTaskDigest(task: TaskRecord): string {
  return digestOf(["millrace-task 1", ...factsOf(task)]);
}

function factsOf({ step, path, status, fanOut, choice, parent, terms, artifacts, pages }: TaskRecord) {
  const ordered = pages.length < 2 ? pages : pages.toSorted(([left], [right]) => left - right);
  return [step, path, status, fanOut, choice, parent, terms, byName(artifacts), ordered];
}

/** In the order of code units, which is the same everywhere. */
function byName<T extends readonly [name: string, ...rest: unknown[]]>(rows: readonly T[]): readonly T[] {
  return rows.length < 2 ? rows : rows.toSorted(([left], [right]) => (left < right ? -1 : 1));
}

function digestOf(facts: readonly unknown[]): string {
  return hash("sha256", JSON.stringify(facts), "hex");
}

/**
 * All values of a metric that a task recorded, as a database gives them back: it knows one NaN and no negative zero.
 *
 * @param steps as long as `values`, NaN for those without one; absent when none has one
 */
export function metricFacts(name: string, values: Float64Array, steps?: Float64Array): MetricFacts {
  const sum = createHash("sha256").update(numberBytes(values));
  if (steps?.some((step) => !Number.isNaN(step)) === true) sum.update(numberBytes(steps));
  return [name, values.length, sum.digest("hex")];
}

/** 64-bit floating point numbers, little-endian, with one form of NaN and of zero. */
function numberBytes(numbers: Float64Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(numbers.length * 8);
  for (let at = 0; at < numbers.length; at++)
    bytes.writeDoubleLE(Number.isNaN(numbers[at]) ? Number.NaN : numbers[at]! + 0, at * 8);
  return bytes;
}

/** What ties an entry of the step cache to what its task left: lower-case hex. */
export function cacheEntryDigest(entry: {
  readonly key: string;
  /** JSON, as it is recorded. */
  readonly reads: string;
  /** The digest of the task's own records. */
  readonly task: string;
}): string {
  return digestOf(["millrace-cache-entry 1", entry.key, entry.reads, entry.task]);
}

/** Why an artifact may be given up: past the success of its run, or when its time is over. */
export type TermReason = "transient" | "ttl";

/** Terms of a task's artifacts as they are recorded: JSON, sorted by name; null when all are kept for ever. */
export function termsText(terms: readonly (readonly [name: string, reasons: readonly TermReason[]])[]): string | null {
  if (terms.length === 0) return null;
  return JSON.stringify(Object.fromEntries(terms.toSorted(([left], [right]) => (left < right ? -1 : 1))));
}

/** The digest of what a run was given, over facts in their order: plain JSON whose objects have sorted keys. */
export function startDigest(facts: readonly unknown[]): string {
  return hash("sha256", JSON.stringify(["millrace-run-start 1", ...facts]), "hex");
}

const OPEN_CHARACTERS = 32 * 1024;

/** A digest of many lines: how a run ended, its tasks, what they read. */
export class EndDigest {
  readonly #sum = createHash("sha256");
  /** Lines that are not hashed yet: a call for each would cost more than the line. */
  #open = "";

  constructor(facts: readonly unknown[]) {
    this.add(["millrace-run-end 1", ...facts]);
  }

  add(line: readonly unknown[]): void {
    this.addLines(JSON.stringify(line));
  }

  /** Lines of JSON, with a line feed between two of them. */
  addLines(lines: string): void {
    this.#open += `${lines}\n`;
    if (this.#open.length < OPEN_CHARACTERS) return;
    this.#sum.update(this.#open);
    this.#open = "";
  }

  end(): string {
    return this.#sum.update(this.#open).digest("hex");
  }
}
