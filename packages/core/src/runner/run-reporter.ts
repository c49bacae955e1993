/** Tells those who watch a run what happens to its tasks, by the names that people know them by. */
import type { Problem, SerializedError } from "../errors/flow-error.ts";
import type { RunEvent } from "../events/run-event.ts";
import type { LogChunk } from "../metadata/metadata-store.ts";
import type { TaskResult } from "./protocol.ts";
import type { ReadyTask } from "./scheduler/scheduler.ts";

/** Where a task stands, as events say it. */
interface TaskName {
  readonly task: string;
  readonly step: string;
  readonly path: string;
  readonly attempt: number;
}

/** The fields of an event beside its time and its task. */
type Facts<Kind extends RunEvent["kind"]> = Omit<
  Extract<RunEvent, { readonly kind: Kind }>,
  keyof TaskName | "kind" | "at"
>;

export class RunReporter {
  readonly #run: string;
  readonly #emit: (event: RunEvent) => void;
  readonly #toldUncached = new Set<string>();

  /** @param run name of the run: `Train/17` */
  constructor(run: string, emit: (event: RunEvent) => void) {
    this.#run = run;
    this.#emit = emit;
  }

  /** `Train/17/fold/1.2` */
  nameOf(task: ReadyTask): string {
    return task.path === "" ? `${this.#run}/${task.step}` : `${this.#run}/${task.step}/${task.path}`;
  }

  started(task: ReadyTask, at: Date): void {
    this.#emit({ kind: "task.started", at, ...this.#where(task) });
  }

  output(task: ReadyTask, { at, stream, text }: LogChunk): void {
    this.#emit({ kind: "task.output", at, ...this.#where(task), stream, text });
  }

  /** A task ended so that others can build on it. */
  finished(
    task: ReadyTask,
    { outcome, durationMs }: TaskResult,
    caught: Pick<Facts<"task.caught">, "field" | "error"> | undefined,
    at: Date,
  ): void {
    const where = { at, ...this.#where(task), durationMs };
    if (outcome.kind === "skipped") this.#emit({ kind: "task.skipped", ...where, reason: outcome.reason });
    else if (caught !== undefined) this.#emit({ kind: "task.caught", ...where, ...caught });
    else if (outcome.kind === "succeeded") {
      const fanOut = outcome.fanOut === undefined ? {} : { fanOut: outcome.fanOut };
      const choice = outcome.choice === undefined ? {} : { choice: outcome.choice };
      const takenFrom = outcome.takenFrom === undefined ? {} : { takenFrom: outcome.takenFrom.name };
      this.#emit({ kind: "task.succeeded", ...where, ...fanOut, ...choice, ...takenFrom });
      if (outcome.uncached !== undefined) this.#uncached(task.step, outcome.uncached, at);
    }
  }

  /** Told once for each step: the reason is mostly the same for all of its tasks. */
  #uncached(step: string, why: string, at: Date): void {
    if (this.#toldUncached.has(step)) return;
    this.#toldUncached.add(step);
    const message = `The step cache cannot keep what step "${step}" did: ${why}`;
    const hint = "Move that into another step, or take `cache` from this one";
    this.warning({ code: "FLOW_RUNNER_NOT_CACHED", message, hint }, at);
  }

  retrying(task: ReadyTask, facts: Facts<"task.retrying">, at: Date): void {
    this.#emit({ kind: "task.retrying", at, ...this.#where(task), ...facts });
  }

  failed(task: ReadyTask, error: SerializedError, durationMs: number, at: Date): void {
    this.#emit({ kind: "task.failed", at, ...this.#where(task), durationMs, error });
  }

  cancelled(task: ReadyTask, reason: string, at: Date): void {
    this.#emit({ kind: "task.cancelled", at, ...this.#where(task), reason });
  }

  /** A task has started a run, or was given one. */
  child(task: ReadyTask, facts: Facts<"run.child">, at: Date): void {
    this.#emit({ kind: "run.child", at, ...this.#where(task), ...facts });
  }

  childFinished(task: ReadyTask, facts: Facts<"run.child.finished">, at: Date): void {
    this.#emit({ kind: "run.child.finished", at, ...this.#where(task), ...facts });
  }

  progress(steps: Facts<"run.progress">["steps"], at: Date): void {
    this.#emit({ kind: "run.progress", at, steps });
  }

  warning({ code, message, hint }: Pick<Problem, "message" | "hint"> & { readonly code: string }, at: Date): void {
    this.#emit({ kind: "run.warning", at, code, message, ...(hint === undefined ? {} : { hint }) });
  }

  #where(task: ReadyTask): TaskName {
    return { task: this.nameOf(task), step: task.step, path: task.path, attempt: task.attempt };
  }
}
