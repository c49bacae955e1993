import type { TaskPath } from "../../ids/task-path.ts";
import type { TaskSequence } from "../../metadata/metadata-store.ts";
import type { JoinInput } from "./scope-instance.ts";

/** A task that may run now. */
export interface ReadyTask {
  readonly sequence: TaskSequence;
  readonly step: string;
  readonly path: TaskPath;
  /** From 1; a retry has the next one, and a number of its own. */
  readonly attempt: number;
  /** Whose visible artifacts it starts with; absent for the start step and for joins. */
  readonly inherits?: TaskSequence;
  /** For the target of a foreach, in each round of a loop that begins there: the split task that holds its item. */
  readonly item?: { readonly split: TaskSequence; readonly index: number };
  /** For a join: its inputs in declared or item order. */
  readonly inputs?: readonly JoinInput[];
  /** For a join: the task that split what it joins. */
  readonly before?: TaskSequence;
}

/** What a task reports when it succeeded. */
export interface TaskOutcome {
  /** Number of items, for a foreach step. */
  readonly fanOut?: number;
  /** Value of `on`, for a choose step. */
  readonly choice?: string;
  /** Of a task of an earlier run that stands for this one. */
  readonly takenFrom?: unknown;
}
