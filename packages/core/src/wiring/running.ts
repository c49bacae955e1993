/**
 * A run that was started from code: its events as an async iterable, its end as a promise, and a way to cancel it.
 * Events are kept only for those who ask before they happen; a run that nobody watches keeps none.
 */
import type { RunEvent } from "../events/run-event.ts";
import { EventQueue } from "./event-queue.ts";

/** How a run is told to end. */
export interface RunSignals {
  /** Tasks are asked to stop and are given time for it. */
  readonly stop: AbortSignal;
  /** Tasks are ended where they are. */
  readonly endNow: AbortSignal;
}

/** Told once each, when somebody first wants the result or the events. */
export interface RunningWatch {
  readonly onAwaited: () => void;
  readonly onWatched: () => void;
}

/** Starts it, unless its options are refused: that is told like all that refuses a run, when it is awaited. */
export function unlessRefused<Result>(check: () => void, start: () => RunningFlow<Result>): RunningFlow<Result> {
  try {
    check();
  } catch (error) {
    const refuse = (): Promise<never> => Promise.reject(error);
    return new RunningFlow<Result>(refuse, refuse);
  }
  return start();
}

type Finished = Extract<RunEvent, { kind: "run.finished" }>;

export class RunningFlow<Result> implements AsyncIterable<RunEvent>, PromiseLike<Result> {
  readonly #watchers = new Set<EventQueue>();
  readonly #abort = new AbortController();
  readonly #endNow = new AbortController();
  readonly #result: Promise<Result>;
  readonly #created = Promise.withResolvers<string>();
  readonly #watch: RunningWatch | undefined;
  #isObserved = false;
  #isIdAwaited = false;
  #end: { readonly error?: unknown } | undefined;

  /**
   * @param start does the work; it is called once, in a later turn, so that a watcher who asks at once misses nothing
   * @param finish turns the last event into what awaiting gives
   */
  constructor(
    start: (emit: (event: RunEvent) => void, signals: RunSignals) => Promise<void>,
    finish: (event: Finished) => Promise<Result> | Result,
    signal?: AbortSignal,
    watch?: RunningWatch,
  ) {
    this.#watch = watch;
    const created = this.#created;
    created.promise.catch(() => {}); // Whoever awaits it sees the rejection; nobody has to.
    let isCreated = false;
    const onAbort = (): void => this.#abort.abort(signal!.reason);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
    let last: Finished | undefined;
    const emit = (event: RunEvent): void => {
      if (event.kind === "run.created" || event.kind === "run.resumed") {
        isCreated = true;
        created.resolve(event.runId);
      }
      if (event.kind === "run.finished") {
        last = event;
        created.resolve(event.record.id); // One that was there already has no beginning.
      }
      for (const watcher of this.#watchers) watcher.push(event);
    };
    this.#result = new Promise<void>((resolve) => setImmediate(resolve))
      .then(() => start(emit, { stop: this.#abort.signal, endNow: this.#endNow.signal }))
      .then(() => finish(last!));
    this.#result.then(
      () => {
        signal?.removeEventListener("abort", onAbort);
        this.#closeWatchers({});
      },
      (error: unknown) => {
        signal?.removeEventListener("abort", onAbort);
        created.reject(error);
        const isHeard = this.#isObserved || this.#watchers.size > 0 || (this.#isIdAwaited && !isCreated);
        this.#closeWatchers({ error });
        if (!isHeard) void Promise.reject(error); // Nobody listens: let the process say it, as for any forgotten promise.
      },
    );
  }

  /** The run's global id, as soon as it is created. Rejects when the run cannot start. */
  get id(): Promise<string> {
    this.#isIdAwaited = true;
    return this.#created.promise;
  }

  /**
   * Asks the run to stop: tasks see `this.signal`, the run ends as cancelled. A second call waits for no task any more.
   */
  cancel(reason = "cancel() was called"): void {
    if (this.#abort.signal.aborted) this.#endNow.abort(reason);
    this.#abort.abort(reason);
  }

  // biome-ignore lint/suspicious/noThenProperty: a run can be awaited, that is its point.
  then<A = Result, B = never>(
    onFulfilled?: ((value: Result) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    if (!this.#isObserved) this.#watch?.onAwaited();
    this.#isObserved = true;
    return this.#result.then(onFulfilled, onRejected);
  }

  /** As of a promise. */
  catch<B = never>(onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<Result | B> {
    return this.then(null, onRejected);
  }

  /** As of a promise. */
  finally(onSettled?: (() => void) | null): Promise<Result> {
    return this.then().finally(onSettled);
  }

  /** The events from now on; of a run that has ended there are none, and its error is thrown. */
  [Symbol.asyncIterator](): AsyncIterator<RunEvent> {
    if (this.#end === undefined) {
      this.#watch?.onWatched();
      this.#watch?.onAwaited();
    }
    const queue = new EventQueue(() => this.#watchers.delete(queue));
    if (this.#end === undefined) this.#watchers.add(queue);
    else queue.close(this.#end);
    return queue;
  }

  #closeWatchers(end: { readonly error?: unknown }): void {
    this.#end = end;
    for (const watcher of this.#watchers) watcher.close(end);
    this.#watchers.clear();
  }
}
