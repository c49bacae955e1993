/**
 * A thread's side of the store that the I/O thread owns: calls that are awaited, and calls that wait without an event loop, for
 * getters of fields. One line serves both; a line whose I/O thread has gone is given up, and the next call asks for another.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { deserializeError, FlowError } from "../../errors/flow-error.ts";
import {
  ANSWERED_WORD,
  BEAT_WORD,
  type CallName,
  GONE_WORD,
  PROGRESS_WORD,
  type RemoteCalls,
  type RemoteLine,
  type RemoteReply,
  WORDS_BYTES,
} from "./messages.ts";

// A task may replace what stands on globalThis; this file goes on with what it found.
const { load, wait } = Atomics;

export interface RemoteClientOptions {
  /** Hands a line over to the I/O thread, which is started where there is none. */
  readonly connect: (line: RemoteLine) => void;
  /** What messages call the store: its address. */
  readonly name: string;
  /**
   * How long a call may wait without an event loop since the I/O thread last had a value or a part of one; milliseconds, default
   * 15 minutes: beyond all limits and retries of the store.
   */
  readonly limitMs?: number;
  /** After how long without a sign of life the I/O thread counts as gone; milliseconds, default 60,000. */
  readonly silenceMs?: number;
}

const LIMIT_MS = 15 * 60_000;
const SILENCE_MS = 60_000;
/** A wait is looked after so often. */
const SLICE_MS = 1_000;

interface Pending {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface OpenLine {
  readonly port: MessagePort;
  readonly words: Int32Array;
  /** Calls that are awaited, by number. */
  readonly pending: Map<number, Pending>;
  isHeard: boolean;
}

export class RemoteClient {
  /** How often this thread has stood still for the store. */
  waits = 0;
  readonly #options: RemoteClientOptions;
  #line: OpenLine | undefined;
  #number = 0;

  constructor(options: RemoteClientOptions) {
    this.#options = options;
  }

  async call<Name extends CallName>(
    name: Name,
    ask: RemoteCalls[Name]["ask"],
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<RemoteCalls[Name]["answer"]> {
    const line = this.#open();
    const number = ++this.#number;
    const answer = new Promise<unknown>((resolve, reject) => line.pending.set(number, { resolve, reject }));
    if (!line.isHeard) {
      line.isHeard = true;
      line.port.on("message", (reply: RemoteReply) => this.#hear(line, reply));
      line.port.on("close", () => this.#lose(line));
    }
    line.port.ref();
    line.port.postMessage({ number, name, ask }, transfer);
    return (await answer) as RemoteCalls[Name]["answer"];
  }

  /**
   * As `call`, without an event loop.
   *
   * @param limitMs in place of the client's own, and whatever comes meanwhile
   * @throws FlowError FLOW_STORAGE_TIMEOUT, FLOW_STORAGE_UNAVAILABLE when the I/O thread is gone, and what the call throws
   */
  callSync<Name extends CallName>(
    name: Name,
    ask: RemoteCalls[Name]["ask"],
    limitMs?: number,
  ): RemoteCalls[Name]["answer"] {
    const line = this.#open();
    const number = ++this.#number;
    line.port.postMessage({ number, name, ask });
    const reply = this.#wait(line, { number, name, limitMs });
    if ("error" in reply) throw deserializeError(reply.error);
    return reply.answer as RemoteCalls[Name]["answer"];
  }

  /** Says what will be wanted, and waits for nothing. */
  wish<Name extends CallName>(name: Name, ask: RemoteCalls[Name]["ask"]): void {
    this.#open().port.postMessage({ name, ask });
  }

  close(): void {
    const line = this.#line;
    if (line === undefined) return;
    this.#line = undefined;
    line.port.close();
    reject(line, closed(this.#options.name));
  }

  #open(): OpenLine {
    if (this.#line !== undefined && load(this.#line.words, GONE_WORD) === 0) return this.#line;
    if (this.#line !== undefined) this.#lose(this.#line);
    const { port1, port2 } = new MessageChannel();
    const words = new SharedArrayBuffer(WORDS_BYTES);
    // Unheard, the port keeps no event loop alive.
    this.#line = { port: port1, words: new Int32Array(words), pending: new Map(), isHeard: false };
    this.#options.connect({ port: port2, words });
    return this.#line;
  }

  #wait(
    line: OpenLine,
    {
      number,
      name,
      limitMs: fixedMs,
    }: { readonly number: number; readonly name: CallName; readonly limitMs: number | undefined },
  ): RemoteReply {
    const { silenceMs = SILENCE_MS } = this.#options;
    const limitMs = fixedMs ?? this.#options.limitMs ?? LIMIT_MS;
    let beganAt = performance.now();
    let progress = load(line.words, PROGRESS_WORD);
    let beat = load(line.words, BEAT_WORD);
    let beatAt = beganAt;
    let hasWaited = false;
    for (;;) {
      const seen = load(line.words, ANSWERED_WORD);
      for (let received = receiveMessageOnPort(line.port); received; received = receiveMessageOnPort(line.port)) {
        const reply = received.message as RemoteReply;
        if (reply.number === number) return reply;
        this.#hear(line, reply);
      }
      if (!hasWaited) this.waits++;
      hasWaited = true;
      const now = performance.now();
      const beatNow = load(line.words, BEAT_WORD);
      if (beatNow !== beat) [beat, beatAt] = [beatNow, now];
      const progressNow = load(line.words, PROGRESS_WORD);
      if (progressNow !== progress && fixedMs === undefined) [progress, beganAt] = [progressNow, now];
      if (load(line.words, GONE_WORD) !== 0 || now - beatAt > silenceMs) {
        this.#lose(line);
        throw gone(this.#options.name);
      }
      if (now - beganAt > limitMs) throw timeout(this.#options.name, name, limitMs);
      wait(line.words, ANSWERED_WORD, seen, Math.min(SLICE_MS, Math.max(1, beganAt + limitMs - now)));
    }
  }

  #hear(line: OpenLine, reply: RemoteReply): void {
    const pending = line.pending.get(reply.number);
    if (pending === undefined) return; // Of a call that was given up.
    line.pending.delete(reply.number);
    if (line.pending.size === 0) line.port.unref();
    if ("error" in reply) pending.reject(deserializeError(reply.error));
    else pending.resolve(reply.answer);
  }

  #lose(line: OpenLine): void {
    if (this.#line === line) this.#line = undefined;
    line.port.close();
    reject(line, gone(this.#options.name));
  }
}

function reject(line: OpenLine, error: FlowError): void {
  for (const pending of line.pending.values()) pending.reject(error);
  line.pending.clear();
}

function gone(name: string): FlowError {
  return new FlowError("FLOW_STORAGE_UNAVAILABLE", {
    message: `Cannot reach ${name}: the thread that talks to it has ended`,
    hint: "Try again: the next call starts another one",
    context: { store: name, isTransient: true },
  });
}

function timeout(name: string, call: CallName, limitMs: number): FlowError {
  return new FlowError("FLOW_STORAGE_TIMEOUT", {
    message: `Cannot wait any longer for ${name}: "${call}" had no answer, and nothing came, within ${Math.round(limitMs / 1_000)} s`,
    hint: "See that the service and the network to it work, then go on with flow resume",
    context: { store: name, call, limitMs, isTransient: true },
  });
}

function closed(name: string): FlowError {
  return new FlowError("FLOW_STORAGE_CLOSED", { message: `Cannot use ${name}: it is closed` });
}
