/**
 * Workers of one flow file, without a driver: batches are handed to a real executor by the test, and what comes back is
 * looked at. The code package, the store and the built entry files of workers are the real ones.
 */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { openStores } from "@millrace/core/internal";
import { newRunId } from "../../packages/core/src/ids/run-id.ts";
import type { TaskPath } from "../../packages/core/src/ids/task-path.ts";
import type { LogChunk, RunSequence, TaskSequence } from "../../packages/core/src/metadata/metadata-store.ts";
import { preparePackage } from "../../packages/core/src/package/prepare-package.ts";
import { ArrayMemory } from "../../packages/core/src/runner/array-memory.ts";
import type { Executor, Submission } from "../../packages/core/src/runner/executor.ts";
import { openPoolRouter } from "../../packages/core/src/runner/pool-router.ts";
import { processHosts } from "../../packages/core/src/runner/process-executor.ts";
import type { Batch, HeardMessage, Placement, TaskResult } from "../../packages/core/src/runner/protocol.ts";
import { threadHosts } from "../../packages/core/src/runner/thread-executor.ts";
import type { Project } from "./project.ts";

export interface WorkersOptions {
  readonly slots?: number;
  readonly heapMb?: number;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

export interface BatchOptions {
  readonly placement?: Placement;
  readonly isWatched?: boolean;
  /** Tasks in the batch; default 1. */
  readonly count?: number;
  readonly secrets?: Readonly<Record<string, unknown>>;
}

export class Workers {
  readonly executor: Executor;
  readonly messages: HeardMessage[] = [];
  /** What was written outside of any task of a process. */
  readonly stray: string[];
  readonly #id = newRunId();
  readonly #waiting = new Set<() => void>();
  #next = 1;

  private constructor(executor: Executor, stray: string[]) {
    this.executor = executor;
    this.stray = stray;
    executor.onMessage((message) => {
      this.messages.push(message);
      for (const look of this.#waiting) look();
    });
  }

  static async open(project: Project, file: string, options: WorkersOptions = {}): Promise<Workers> {
    const stores = await openStores({ store: project.store, cwd: project.folder, environment: {}, create: true });
    const location = stores.locate();
    await stores.close();
    const pack = await preparePackage(project.file(file));
    const { folder, root, manifest } = pack;
    const data = {
      package: { folder, root, manifest },
      exportName: pack.flows[0]!.exportName,
      store: location,
      cwd: project.folder,
    };
    const stray: string[] = [];
    const environment = options.environment ?? process.env;
    const executor = await openPoolRouter({
      slots: options.slots ?? 1,
      open: async (placement) =>
        placement?.isolate === "process"
          ? processHosts(
              { file: built("worker-process.js"), data, environment, strayOutput: (text) => stray.push(text) },
              placement,
            )
          : threadHosts(
              {
                file: built("worker.cjs"),
                arrays: new ArrayMemory(0),
                data,
                environment,
                ...(options.heapMb && { heapMb: options.heapMb }),
              },
              placement,
            ),
    });
    return new Workers(executor, stray);
  }

  /** A batch of tasks of a step that has neither inputs nor items. */
  batch(step: string, { placement, isWatched, count = 1, secrets = {} }: BatchOptions = {}): Batch {
    const tasks = Array.from({ length: count }, () => ({
      sequence: this.#next++ as TaskSequence,
      step,
      path: "" as TaskPath,
      attempt: 1,
    }));
    return {
      run: {
        id: this.#id,
        sequence: 1 as RunSequence,
        name: "Test/1",
        flow: "Test",
        project: "test",
        tags: [],
        createdAt: new Date(0),
        secrets,
      },
      step: { name: step, isJoin: false, sources: [] },
      tasks,
      ...(placement === undefined ? {} : { placement }),
      ...(isWatched === undefined ? {} : { isWatched }),
    };
  }

  start(step: string, options: BatchOptions = {}): Submission & { readonly begun: () => Promise<void> } {
    const batch = this.batch(step, options);
    const submission = this.executor.submit(batch);
    submission.results.catch(() => {}); // The test looks at it later.
    const { sequence } = batch.tasks[0]!;
    return {
      ...submission,
      begun: () => this.heard((message) => message.kind === "began" && message.sequence === sequence),
    };
  }

  /** Runs one task and gives its result. */
  async run(step: string, options: BatchOptions = {}): Promise<TaskResult> {
    return (await this.start(step, options).results)[0]!;
  }

  /** Runs tasks in one batch, and those that it gives back in further ones; gives all results. */
  async runAll(step: string, count: number, options: Omit<BatchOptions, "count"> = {}): Promise<readonly TaskResult[]> {
    const results: TaskResult[] = [];
    while (results.length < count)
      results.push(...(await this.start(step, { ...options, count: count - results.length }).results));
    return results;
  }

  /** Resolves as soon as a message is there that fits. */
  heard(fits: (message: HeardMessage) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!this.messages.some(fits)) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** All that was written so far to a stream, live and with results. */
  written(stream: LogChunk["stream"], ...results: readonly TaskResult[]): string {
    const live = this.messages.flatMap((message) => (message.kind === "output" ? [message.chunk] : []));
    return [...live, ...results.flatMap((result) => result.logs)]
      .filter((chunk) => chunk.stream === stream)
      .map((chunk) => chunk.text)
      .join("");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.executor.close();
  }
}

/** The text that a task left in a field: texts are stored as they are. */
export function textValue(result: TaskResult, field = "value"): string | undefined {
  if (result.outcome.kind !== "succeeded") return undefined;
  const row = result.outcome.artifacts.find((artifact) => artifact.name === field);
  const blob = result.blobs.find(({ digest }) => digest === row?.digest);
  return blob?.stored === undefined ? undefined : Buffer.from(blob.stored).toString();
}

function built(entry: string): string {
  return path.join(fileURLToPath(new URL("../../packages/core/dist/", import.meta.url)), entry);
}
