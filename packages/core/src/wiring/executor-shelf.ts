/**
 * Workers of runs that are started inside steps. Starting threads and loading a code package takes longer than a small run
 * does, so those that are done are kept for the next run of the same flow; few of them, and only as long as the run that
 * everything started with.
 */
import type { Executor } from "../runner/executor.ts";
import type { HeardMessage } from "../runner/protocol.ts";

/** Workers for one run at a time. */
export interface RunWorkers {
  readonly executor: Executor;
  /** The run is over. */
  release(): Promise<void>;
}

/** Sets of workers that are kept while nobody uses them. */
const KEPT = 4;

export class ExecutorShelf {
  /** The one that was used last at the end. */
  readonly #idle: { readonly key: string; readonly shelved: Shelved }[] = [];
  readonly #closing = new Set<Promise<void>>();
  #isClosed = false;

  /** @param key equal for workers that can stand in for each other */
  async take(key: string, open: () => Promise<Executor>): Promise<RunWorkers> {
    const index = this.#idle.findLastIndex((entry) => entry.key === key);
    const shelved = index === -1 ? new Shelved(await open()) : this.#idle.splice(index, 1)[0]!.shelved;
    const executor = shelved.lend();
    return { executor, release: () => this.#giveBack(key, shelved, executor) };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { shelved } of this.#idle.splice(0)) this.#end(shelved);
    await Promise.all(this.#closing);
  }

  async #giveBack(key: string, shelved: Shelved, executor: LentExecutor): Promise<void> {
    if (executor.isSpent || this.#isClosed) {
      await shelved.inner.close();
      return;
    }
    shelved.takeBack();
    this.#idle.push({ key, shelved });
    if (this.#idle.length > KEPT) this.#end(this.#idle.shift()!.shelved);
  }

  #end(shelved: Shelved): void {
    const closing: Promise<void> = shelved.inner.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}

class Shelved {
  readonly inner: Executor;
  #user: LentExecutor | undefined;

  constructor(inner: Executor) {
    this.inner = inner;
    inner.onMessage((message) => this.#user?.tell(message));
  }

  lend(): LentExecutor {
    this.#user = new LentExecutor(this.inner);
    return this.#user;
  }

  /** What still comes is of a run that is over. */
  takeBack(): void {
    this.#user = undefined;
  }
}

/** Workers as one run sees them. Once they were told to stop they are of no use to another one. */
class LentExecutor implements Executor {
  readonly #inner: Executor;
  readonly #listeners: ((message: HeardMessage) => void)[] = [];
  isSpent = false;

  constructor(inner: Executor) {
    this.#inner = inner;
  }

  get slots(): number {
    return this.#inner.slots;
  }

  submit(...batch: Parameters<Executor["submit"]>): ReturnType<Executor["submit"]> {
    return this.#inner.submit(...batch);
  }

  onMessage(listener: (message: HeardMessage) => void): void {
    this.#listeners.push(listener);
  }

  tell(message: HeardMessage): void {
    for (const listener of this.#listeners) listener(message);
  }

  cancel(): void {
    this.isSpent = true;
    this.#inner.cancel();
  }

  close(): Promise<void> {
    this.isSpent = true;
    return this.#inner.close();
  }
}
