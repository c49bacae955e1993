/**
 * Writes what tasks print straight into the pipes of this process, before the call returns: what the kernel has is not lost
 * when the process crashes. The main thread bounds, masks and gathers it (`output-splitter.ts`).
 */
import fs from "node:fs";
import type { LogChunk, TaskSequence } from "../../metadata/metadata-store.ts";
import { type PipeMark, writeMark } from "../output-splitter.ts";
import type { OutputSink, SinkOutput } from "./output-capture.ts";

type Stream = LogChunk["stream"];

const DESCRIPTORS = { stdout: 1, stderr: 2 } as const;
const STREAMS: readonly Stream[] = ["stdout", "stderr"];
/** Waited between two tries when a pipe is full. */
const FULL_WAIT_MS = 1;

// A task may replace these for others; what it prints is to arrive all the same.
const { fstatSync, writeSync } = fs;
const { wait } = Atomics;
const never = new Int32Array(new SharedArrayBuffer(4));

export class PipeOutput implements OutputSink {
  readonly #nonce: string;
  /** What the descriptors were when this process started: a task may close them, and another file take the number. */
  readonly #pipes = { stdout: identity(DESCRIPTORS.stdout), stderr: identity(DESCRIPTORS.stderr) };
  /** Whose output follows the last mark of each pipe. */
  readonly #current: Record<Stream, SinkOutput | undefined> = { stdout: undefined, stderr: undefined };

  constructor(nonce: string) {
    this.#nonce = nonce;
    // Node makes the descriptor of process.stdout non-blocking, and then raw writes of others fail when the pipe is full.
    for (const stream of STREAMS) blockingHandle(process[stream])?.setBlocking?.(true);
  }

  open(task: TaskSequence, attempt: number): SinkOutput {
    const mark: PipeMark = { kind: "attempt", task, attempt };
    let isClosed = false;
    const output: SinkOutput = {
      write: (stream, piece) => {
        if (isClosed) return;
        if (this.#current[stream] !== output) this.#turnTo(stream, mark, output);
        writeAll(DESCRIPTORS[stream], typeof piece === "string" ? Buffer.from(piece) : piece);
      },
      flush: () => {},
      close: () => {
        isClosed = true;
        return { logs: [], liveChunks: 0 };
      },
    };
    // At once, so that what does not come through here is attributed too.
    for (const stream of STREAMS) this.#turnTo(stream, mark, output);
    return output;
  }

  /** Says that nothing more comes of a batch. */
  endBatch(batch: number): void {
    for (const stream of STREAMS) {
      this.#turnTo(stream, { kind: "nobody" }, undefined);
      this.#mark(stream, { kind: "end", batch });
    }
  }

  /** Whether a task has closed the pipe or put another file in its place. */
  get isBroken(): boolean {
    return STREAMS.some((stream) => identity(DESCRIPTORS[stream]) !== this.#pipes[stream]);
  }

  #turnTo(stream: Stream, mark: PipeMark, output: SinkOutput | undefined): void {
    this.#current[stream] = output;
    this.#mark(stream, mark);
  }

  #mark(stream: Stream, mark: PipeMark): void {
    const descriptor = DESCRIPTORS[stream];
    if (identity(descriptor) === this.#pipes[stream]) writeAll(descriptor, writeMark(this.#nonce, mark));
  }
}

function identity(descriptor: number): string {
  try {
    const { dev, ino } = fstatSync(descriptor);
    return `${dev}.${ino}`;
  } catch {
    return "closed";
  }
}

function blockingHandle(stream: NodeJS.WriteStream): { setBlocking?(isBlocking: boolean): void } | undefined {
  return (stream as { readonly _handle?: { setBlocking?(isBlocking: boolean): void } })._handle;
}

/** Waits while the pipe is full; gives up when nobody reads it any more. */
function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let from = 0; from < bytes.length; ) {
    try {
      from += writeSync(descriptor, bytes, from);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
      wait(never, 0, 0, FULL_WAIT_MS);
    }
  }
}
