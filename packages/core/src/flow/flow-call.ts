/**
 * How `run()` inside a step reaches whoever runs the task: the step's own runner runs the flow that is asked for, so that
 * one count of slots and one store hold for both. Types only: the runner gives the function with each task.
 */
import type { RunEvent } from "../events/run-event.ts";
import type { Flow } from "./flow.ts";
import type { FlowClass, RunOptions } from "./public-types.ts";

/** Asks for a run of a flow. What it is given is taken as it is at this moment. */
export type CallFlow = (flow: FlowClass | URL | string, options: RunOptions<Flow>) => FlowCall;

/** A run that a step has asked for. */
export interface FlowCall {
  /** The id of the run once it has ended, however it ended; rejects when it could not begin. */
  readonly ended: Promise<string>;
  /** Gives the run that has ended, or throws what it failed with; left out where it is in the store of the process. */
  readonly read?: (run: string, stop: AbortSignal) => Promise<unknown>;
  /**
   * Tells one listener the beginning and the end of the run, what happened before it was there, and all that happens in
   * between once it is watched.
   */
  onEvent(listener: (event: RunEvent) => void): void;
  /** From now on the task only waits for it. */
  await(): void;
  /** From now on somebody looks at all events. */
  watch(): void;
  /** Asks the run to stop. */
  abort(reason: string): void;
  /** Ends its tasks where they are. */
  end(): void;
}
