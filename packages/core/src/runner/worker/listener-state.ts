import type { Change, WorkerState } from "./fingerprint.ts";

/** Listeners on `process`: of signals, of errors that nobody caught, of the end. */
export class ListenerState implements WorkerState {
  #before = counts();

  look(): readonly Change[] {
    const now = counts();
    const changed = [...new Set([...now.keys(), ...this.#before.keys()])].filter(
      (event) => (now.get(event) ?? 0) !== (this.#before.get(event) ?? 0),
    );
    return changed.map((event) => ({
      what: `listeners of process "${String(event)}"`,
      isTolerable: false,
      isContagious: false,
    }));
  }

  accept(): void {
    this.#before = counts();
  }
}

function counts(): ReadonlyMap<string | symbol, number> {
  return new Map(process.eventNames().map((event) => [event, process.listenerCount(event as "exit")]));
}
