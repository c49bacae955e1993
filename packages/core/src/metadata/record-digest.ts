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
  readonly artifacts: readonly (readonly [name: string, codec: string, digest: string])[];
  readonly pages: readonly (readonly [first: number, count: number, codec: string, digest: string])[];
}

/** The digest of a task's records: lower-case hex. */
export function taskDigest(task: TaskRecord): string {
  const { step, path, status, fanOut, choice, parent, terms, artifacts, pages } = task;
  const sorted = artifacts.length < 2 ? artifacts : artifacts.toSorted(([left], [right]) => (left < right ? -1 : 1));
  const ordered = pages.length < 2 ? pages : pages.toSorted(([left], [right]) => left - right);
  const facts = ["millrace-task 1", step, path, status, fanOut, choice, parent, terms, sorted, ordered];
  return hash("sha256", JSON.stringify(facts), "hex");
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
