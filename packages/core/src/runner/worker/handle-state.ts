import type { Change, WorkerState } from "./fingerprint.ts";
import { pendingTimers } from "./pending-timers.ts";

/** What is open, as people call it, and whether it may be kept on purpose for the next task. Others are not looked at. */
const KINDS = new Map([
  ["TCPServerWrap", { what: "a server that listens", isTolerable: false }],
  ["FSEventWrap", { what: "a watched file", isTolerable: false }],
  ["StatWatcher", { what: "a watched file", isTolerable: false }],
  ["TCPSocketWrap", { what: "an open connection", isTolerable: true }],
  ["PipeWrap", { what: "an open pipe", isTolerable: true }],
  ["UDPWrap", { what: "an open socket", isTolerable: true }],
  ["ProcessWrap", { what: "a process that runs", isTolerable: true }],
  ["MessagePort", { what: "an open port", isTolerable: true }],
]);
/** What a task closed without waiting is gone after some turns of the event loop, or after this. */
const CLOSING_MS = 20;

/** What keeps the event loop alive after the task is over: servers, connections, timers that repeat. */
export class HandleState implements WorkerState {
  #open = openHandles();
  /** So many timers were found harmless; with more of them they are looked for. */
  #timersBorne = timerCount();
  /** Timers that repeat. Only where there are timers at all: looking for them takes long. */
  #repeating = this.#timersBorne === 0 ? 0 : repeatingTimers();

  /**
   * Whether timers were left of which it is not known if they repeat. To find that out takes long, and timers that are
   * due fire meanwhile: so the task is to be reported first.
   */
  get isUnsure(): boolean {
    const timers = timerCount();
    if (timers === 0) this.#timersBorne = 0;
    return timers > this.#timersBorne;
  }

  look(): readonly Change[] | Promise<readonly Change[]> {
    return this.#added().length > 0 ? this.#lookAgain() : [];
  }

  /** Looks for timers that repeat. */
  lookDeeply(): readonly Change[] {
    const repeating = repeatingTimers();
    // Twice as many before the next search: a task may well leave a timer that fires once, and thousands of tasks do.
    this.#timersBorne = 2 * timerCount();
    if (repeating <= this.#repeating) return [];
    this.#repeating = repeating;
    return [{ what: "a timer that repeats", isTolerable: false, isContagious: false }];
  }

  accept(): void {
    // Never less than before: what is closed by one task may be opened again by the next.
    for (const [kind, count] of openHandles()) this.#open.set(kind, Math.max(count, this.#open.get(kind) ?? 0));
  }

  async #lookAgain(): Promise<readonly Change[]> {
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    if (this.#added().length > 0) await new Promise((resolve) => setTimeout(resolve, CLOSING_MS));
    const found = new Map<string, Change>();
    for (const kind of this.#added()) {
      const { what, isTolerable } = KINDS.get(kind)!;
      found.set(what, { what, isTolerable, isContagious: false });
    }
    return [...found.values()];
  }

  /** Kinds of which more is open than there should be. */
  #added(): readonly string[] {
    return [...openHandles()].filter(([kind, count]) => count > (this.#open.get(kind) ?? 0)).map(([kind]) => kind);
  }
}

function openHandles(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo())
    if (KINDS.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

function timerCount(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
}

function repeatingTimers(): number {
  return pendingTimers().filter((timer) => timer.isRepeating && timer.isRefed).length;
}
