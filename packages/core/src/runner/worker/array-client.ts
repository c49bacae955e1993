import { MessageChannel, type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import type { ArtifactRef } from "../../artifact/artifact.ts";
import type { ArrayKey, ArrayLine, ArrayReply, ArrayRequest } from "../array-memory.ts";

// A task may replace what stands on globalThis; this file goes on with what it found.
const { load, wait } = Atomics;

/** Smaller values are kept by each worker as they are (PayloadCache), which costs no message to the main thread. */
export const SMALLEST_BYTES = 4 * 1024 * 1024;

/** Memory that holds an array, or is to be filled with it and then `settled`. */
export interface ArrayPlace {
  readonly memory: Uint8Array;
  /** There where nobody has filled the memory yet: whoever got it says whether it holds the array now. */
  readonly settle?: (isFilled: boolean) => void;
}

/** A worker's side of the arrays that all workers of a run keep in shared memory (array-memory.ts). */
export class ArrayClient {
  readonly #connect: (line: ArrayLine) => void;
  readonly #answered = new SharedArrayBuffer(4);
  #port: MessagePort | undefined;

  /** @param connect hands a line over to the main thread */
  constructor(connect: (line: ArrayLine) => void) {
    this.#connect = connect;
  }

  /**
   * The memory of an array. Waits, without an event loop, while another worker fills it.
   *
   * @returns undefined where there is no room for it
   */
  take({ digest, sizeBytes }: ArtifactRef, isLent: boolean): ArrayPlace | undefined {
    const key: ArrayKey = { digest, isLent };
    const reply = this.#ask({ kind: "take", sizeBytes, ...key });
    if (reply.kind === "none") return undefined;
    if (reply.kind === "memory") return { memory: new Uint8Array(reply.memory) };
    let memory: SharedArrayBuffer;
    try {
      memory = new SharedArrayBuffer(sizeBytes);
    } catch {
      this.#tell({ kind: "failed", ...key });
      return undefined; // The system has no such piece of memory left: a private copy may still find a place, or say so.
    }
    return {
      memory: new Uint8Array(memory),
      settle: (isFilled) => this.#tell(isFilled ? { kind: "filled", memory, ...key } : { kind: "failed", ...key }),
    };
  }

  /** The memory of an array, which is filled here where nobody did; `fill` checks what it fills in, and what it throws is thrown. */
  filled(ref: ArtifactRef, isLent: boolean, fill: (memory: Uint8Array) => void): Uint8Array | undefined {
    const place = this.take(ref, isLent);
    if (place?.settle === undefined) return place?.memory;
    let isFilled = false;
    try {
      fill(place.memory);
      isFilled = true;
    } finally {
      place.settle(isFilled);
    }
    return place.memory;
  }

  /** Gives lent memory back, and says whether it is known to be as it was. */
  giveBack({ digest }: ArtifactRef, isUnchanged: boolean): void {
    this.#tell({ kind: isUnchanged ? "unchanged" : "changed", digest, isLent: true });
  }

  #ask(request: ArrayRequest): ArrayReply {
    this.#tell(request);
    const word = new Int32Array(this.#answered);
    for (;;) {
      const seen = load(word, 0);
      const received = receiveMessageOnPort(this.#port!);
      if (received !== undefined) return received.message as ArrayReply;
      wait(word, 0, seen);
    }
  }

  #tell(request: ArrayRequest): void {
    if (this.#port === undefined) {
      // Nothing ever listens on this end, so that it keeps no event loop alive.
      const { port1, port2 } = new MessageChannel();
      this.#port = port1;
      this.#connect({ port: port2, answered: this.#answered });
    }
    this.#port.postMessage(request);
  }
}
