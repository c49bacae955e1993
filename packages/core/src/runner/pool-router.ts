/**
 * Sends each batch to the workers of its placement. The default placement's workers start with the run; those of others
 * start when the first batch asks for them, and pools that nobody uses are closed when there are many.
 */
import { createHash } from "node:crypto";
import { BatchSize } from "./batch-size.ts";
import { type Executor, ExecutorLostError, type Submission } from "./executor.ts";
import type { Batch, HeardMessage, Placement, TaskResult } from "./protocol.ts";
import { StepConduct } from "./step-conduct.ts";
import type { OpenHost } from "./worker-host.ts";
import { WorkerPool } from "./worker-pool.ts";

export interface PoolRouterOptions {
  /** Workers of each placement at most; how many run at once in all is for the driver to bound. */
  readonly slots: number;
  /** Makes what opens the workers of one placement; without one, of the default. */
  readonly open: (placement?: Placement) => Promise<OpenHost>;
  /** Workers of the default placement that start at once. Default all. */
  readonly eager?: number;
  /** The run is over, and its workers may serve another one. */
  readonly onRest?: () => void;
}

/** Pools beside the default one that stay open while they have nothing to do. */
const IDLE_POOLS_KEPT = 4;
const DEFAULT_KEY = "";

/** Opens an executor. */
export async function openPoolRouter(options: PoolRouterOptions): Promise<Executor> {
  return new PoolRouter(options, await options.open());
}

class PoolRouter implements Executor {
  readonly slots: number;
  readonly sizes = new BatchSize();
  readonly #options: PoolRouterOptions;
  readonly #conduct = new StepConduct();
  /** By key, the one that was used last at the end. */
  readonly #pools = new Map<string, WorkerPool>();
  readonly #opening = new Map<string, Promise<WorkerPool>>();
  readonly #closing = new Set<Promise<void>>();
  /** The driver gives one and the same placement with every batch of a step. */
  readonly #keys = new WeakMap<Placement, string>();
  readonly #listeners: ((message: HeardMessage) => void)[] = [];
  #isCancelled = false;
  #isClosed = false;

  constructor(options: PoolRouterOptions, open: OpenHost) {
    this.slots = options.slots;
    this.#options = options;
    this.#addPool(DEFAULT_KEY, open, options.eager ?? options.slots);
  }

  submit(batch: Batch): Submission {
    const key = this.#keyOf(batch.placement);
    const pool = this.#pools.get(key);
    if (pool === undefined) return this.#submitLater(key, batch);
    if (key !== DEFAULT_KEY && this.#pools.delete(key)) this.#pools.set(key, pool);
    return pool.submit(batch);
  }

  onMessage(listener: (message: HeardMessage) => void): void {
    this.#listeners.push(listener);
  }

  cancel(): void {
    this.#isCancelled = true;
    for (const pool of this.#pools.values()) pool.cancel();
  }

  /** Pools of placements are ended: their threads have seen the secrets of a step. */
  async rest(): Promise<boolean> {
    if (this.#isCancelled || this.#isClosed) return false;
    for (const key of this.#pools.keys()) if (key !== DEFAULT_KEY) this.#closePool(key);
    this.#conduct.forget();
    const isKept = await this.#pools.get(DEFAULT_KEY)!.rest();
    this.#options.onRest?.();
    return isKept;
  }

  async renew(): Promise<void> {
    await this.#pools.get(DEFAULT_KEY)!.renew();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()));
    await Promise.all(this.#closing);
  }

  /** What is asked of a batch before its pool is there is remembered. */
  #submitLater(key: string, batch: Batch): Submission {
    let submission: Submission | undefined;
    let abortReason: string | undefined;
    let isWaiting = false;
    let isEnded = false;
    const start = async (): Promise<readonly TaskResult[]> => {
      let pool: WorkerPool | undefined;
      // Once more when it was closed again, being idle, before this batch could use it.
      while (pool === undefined) {
        await this.#open(key, batch.placement!);
        pool = this.#pools.get(key);
      }
      if (isEnded || this.#isClosed) throw new ExecutorLostError("the workers were ended", { kind: "ended" });
      submission = pool.submit(batch);
      if (abortReason !== undefined) submission.abort(abortReason);
      submission.setWaiting(isWaiting);
      return submission.results;
    };
    return {
      results: start(),
      abort: (reason) => {
        abortReason ??= reason;
        submission?.abort(reason);
      },
      setWaiting: (waits) => {
        isWaiting = waits;
        submission?.setWaiting(waits);
      },
      end: () => {
        isEnded = true;
        submission?.end();
      },
    };
  }

  #open(key: string, placement: Placement): Promise<WorkerPool> {
    const known = this.#pools.get(key);
    if (known !== undefined) return Promise.resolve(known);
    let opening = this.#opening.get(key);
    if (opening === undefined) {
      opening = this.#options
        .open(placement)
        .then((open) => this.#addPool(key, open, 0))
        .finally(() => this.#opening.delete(key));
      this.#opening.set(key, opening);
    }
    return opening;
  }

  #addPool(key: string, open: OpenHost, eager: number): WorkerPool {
    this.#closeIdlePools();
    const pool = new WorkerPool({ open, slots: this.slots, eager, conduct: this.#conduct });
    pool.onMessage((message) => {
      for (const listener of this.#listeners) listener(message);
    });
    this.#pools.set(key, pool);
    if (this.#isCancelled) pool.cancel();
    return pool;
  }

  #closeIdlePools(): void {
    const idle = [...this.#pools].filter(([key, pool]) => key !== DEFAULT_KEY && pool.isIdle);
    for (const [key] of idle.slice(0, Math.max(0, idle.length + 1 - IDLE_POOLS_KEPT))) this.#closePool(key);
  }

  #closePool(key: string): void {
    const pool = this.#pools.get(key)!;
    this.#pools.delete(key);
    const closing: Promise<void> = pool.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  #keyOf(placement: Placement | undefined): string {
    if (placement === undefined) return DEFAULT_KEY;
    let key = this.#keys.get(placement);
    if (key === undefined) {
      key = keyOf(placement);
      this.#keys.set(placement, key);
    }
    return key;
  }
}

/** Equal for equal placements. Hashed, so that no secret is kept in yet another place. */
function keyOf({ isolate, memoryMb, environment = {}, secrets = {} }: Placement): string {
  const sorted = (variables: Readonly<Record<string, string>>) =>
    Object.entries(variables).sort(([a], [b]) => (a < b ? -1 : 1));
  const facts = [isolate, memoryMb ?? null, sorted(environment), sorted(secrets)];
  const isDefault = isolate === "thread" && facts.slice(2).every((list) => (list as []).length === 0);
  return isDefault ? DEFAULT_KEY : createHash("sha256").update(JSON.stringify(facts)).digest("hex");
}
