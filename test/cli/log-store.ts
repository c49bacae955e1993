/** A real store whose tasks, attempts and output a test writes through the records, as a runner would. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readProcessIdentity } from "../../packages/core/src/config/process-identity.ts";
import type { RunnerIdentity } from "../../packages/core/src/events/run-record.ts";
import { newRunId } from "../../packages/core/src/ids/run-id.ts";
import type {
  FinishedTask,
  LogChunk,
  NewRun,
  RunRow,
  RunSequence,
  TaskSequence,
  Tick,
} from "../../packages/core/src/metadata/metadata-store.ts";
import { type OpenStores, openStores } from "../../packages/core/src/wiring/open-stores.ts";

const ENVIRONMENT = {
  millrace: "0.1.0",
  node: "v24",
  os: "linux",
  arch: "x64",
  host: "here",
  actor: "ana",
  cwd: "/",
  command: [],
};

/** A piece of output; of stdout and of the first attempt, unless it says otherwise. */
export type Piece = Pick<LogChunk, "task" | "text"> & Partial<LogChunk>;

/** The error of a step that threw. */
export const noLuck = { code: "FLOW_STEP_FAILED", name: "Error", message: "no luck" } as const;

export class LogStore {
  readonly folder: string;
  readonly store: string;
  readonly stores: OpenStores;
  readonly #runOf = new Map<TaskSequence, RunSequence>();
  #at = Date.UTC(2026, 4, 4, 12, 0, 0, 0);

  private constructor(folder: string, stores: OpenStores) {
    this.folder = folder;
    this.store = join(folder, ".millrace");
    this.stores = stores;
  }

  static async create(): Promise<LogStore> {
    const folder = mkdtempSync(join(tmpdir(), "millrace-logs-"));
    const options = { store: join(folder, ".millrace"), cwd: folder, environment: {}, create: true };
    return new LogStore(folder, await openStores(options));
  }

  /** A run that this process executes, unless another runner is named. */
  async run(
    flow = "Train",
    runner: RunnerIdentity = readProcessIdentity(),
    more: Pick<NewRun, "origin" | "takeOver"> = {},
  ): Promise<RunRow> {
    return await this.stores.metadata.createRun({
      id: newRunId(),
      flow: { project: "shop", name: flow },
      formerly: [],
      createdAt: this.now(),
      tags: [],
      systemTags: [],
      parameters: {},
      secretParameters: [],
      values: [],
      environment: ENVIRONMENT,
      execution: { runner, command: [] },
      upstreams: [],
      blobs: [],
      actor: "ana",
      host: "here",
      ...more,
    });
  }

  /** A run that begins with what another one has finished. */
  async fork(run: RunRow): Promise<RunRow> {
    const more = { origin: { run: run.id }, takeOver: { from: run.sequence, exceptSteps: [] } };
    return await this.run(run.flow.name, readProcessIdentity(), more);
  }

  /** Begins an attempt of a task. */
  async begin(run: RunRow, step: string, path = "", attempt = 1): Promise<TaskSequence> {
    const sequence = await this.stores.metadata.reserveTasks(1);
    const task = { sequence, run: run.sequence, step, path, attempt, startedAt: this.now() };
    this.#runOf.set(sequence, run.sequence);
    await this.#commit(run.sequence, { started: [task] });
    return sequence;
  }

  /** One commit of output; each piece is a millisecond later than the one before. */
  async write(...chunks: readonly Piece[]): Promise<void> {
    for (const [run, pieces] of Map.groupBy(chunks, ({ task }) => this.#runOf.get(task)!)) {
      const logs = pieces.map((piece) => ({ attempt: 1, stream: "stdout" as const, at: this.now(), ...piece }));
      await this.#commit(run, { logs });
    }
  }

  async end(task: TaskSequence, status: FinishedTask["status"], more: Partial<FinishedTask> = {}): Promise<void> {
    const finished = { sequence: task, status, finishedAt: this.now(), artifacts: [], pages: [], ...more };
    await this.#commit(this.#runOf.get(task)!, { finished: [finished] });
  }

  async finish(run: RunRow, status: "succeeded" | "failed" | "cancelled", endTask?: TaskSequence): Promise<void> {
    const end = endTask === undefined ? {} : { endTask };
    await this.stores.metadata.finishRun({
      run: run.sequence,
      execution: 1,
      status,
      finishedAt: this.now(),
      ...end,
    });
  }

  async #commit(run: RunSequence, tick: Partial<Tick>): Promise<void> {
    const empty = { started: [], blobs: [], finished: [], reads: [], logs: [] };
    await this.stores.metadata.commitTick({ run, execution: 1, ...empty, ...tick });
  }

  now(): Date {
    return new Date(this.#at++);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stores.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
