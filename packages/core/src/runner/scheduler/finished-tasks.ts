/** Tasks that ended in an earlier execution and need not run again: what a resumed run takes over. */
import type { TaskPath } from "../../ids/task-path.ts";
import type { TaskSequence } from "../../metadata/metadata-store.ts";
import type { TaskOutcome } from "./ready-task.ts";
import type { StepPlan } from "./step-plan.ts";
import { isSuccess, type SuccessState, type TaskState } from "./task-state.ts";

export interface FinishedTask extends TaskOutcome {
  readonly sequence: TaskSequence;
  readonly status: TaskState;
}

/**
 * What is known to be finished. A task is asked for when everything before it is done; it is taken over when it
 * succeeded, was caught or was skipped, and tells what it led to. Asking must cost O(1): there may be 100,000.
 */
export interface FinishedTasks {
  get(step: string, path: TaskPath): FinishedTask | undefined;
  /** How many it holds at least. */
  readonly count: number;
  /** How many items its foreach tasks have together, at least. */
  readonly fanOut: number;
}

/** Keeps account of what may still be taken over. */
export class Adoption {
  readonly #finished: FinishedTasks | undefined;
  #count: number;
  #fanOut: number;

  constructor(finished: FinishedTasks | undefined) {
    this.#finished = finished;
    this.#count = finished?.count ?? 0;
    this.#fanOut = finished?.fanOut ?? 0;
  }

  /** Whether all was taken over: then nothing needs to be asked for. */
  get isOver(): boolean {
    return this.#count <= 0;
  }

  /**
   * How many tasks can become ready by what may still be taken over, at most: each is the item of a foreach, or stands
   * behind an edge that a task which is taken over delivers.
   */
  ready(edgesPerStep: number): number {
    return this.isOver ? 0 : this.#count * edgesPerStep + this.#fanOut;
  }

  /**
   * The finished task of a step at a place, if there is one that says all that is needed to go on behind it.
   *
   * The path is enough to know that it is the same task: the item of a foreach cannot be another one. A child of a foreach
   * begins only after its split is recorded as done, with its items as pages that never change, and a split that is done is
   * taken over before its children are asked for. A split runs again only if it has no such record, so that nothing behind
   * it is finished, or in a fork, where the steps that run again are closed under "comes after" (plan-resume.ts) and the
   * store refuses to take over a child without the very split that it inherits from.
   */
  take(step: StepPlan, path: TaskPath): (FinishedTask & { readonly status: SuccessState }) | undefined {
    if (this.isOver) return undefined;
    const found = this.#finished!.get(step.name, path);
    if (found === undefined || !isSuccess(found.status)) return undefined;
    if (step.child !== undefined && found.fanOut === undefined) return undefined;
    if (step.cases !== undefined && (found.choice === undefined || !step.cases.has(found.choice))) return undefined;
    this.#count--;
    if (found.fanOut !== undefined) this.#fanOut -= found.fanOut;
    return found as FinishedTask & { readonly status: SuccessState };
  }
}
