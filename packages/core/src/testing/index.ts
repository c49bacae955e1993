/**
 * `@millrace/core/testing`: one step, or a whole flow, in memory and in this thread. For tests of flows: no store, no
 * files, no workers; what a step would be refused in a run it is refused here.
 */
export { type FakeClock, fakeClock } from "./fake-clock.ts";
export type { FlowRun, FlowRunTask, RunFlowOptions } from "./flow-types.ts";
export { runFlow } from "./run-flow.ts";
export { runStep } from "./run-step.ts";
export type { RunStepOptions, StepMetrics, StepRun, Values } from "./step-types.ts";
export type { TaskLog } from "./task-log.ts";
