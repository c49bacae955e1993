/**
 * Large arrays that the workers of one run keep in shared memory, so that each is read from the store once and not by
 * every task. The main thread only says who has which: a worker that finds an array missing fills it, checks it and gives
 * it here; others that ask meanwhile wait for that. Bounded in bytes; the least recently used go first.
 *
 * An array that no step has seen (`isLent` false) is written by nobody, and private copies are made from it. One that steps
 * share (`isLent`) is memory of its own: what a step does to it can reach only those that share it, and it is dropped as
 * soon as a task that had it ends without saying that it is as it was.
 */
import type { MessagePort } from "node:worker_threads";
import type { Digest } from "../artifact/artifact.ts";

/** Which memory is meant. */
export interface ArrayKey {
  readonly digest: Digest;
  readonly isLent: boolean;
}

/** What a worker says. To `take` it waits for an answer. */
export type ArrayRequest =
  | ({ readonly kind: "take"; readonly sizeBytes: number } & ArrayKey)
  /** The memory that was to be filled holds the array now. */
  | ({ readonly kind: "filled"; readonly memory: SharedArrayBuffer } & ArrayKey)
  /** It could not be filled: somebody else may try. */
  | ({ readonly kind: "failed" } & ArrayKey)
  /** A task that had lent memory found it as it was. */
  | ({ readonly kind: "unchanged" } & ArrayKey)
  /** A task that had lent memory cannot say so. */
  | ({ readonly kind: "changed" } & ArrayKey);

export type ArrayReply =
  | { readonly kind: "memory"; readonly memory: SharedArrayBuffer }
  /** Nobody has it: fill it. */
  | { readonly kind: "fill" }
  /** There is no room for it. */
  | { readonly kind: "none" };

/** What a worker hands over to be served. */
export interface ArrayLine {
  readonly port: MessagePort;
  /** One word, counted up and notified after each answer. */
  readonly answered: SharedArrayBuffer;
}

interface Customer extends ArrayLine {
  /** Lent memory that its tasks have and have not given back, by key. */
  readonly lent: Map<string, number>;
}

export class ArrayMemory {
  readonly #limitBytes: number;
  /** By key, the one that was used last at the end. */
  readonly #kept = new Map<string, SharedArrayBuffer>();
  readonly #filling = new Map<string, { customer: Customer; readonly waiting: Customer[] }>();
  #bytes = 0;

  /** @param limitBytes what is kept at most; a lent array that is larger is kept alone */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Serves a worker until it ends. */
  serve(line: ArrayLine): void {
    const customer: Customer = { ...line, lent: new Map() };
    line.port.on("message", (request: ArrayRequest) => this.#hear(customer, request));
    line.port.on("close", () => this.#leave(customer));
    line.port.unref();
  }

  /** Nobody asks for any of them again. */
  clear(): void {
    for (const key of [...this.#kept.keys()]) this.#drop(key);
  }

  #hear(customer: Customer, request: ArrayRequest): void {
    const key = keyOf(request);
    if (request.kind === "take") this.#take(customer, request);
    else if (request.kind === "filled") this.#filled(request);
    else if (request.kind === "failed") this.#failed(key);
    else {
      giveBack(customer, key);
      if (request.kind === "changed") this.#drop(key);
    }
  }

  #take(customer: Customer, { sizeBytes, ...asked }: Extract<ArrayRequest, { kind: "take" }>): void {
    const key = keyOf(asked);
    const kept = this.#kept.get(key);
    if (kept !== undefined) {
      this.#kept.delete(key);
      this.#kept.set(key, kept);
      this.#give(customer, key, kept, asked.isLent);
      return;
    }
    const filling = this.#filling.get(key);
    // Who fills it would wait for himself: code that an earlier task has left in his thread asks for it too.
    if (filling?.customer === customer) answer(customer, { kind: "none" });
    else if (filling !== undefined) filling.waiting.push(customer);
    else if (sizeBytes > this.#limitBytes && !asked.isLent) answer(customer, { kind: "none" });
    else {
      this.#filling.set(key, { customer, waiting: [] });
      answer(customer, { kind: "fill" });
    }
  }

  #filled({ memory, ...filled }: Extract<ArrayRequest, { kind: "filled" }>): void {
    const key = keyOf(filled);
    const filling = this.#filling.get(key);
    this.#filling.delete(key);
    this.#kept.set(key, memory);
    this.#bytes += memory.byteLength;
    if (filling !== undefined && filled.isLent) lend(filling.customer, key);
    for (const customer of filling?.waiting ?? []) this.#give(customer, key, memory, filled.isLent);
    for (const [oldest] of this.#kept) {
      if (this.#bytes <= this.#limitBytes || oldest === key) break;
      this.#drop(oldest);
    }
  }

  #failed(key: string): void {
    const filling = this.#filling.get(key);
    const next = filling?.waiting.shift();
    if (filling === undefined || next === undefined) this.#filling.delete(key);
    else {
      filling.customer = next;
      answer(next, { kind: "fill" });
    }
  }

  #give(customer: Customer, key: string, memory: SharedArrayBuffer, isLent: boolean): void {
    if (isLent) lend(customer, key);
    answer(customer, { kind: "memory", memory });
  }

  #drop(key: string): void {
    const memory = this.#kept.get(key);
    if (memory === undefined) return;
    this.#kept.delete(key);
    this.#bytes -= memory.byteLength;
  }

  /** The worker has ended: what it was to fill others may fill, and what it had lent may have been changed. */
  #leave(customer: Customer): void {
    for (const filling of this.#filling.values()) {
      const at = filling.waiting.indexOf(customer);
      if (at >= 0) filling.waiting.splice(at, 1);
    }
    for (const [key, filling] of this.#filling) if (filling.customer === customer) this.#failed(key);
    for (const key of customer.lent.keys()) this.#drop(key);
  }
}

function keyOf({ digest, isLent }: ArrayKey): string {
  return isLent ? `lent ${digest}` : digest;
}

function lend({ lent }: Customer, key: string): void {
  lent.set(key, (lent.get(key) ?? 0) + 1);
}

function giveBack({ lent }: Customer, key: string): void {
  const count = (lent.get(key) ?? 0) - 1;
  if (count > 0) lent.set(key, count);
  else lent.delete(key);
}

function answer({ port, answered }: Customer, reply: ArrayReply): void {
  port.postMessage(reply);
  const word = new Int32Array(answered);
  Atomics.add(word, 0, 1);
  Atomics.notify(word, 0);
}
