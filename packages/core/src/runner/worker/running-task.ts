import type { CurrentTask } from "../../flow/current.ts";
import type { CallFlow } from "../../flow/flow-call.ts";
import type { BatchTask } from "../protocol.ts";
import { type CallLine, FlowCalls } from "./flow-calls.ts";
import type { MetricLog } from "./metric-log.ts";
import type { TaskNotes } from "./task-notes.ts";
import type { WorkerRun } from "./worker-run.ts";

/** What `current` tells of a task. */
export class RunningTask implements CurrentTask {
  readonly run: CurrentTask["run"];
  readonly step: string;
  readonly path: BatchTask["path"];
  readonly attempt: number;
  readonly recordRead: NonNullable<CurrentTask["recordRead"]>;
  readonly #notes: TaskNotes;
  readonly #line: CallLine | undefined;
  readonly #sequence: BatchTask["sequence"];
  #calls: FlowCalls | undefined;
  #isClosed = false;

  constructor({ facts }: WorkerRun, { step, path, attempt, sequence }: BatchTask, notes: TaskNotes, line?: CallLine) {
    this.run = facts;
    this.step = step;
    this.path = path;
    this.attempt = attempt;
    this.recordRead = notes.record;
    this.#notes = notes;
    this.#line = line;
    this.#sequence = sequence;
  }

  get log(): MetricLog {
    return this.#notes.log;
  }

  get callFlow(): CallFlow | undefined {
    const line = this.#line;
    if (line === undefined) return undefined;
    return (...call) => {
      this.#calls ??= new FlowCalls(line, this.#sequence);
      const made = this.#calls.call(...call);
      if (this.#isClosed) this.#calls.close();
      return made;
    };
  }

  /** The task is over: nobody is left who could wait for an answer. */
  close(): void {
    this.#isClosed = true;
    this.#calls?.close();
  }
}
