/** What is done with every shape: how a run is asked for, and how its tasks must go. */
import type { Conduct } from "./model.ts";

export interface Behaviour {
  readonly name: string;
  /** What the steps do; by default they work as they should. */
  readonly mode?: string;
  readonly with?: readonly string[];
  readonly tags?: readonly string[];
  readonly maxWorkers?: number;
  readonly finishSiblings?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  /** Whether one plain task is chosen, with which something special happens. */
  readonly hasTarget?: boolean;
  readonly merges?: boolean;
  /** What the test does while the target is held. */
  readonly held?: "cancel" | "release";
  /** Whether the run is resumed after its first end; `status` and `conduct` are about both executions. */
  readonly isResumed?: true;
  /** How the run ends; default succeeded. */
  readonly status?: "failed" | "cancelled";
  /** Whether tasks beside the failure may be cancelled, or may not have begun. */
  readonly hasCollateral?: boolean;
  /** How a task goes, if not well at once. */
  readonly conduct?: (task: { readonly isTarget: boolean; readonly isPlain: boolean }) => Conduct | undefined;
  readonly isInProcess?: true;
}

const RETRY = "retry:times=1,delay=1ms";
const CATCH = "catch=failure";
const FAILED = "FLOW_STEP_FAILED";
const ENDED = "FLOW_RUNNER_WORKER_ENDED";

const atTarget =
  (conduct: Conduct): NonNullable<Behaviour["conduct"]> =>
  ({ isTarget }) =>
    isTarget ? conduct : undefined;

const everywhere =
  (conduct: Conduct): NonNullable<Behaviour["conduct"]> =>
  () =>
    conduct;

export const BEHAVIOURS: readonly Behaviour[] = [
  { name: "plain" },
  {
    name: "retry of every first attempt",
    mode: "fail-first",
    with: [RETRY],
    conduct: everywhere({ attempts: ["failed", "succeeded"], code: FAILED }),
  },
  {
    name: "retry that is exhausted",
    mode: "fail",
    hasTarget: true,
    with: ["retry:times=2,delay=1ms,factor=1"],
    finishSiblings: true,
    status: "failed",
    conduct: atTarget({ attempts: ["failed", "failed", "failed"], code: FAILED }),
  },
  {
    name: "catch of one task",
    mode: "fail",
    hasTarget: true,
    with: [CATCH],
    conduct: atTarget({ attempts: ["caught"], code: FAILED }),
  },
  {
    name: "catch of every plain task",
    mode: "fail-plain",
    with: [CATCH],
    conduct: ({ isPlain }) => (isPlain ? { attempts: ["caught"], code: FAILED } : undefined),
  },
  {
    name: "catch after retry",
    mode: "fail",
    hasTarget: true,
    with: [CATCH, RETRY],
    conduct: atTarget({ attempts: ["failed", "caught"], code: FAILED }),
  },
  {
    name: "catch of a task that ends its worker",
    mode: "exit",
    hasTarget: true,
    with: [CATCH],
    conduct: atTarget({ attempts: ["caught"], code: ENDED }),
  },
  {
    name: "a task that ends its worker",
    mode: "exit",
    hasTarget: true,
    finishSiblings: true,
    status: "failed",
    conduct: atTarget({ attempts: ["failed"], code: ENDED }),
  },
  {
    name: "retry of a task that ended its worker",
    mode: "exit-first",
    hasTarget: true,
    with: [RETRY],
    conduct: atTarget({ attempts: ["failed", "succeeded"], code: ENDED }),
  },
  {
    name: "a task that never settles, caught",
    mode: "hang",
    hasTarget: true,
    with: [CATCH],
    conduct: atTarget({ attempts: ["caught"], code: "FLOW_RUNNER_NEVER_SETTLES" }),
  },
  {
    name: "timeout of an endless loop, then retry",
    mode: "loop-first",
    hasTarget: true,
    with: ["timeout=3s", RETRY],
    conduct: atTarget({ attempts: ["failed", "succeeded"], code: "FLOW_RUNNER_TIMEOUT" }),
  },
  { name: "timeout that is not needed", with: ["timeout=1h"] },
  {
    name: "finish siblings",
    mode: "fail",
    hasTarget: true,
    finishSiblings: true,
    status: "failed",
    conduct: atTarget({ attempts: ["failed"], code: FAILED }),
  },
  {
    name: "fail fast",
    mode: "fail",
    hasTarget: true,
    status: "failed",
    hasCollateral: true,
    conduct: atTarget({ attempts: ["failed"], code: FAILED }),
  },
  {
    name: "cancelled in the middle",
    mode: "hold",
    hasTarget: true,
    held: "cancel",
    status: "cancelled",
    hasCollateral: true,
    conduct: atTarget({ attempts: ["cancelled"] }),
  },
  {
    name: "failed, mended and resumed",
    mode: "mend",
    hasTarget: true,
    finishSiblings: true,
    isResumed: true,
    conduct: atTarget({ attempts: ["failed", "succeeded"], code: FAILED }),
  },
  {
    name: "failed fast, mended and resumed",
    mode: "mend",
    hasTarget: true,
    isResumed: true,
    hasCollateral: true,
    conduct: atTarget({ attempts: ["failed", "succeeded"], code: FAILED }),
  },
  {
    name: "cancelled and resumed",
    mode: "hold",
    hasTarget: true,
    held: "cancel",
    isResumed: true,
    hasCollateral: true,
    conduct: atTarget({ attempts: ["cancelled", "succeeded"] }),
  },
  { name: "held and released", mode: "hold", hasTarget: true, held: "release" },
  {
    name: "skipped by a decorator",
    mode: "skip",
    hasTarget: true,
    conduct: atTarget({ attempts: ["skipped"], writes: "nothing" }),
  },
  {
    name: "replaced by a decorator",
    mode: "replace",
    hasTarget: true,
    conduct: atTarget({ attempts: ["succeeded"], writes: "replaced" }),
  },
  {
    name: "a decorator around every step",
    mode: "around",
    conduct: everywhere({ attempts: ["succeeded"], adds: ["after"] }),
  },
  {
    name: "environment of the steps",
    mode: "environment",
    with: ["environment:GREETING=hello"],
    conduct: everywhere({ attempts: ["succeeded"], adds: ["hello"] }),
  },
  {
    name: "isolated with a limit of memory",
    with: ["isolate=process", "resources:memory=1GB,cpu=1"],
    isInProcess: true,
  },
  { name: "one task of a step at a time", mode: "one-of-step", with: ["maxParallel=1"] },
  { name: "one worker", mode: "one", maxWorkers: 1 },
  { name: "many workers", maxWorkers: 5 },
  { name: "declared order", environment: { MILLRACE_SHUFFLE: "" } },
  { name: "tags", tags: ["matrix:yes", "nightly"] },
  {
    name: "logs of every attempt",
    mode: "logs",
    with: [RETRY],
    conduct: everywhere({ attempts: ["failed", "succeeded"], code: FAILED }),
  },
  { name: "merged artifacts", mode: "merge", merges: true },
  {
    name: "random numbers that retries repeat",
    mode: "random",
    with: [RETRY],
    conduct: everywhere({ attempts: ["failed", "succeeded"], code: FAILED }),
  },
];
