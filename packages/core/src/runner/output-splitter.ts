/**
 * Tells apart what the tasks of a process wrote to one of its pipes. The process writes a mark into the pipe whenever
 * another task begins to write, so that native code, child processes and raw writes to the file descriptor are attributed
 * as well, in the order in which they happened. Marks hold random letters that the process was started with: what a task
 * writes is not taken for one.
 */
import type { TaskSequence } from "../metadata/metadata-store.ts";

/** Whose output follows, or that all output of a batch has been written. */
export type PipeMark =
  | { readonly kind: "attempt"; readonly task: TaskSequence; readonly attempt: number }
  | { readonly kind: "nobody" }
  | { readonly kind: "end"; readonly batch: number };

/** The bytes of a mark. */
export function writeMark(nonce: string, mark: PipeMark): Buffer {
  const words =
    mark.kind === "attempt" ? `a${mark.task}.${mark.attempt}` : mark.kind === "end" ? `e${mark.batch}` : "n";
  return Buffer.from(`\0${nonce}${words}\n`);
}

export class OutputSplitter {
  readonly #start: Buffer;
  readonly #onMark: (mark: PipeMark) => void;
  readonly #onBytes: (bytes: Buffer) => void;
  /** The end of what came last, which may be the beginning of a mark. */
  #held: Buffer = Buffer.alloc(0);

  constructor(nonce: string, onMark: (mark: PipeMark) => void, onBytes: (bytes: Buffer) => void) {
    this.#start = Buffer.from(`\0${nonce}`);
    this.#onMark = onMark;
    this.#onBytes = onBytes;
  }

  push(piece: Buffer): void {
    let bytes = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    for (;;) {
      const at = bytes.indexOf(this.#start);
      if (at === -1) break;
      const end = bytes.indexOf(10, at + this.#start.length);
      this.#give(bytes.subarray(0, at));
      bytes = bytes.subarray(at);
      if (end === -1) {
        this.#held = bytes;
        return;
      }
      const mark = readMark(bytes.toString("latin1", this.#start.length, end - at));
      if (mark === undefined) this.#give(bytes.subarray(0, end - at + 1));
      else this.#onMark(mark);
      bytes = bytes.subarray(end - at + 1);
    }
    const kept = this.#beginningOfMark(bytes);
    this.#give(bytes.subarray(0, bytes.length - kept));
    this.#held = bytes.subarray(bytes.length - kept);
  }

  /** Nothing more comes. */
  end(): void {
    this.#give(this.#held);
    this.#held = Buffer.alloc(0);
  }

  #give(bytes: Buffer): void {
    if (bytes.length > 0) this.#onBytes(bytes);
  }

  /** How many of the last bytes could be the first of a mark. */
  #beginningOfMark(bytes: Buffer): number {
    const at = bytes.indexOf(0, Math.max(0, bytes.length - this.#start.length + 1));
    for (let from = at; from !== -1; from = bytes.indexOf(0, from + 1)) {
      const length = bytes.length - from;
      if (bytes.subarray(from).equals(this.#start.subarray(0, length))) return length;
    }
    return 0;
  }
}

function readMark(words: string): PipeMark | undefined {
  if (words === "n") return { kind: "nobody" };
  const found = /^(?:a(\d+)\.(\d+)|e(\d+))$/.exec(words);
  if (found === null) return undefined;
  const [, task, attempt, batch] = found;
  if (batch !== undefined) return { kind: "end", batch: Number(batch) };
  return { kind: "attempt", task: Number(task) as TaskSequence, attempt: Number(attempt) };
}
