import type { Client } from "../client/client.ts";
import type { Flow } from "../flow/flow.ts";
import type { FlowClass, Query, Run, Runs, TagHolding, TagMoved } from "../flow/public-types.ts";

/**
 * The runs of a flow in the store of this folder, newest first.
 *
 * @param flow the class, or its name (`"Train"`, `"shop/Train"`) where the class cannot be loaded:
 *   `runs<Train>("Train")` with `import type`
 * @throws FlowError (when something is read) FLOW_CLIENT_NO_STORE, FLOW_LINEAGE_NO_RUN and others
 * @example
 * ```ts
 * const run = await runs(Train).latest({ tags: ["prod:v1"] });
 * const modeler = await run.data.modeler;
 * ```
 */
export function runs<T extends Flow>(flow: FlowClass<T> | string): Runs<T> {
  return new StoredRuns<T>(openClient, flow, []);
}

/** Stores and their libraries are loaded when something is read: importing core stays cheap for flows that never ask. */
async function openClient(): Promise<Client> {
  const { clientOf, openDefaultStores } = await import("./default-store.ts");
  return clientOf(await openDefaultStores(false));
}

/** Opens the store when something is read, not before: `runs(Train)` itself is plain and cannot fail. */
class StoredRuns<T extends Flow> implements Runs<T> {
  readonly #open: () => Promise<Client>;
  readonly #flow: FlowClass<T> | string;
  readonly #queries: readonly Query<T>[];

  constructor(open: () => Promise<Client>, flow: FlowClass<T> | string, queries: readonly Query<T>[]) {
    this.#open = open;
    this.#flow = flow;
    this.#queries = queries;
  }

  where(query: Query<T>): Runs<T> {
    return new StoredRuns<T>(this.#open, this.#flow, [...this.#queries, query]);
  }

  async latest(query: Query<T> = {}): Promise<Run<T>> {
    return await (await this.#runs()).latest(query);
  }

  async get(run: number | string): Promise<Run<T>> {
    return await (await this.#runs()).get(run);
  }

  async rollback(tag: string, options: Parameters<Runs<T>["rollback"]>[1] = {}): Promise<Run<T>> {
    return await (await this.#runs()).rollback(tag, options);
  }

  async tagHistory(tag: string, options: { readonly at?: Date } = {}): Promise<readonly TagHolding[]> {
    return await (await this.#runs()).tagHistory(tag, options);
  }

  async *tagMoves(options: Parameters<Runs<T>["tagMoves"]>[0] = {}): AsyncGenerator<TagMoved> {
    yield* (await this.#runs()).tagMoves(options);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Run<T>> {
    yield* await this.#runs();
  }

  async #runs(): Promise<Runs<T>> {
    let list = (await this.#open()).runs<T>(this.#flow);
    for (const query of this.#queries) list = list.where(query);
    return list;
  }
}
