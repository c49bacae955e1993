import { FlowError } from "../errors/flow-error.ts";
import type { Flow } from "../flow/flow.ts";
import type { Run } from "../flow/public-types.ts";
import { describeStatus } from "../lineage/near-misses.ts";
import type { RunRow, TaskRow } from "../metadata/metadata-store.ts";
import type { ClientContext } from "./client.ts";
import { listTasks } from "./list-tasks.ts";
import { promiseRecord } from "./promise-record.ts";
import { nameHint } from "./run-handle.ts";
import { taskName } from "./task-name.ts";
import { isComplete } from "./task-status.ts";

/** One task of a run, with the artifacts that were visible when it ended. */
export class TaskHandle<T extends Flow = Flow> {
  readonly data: Run<T>["data"];
  readonly #context: ClientContext;
  readonly #run: RunRow;
  readonly #row: TaskRow;

  constructor(context: ClientContext, run: RunRow, row: TaskRow) {
    this.#context = context;
    this.#run = run;
    this.#row = row;
    this.data = promiseRecord((name) => this.#readArtifact(name));
  }

  /** `Train/17/evaluate/3`. */
  get id(): string {
    return taskName(this.#run, this.#row);
  }

  get path(): string {
    return this.#row.path;
  }

  get status(): TaskRow["status"] {
    return this.#row.status;
  }

  /** Which attempt this is, from 1; a task that was tried again is its newest attempt. */
  get attempt(): number {
    return this.#row.attempt;
  }

  /** The record itself. */
  get row(): TaskRow {
    return this.#row;
  }

  async #readArtifact(name: string): Promise<unknown> {
    const { metadata, reader } = this.#context;
    const isDone = isComplete(this.#row);
    const artifact = isDone ? await metadata.visibleArtifact(this.#row.sequence, name) : undefined;
    if (artifact !== undefined) return await reader.read(this.#run, this.id, artifact, this.#row.sequence);
    const values = await metadata.runValues(this.#run.sequence);
    const value = values.find((candidate) => candidate.name === name);
    if (value !== undefined) return await reader.read(this.#run, this.id, value);
    if (!isDone) {
      throw new FlowError("FLOW_CLIENT_NOT_FINISHED", {
        message: `Cannot read "${name}" of ${this.id}: the task ${describeStatus(this.#row.status)}`,
        context: { run: this.#run.id, task: this.id, artifact: name, status: this.#row.status },
      });
    }
    const names = [...(await metadata.visibleArtifacts(this.#row.sequence)), ...values].map((row) => row.name);
    throw new FlowError("FLOW_CLIENT_NO_ARTIFACT", {
      message: `Cannot read "${name}" of ${this.id}: the task left no artifact of this name`,
      hint: nameHint(name, names),
      context: { run: this.#run.id, task: this.id, artifact: name, names },
    });
  }
}

/**
 * The tasks of one step, in the order of their start, read page by page, each by its newest attempt. A step that the run did not reach (an arm that was
 * not chosen) has none.
 */
export class TaskList<T extends Flow = Flow> implements AsyncIterable<TaskHandle<T>> {
  readonly #context: ClientContext;
  readonly #run: RunRow;
  readonly #step: string;

  constructor(context: ClientContext, run: RunRow, step: string) {
    this.#context = context;
    this.#run = run;
    this.#step = step;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TaskHandle<T>> {
    for await (const row of listTasks(this.#context.metadata, this.#run, { step: this.#step, newest: true })) {
      yield new TaskHandle<T>(this.#context, this.#run, row);
    }
  }
}
