/**
 * Workers that are kept from one run to the next of the same flow, since starting threads and loading a code package takes longer
 * than a small run does; few of them.
 *
 * Those of runs that are started inside steps go on as they are, and are kept as long as the run that everything started with.
 * Those of runs that a program starts begin anew with each run, and are ended when nobody has wanted them for a while.
 */
import type { BatchSize } from "../runner/batch-size.ts";
import type { Executor } from "../runner/executor.ts";
import type { HeardMessage } from "../runner/protocol.ts";

/** Workers for one run at a time. */
export interface RunWorkers {
  readonly executor: Executor;
  /** The run is over. */
  release(): Promise<void>;
}

export interface ShelfOptions {
  /** Sets of workers that are kept while nobody uses them. Default 4. */
  readonly most?: number;
  /** Workers begin anew with each run, and are ended when they have not been used for so long. Default: neither. */
  readonly anewForMs?: number;
}

interface IdleWorkers {
  readonly key: string;
  readonly shelved: Shelved;
  timer?: NodeJS.Timeout;
}

export class ExecutorShelf {
  readonly #most: number;
  readonly #anewForMs: number | undefined;
  /** The one that was used last at the end. */
  readonly #idle: IdleWorkers[] = [];
  readonly #closing = new Set<Promise<void>>();
  #isClosed = false;

  constructor({ most = 4, anewForMs }: ShelfOptions = {}) {
    this.#most = most;
    this.#anewForMs = anewForMs;
  }

  /** @param key equal for workers that can stand in for each other */
  async take(key: string, open: () => Promise<Executor>): Promise<RunWorkers> {
    const index = this.#idle.findLastIndex((entry) => entry.key === key);
    const kept = index === -1 ? undefined : this.#remove(this.#idle[index]!);
    if (this.#anewForMs !== undefined) await kept?.inner.renew?.();
    const shelved = kept ?? new Shelved(await open());
    const executor = shelved.lend();
    return { executor, release: () => this.#giveBack(key, shelved, executor) };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const entry of [...this.#idle]) this.#end(this.#remove(entry));
    await Promise.all(this.#closing);
  }

  async #giveBack(key: string, shelved: Shelved, executor: LentExecutor): Promise<void> {
    const isAnew = this.#anewForMs !== undefined;
    const isOfUse = !executor.isSpent && !this.#isClosed;
    if (isOfUse) shelved.takeBack(); // Workers that do not end are told to the run that made them so.
    if (!isOfUse || (isAnew && (await shelved.inner.rest?.()) !== true)) {
      await shelved.inner.close();
      return;
    }
    const entry: IdleWorkers = { key, shelved };
    if (isAnew) entry.timer = setTimeout(() => this.#end(this.#remove(entry)), this.#anewForMs).unref();
    this.#idle.push(entry);
    if (this.#idle.length > this.#most) this.#end(this.#remove(this.#idle[0]!));
  }

  #remove(entry: IdleWorkers): Shelved {
    clearTimeout(entry.timer);
    this.#idle.splice(this.#idle.indexOf(entry), 1);
    return entry.shelved;
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

  get sizes(): BatchSize | undefined {
    return this.#inner.sizes;
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
