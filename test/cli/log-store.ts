/** A real store whose tasks, attempts and output a test writes through the records, as a runner would. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newRunId } from "../../packages/core/src/ids/run-id.ts";
import type { FinishedTask, LogChunk, RunRow, TaskSequence } from "../../packages/core/src/metadata/metadata-store.ts";
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

export class LogStore {
  readonly folder: string;
  readonly store: string;
  readonly stores: OpenStores;
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

  async run(flow = "Train"): Promise<RunRow> {
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
      upstreams: [],
      blobs: [],
      actor: "ana",
      host: "here",
    });
  }

  /** Begins an attempt of a task. */
  async begin(run: RunRow, step: string, path = "", attempt = 1): Promise<TaskSequence> {
    const sequence = await this.stores.metadata.reserveTasks(1);
    const task = { sequence, run: run.sequence, step, path, attempt, startedAt: this.now() };
    await this.stores.metadata.commitTick({ started: [task], blobs: [], finished: [], reads: [], logs: [] });
    return sequence;
  }

  /** One commit of output; each piece is a millisecond later than the one before. */
  async write(...chunks: readonly (Pick<LogChunk, "task" | "text"> & Partial<LogChunk>)[]): Promise<void> {
    const logs = chunks.map((chunk) => ({ attempt: 1, stream: "stdout" as const, at: this.now(), ...chunk }));
    await this.stores.metadata.commitTick({ started: [], blobs: [], finished: [], reads: [], logs });
  }

  async end(task: TaskSequence, status: FinishedTask["status"], message?: string): Promise<void> {
    const error = message === undefined ? {} : { error: { code: "FLOW_STEP_FAILED", name: "Error", message } };
    const finished = { sequence: task, status, finishedAt: this.now(), artifacts: [], pages: [], ...error };
    await this.stores.metadata.commitTick({ started: [], blobs: [], finished: [finished], reads: [], logs: [] });
  }

  async finish(run: RunRow, status: "succeeded" | "failed" | "cancelled", endTask?: TaskSequence): Promise<void> {
    const end = endTask === undefined ? {} : { endTask };
    await this.stores.metadata.finishRun({ run: run.sequence, status, finishedAt: this.now(), ...end });
  }

  now(): Date {
    return new Date(this.#at++);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stores.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
