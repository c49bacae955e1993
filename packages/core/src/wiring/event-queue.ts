/**
 * Events between a run and somebody who iterates over it. A run does not wait for a slow reader; so that what waits for one
 * stays bounded, the oldest output of tasks is dropped, and one event in its place says how much. Nothing else is dropped:
 * all other events of a run are few, and somebody may count on each.
 */
import type { RunEvent } from "../events/run-event.ts";

/** Characters of output that wait for a reader: some seconds of a busy log, and little beside what a run itself needs. */
export const MOST_WAITING_CHARACTERS = 8 * 1024 * 1024;
/** What an event holds beside its text, so that many short ones count too. */
const EVENT_CHARACTERS = 256;

type Output = Extract<RunEvent, { readonly kind: "task.output" }>;
type Dropped = Extract<RunEvent, { readonly kind: "output.dropped" }>;

/** An event that waits; what was dropped has left the chain. */
interface Waiting {
  event: RunEvent;
  before?: Waiting | undefined;
  after?: Waiting | undefined;
  /** Of output: the next output. */
  nextOutput?: Waiting | undefined;
}

export class EventQueue implements AsyncIterator<RunEvent> {
  readonly #onLeave: () => void;
  readonly #mostCharacters: number;
  #first: Waiting | undefined;
  #last: Waiting | undefined;
  #firstOutput: Waiting | undefined;
  #lastOutput: Waiting | undefined;
  #characters = 0;
  /** Where output was dropped, as long as nobody has read that. */
  #dropped: Waiting | undefined;
  #reader: PromiseWithResolvers<IteratorResult<RunEvent>> | undefined;
  #end: { readonly error?: unknown } | undefined;

  /** @param onLeave called when the reader stops before the end */
  constructor(onLeave: () => void, mostCharacters: number = MOST_WAITING_CHARACTERS) {
    this.#onLeave = onLeave;
    this.#mostCharacters = mostCharacters;
  }

  push(event: RunEvent): void {
    if (this.#reader !== undefined) {
      this.#reader.resolve({ done: false, value: event });
      this.#reader = undefined;
      return;
    }
    const waiting: Waiting = { event, before: this.#last };
    if (this.#last === undefined) this.#first = waiting;
    else this.#last.after = waiting;
    this.#last = waiting;
    if (event.kind !== "task.output") return;
    if (this.#lastOutput === undefined) this.#firstOutput = waiting;
    else this.#lastOutput.nextOutput = waiting;
    this.#lastOutput = waiting;
    this.#characters += sizeOf(event);
    // The newest stays, however long it is.
    while (this.#characters > this.#mostCharacters && this.#firstOutput !== this.#lastOutput) this.#dropOldest();
  }

  close(end: { readonly error?: unknown }): void {
    this.#end = end;
    if (this.#reader === undefined) return;
    if (end.error === undefined) this.#reader.resolve({ done: true, value: undefined });
    else this.#reader.reject(end.error);
    this.#reader = undefined;
  }

  async next(): Promise<IteratorResult<RunEvent>> {
    const event = this.#shift();
    if (event !== undefined) return { done: false, value: event };
    if (this.#end !== undefined) {
      if (this.#end.error !== undefined) throw this.#end.error;
      return { done: true, value: undefined };
    }
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  async return(): Promise<IteratorResult<RunEvent>> {
    this.#onLeave();
    return { done: true, value: undefined };
  }

  #shift(): RunEvent | undefined {
    const first = this.#first;
    if (first === undefined) return undefined;
    this.#unlink(first);
    if (first === this.#firstOutput) this.#forgetOldest();
    if (first === this.#dropped) this.#dropped = undefined;
    return first.event;
  }

  /** The first of them gives its place to the event that counts them. */
  #dropOldest(): void {
    const oldest = this.#firstOutput!;
    this.#forgetOldest();
    const { at, text } = oldest.event as Output;
    if (this.#dropped === undefined) {
      this.#dropped = oldest;
      oldest.event = { kind: "output.dropped", at, events: 1, characters: text.length };
      return;
    }
    this.#unlink(oldest);
    const { events, characters, ...before } = this.#dropped.event as Dropped;
    this.#dropped.event = { ...before, events: events + 1, characters: characters + text.length };
  }

  #forgetOldest(): void {
    const oldest = this.#firstOutput!;
    this.#characters -= sizeOf(oldest.event as Output);
    this.#firstOutput = oldest.nextOutput;
    if (this.#firstOutput === undefined) this.#lastOutput = undefined;
    oldest.nextOutput = undefined;
  }

  #unlink(waiting: Waiting): void {
    const { before, after } = waiting;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
  }
}

function sizeOf({ text }: Output): number {
  return text.length + EVENT_CHARACTERS;
}
