/**
 * What the end of a task means for the steps behind it.
 *
 * Every edge of the graph is, in each scope instance, *delivered* (its source finished and took it) or *dead* (its source
 * was never reached, or chose another way), exactly once. From that alone follows what may run:
 *
 * - a plain step on its first delivered edge; a join when each of its edges is resolved and one was delivered; the join
 *   of a foreach when that holds for every child, and at once when there is no child;
 * - a step whose edges are all dead is dead itself and passes death on (dead-path elimination); a dead foreach never
 *   opens, so its join is dead; a loop that is never entered is dead, and so are all of its exits.
 *
 * Inside a loop all this holds for each round by itself. That a round takes no exit says nothing about the exit: only
 * when the loop is left is each exit resolved, once, in the scope around the loop: the one that was taken is delivered,
 * the others are dead. A choice that leads back begins the next round in a scope of its own.
 *
 * All that follows waits in one list, not on the call stack: 1,000 dead steps in a row, or 10,000 finished tasks that are
 * taken over, need no depth.
 */
import { FlowError } from "../../errors/flow-error.ts";
import type { TaskSequence } from "../../metadata/metadata-store.ts";
import type { TaskOutcome } from "./ready-task.ts";
import {
  type Arrival,
  type Closing,
  type Fan,
  type JoinInput,
  roundScope,
  type ScopeInstance,
} from "./scope-instance.ts";
import type { EdgePlan, LoopPlan, StepPlan } from "./step-plan.ts";

/** A step that may run in a scope. */
export interface Firing {
  readonly step: StepPlan;
  readonly scope: ScopeInstance;
  readonly inherits?: TaskSequence;
  readonly inputs?: readonly JoinInput[];
  readonly before?: TaskSequence;
}

/** Who is told what may run. It may call `finished` of the same propagation, for tasks that are taken over. */
export interface PropagationListener {
  fire(firing: Firing): void;
  /** A foreach opened: each of its children may run, at `child`. */
  open(fan: Fan, child: StepPlan): void;
}

type Pending =
  | {
      readonly kind: "finished";
      readonly step: StepPlan;
      readonly scope: ScopeInstance;
      readonly task: TaskSequence;
      readonly outcome: TaskOutcome;
    }
  /** An edge arrives in `scope`, which is where it leads, with all loops left; without a source it is dead. */
  | { readonly kind: "edge"; readonly plan: EdgePlan; readonly scope: ScopeInstance; readonly source?: TaskSequence };

export class Propagation {
  readonly #listener: PropagationListener;
  /** What follows next is last: the order is that of a depth-first walk. */
  readonly #pending: Pending[] = [];

  constructor(listener: PropagationListener) {
    this.#listener = listener;
  }

  /** A step is reached from outside of its loop, if it begins one. */
  enter(step: StepPlan, scope: ScopeInstance, source: Omit<Firing, "step" | "scope">): void {
    this.#listener.fire({ step, scope: step.loop === undefined ? scope : roundScope(scope, 0), ...source });
  }

  /** A task is done; what follows from it is worked out by `settle`. */
  finished(step: StepPlan, scope: ScopeInstance, task: TaskSequence, outcome: TaskOutcome): void {
    this.#pending.push({ kind: "finished", step, scope, task, outcome });
  }

  /** Works out all that follows from what has finished. */
  settle(): void {
    for (let next = this.#pending.pop(); next !== undefined; next = this.#pending.pop()) {
      if (next.kind === "edge") this.#arrive(next.plan, next.scope, next.source);
      else this.#leadOn(next.step, next.scope, next.task, next.outcome);
    }
  }

  #leadOn(step: StepPlan, scope: ScopeInstance, task: TaskSequence, outcome: TaskOutcome): void {
    if (step.isSplit) rememberSplit(step, scope, task);
    if (step.child !== undefined) {
      this.#openFan(step, step.child, scope, task, outcome.fanOut);
      return;
    }
    const chosen = step.cases === undefined ? undefined : edgeOf(step, outcome.choice);
    for (let position = step.outgoing.length - 1; position >= 0; position--) {
      const plan = step.outgoing[position]!;
      const isTaken = chosen === undefined || chosen === plan;
      if (plan.leaves.length > 0 || plan.edge.repeats) {
        if (isTaken) this.#leave(plan, scope, task);
      } else this.#pending.push({ kind: "edge", plan, scope, ...(isTaken ? { source: task } : {}) });
    }
  }

  #openFan(step: StepPlan, child: StepPlan, scope: ScopeInstance, split: TaskSequence, size: number | undefined): void {
    if (size === undefined)
      throw new FlowError("FLOW_INTERNAL", { message: `The foreach step "${step.name}" reported no fan-out` });
    if (size > 0) {
      this.#listener.open({ step: step.name, split, scope, size, closings: new Map() }, child);
      return;
    }
    this.#fireJoin(step.closing!, scope, [], split);
  }

  /** An edge is taken that leaves loops or begins the next round: the other exits of each loop that is left are dead. */
  #leave(plan: EdgePlan, from: ScopeInstance, source: TaskSequence): void {
    let scope = from;
    for (const loop of plan.leaves) {
      scope = scope.round!.outer;
      this.#killExits(loop, scope, plan);
    }
    if (plan.edge.repeats) {
      const { outer, number } = scope.round!;
      this.#listener.fire({ step: plan.target, scope: roundScope(outer, number + 1), inherits: source });
    } else this.#pending.push({ kind: "edge", plan, scope, source });
  }

  /** The exits of a loop are dead in the scope around it; those that would leave that scope too are left to its loop. */
  #killExits(loop: LoopPlan, scope: ScopeInstance, taken?: EdgePlan): void {
    for (let position = loop.exits.length - 1; position >= 0; position--) {
      const plan = loop.exits[position]!;
      if (plan !== taken && plan.leaves.at(-1) === loop && !plan.edge.repeats)
        this.#pending.push({ kind: "edge", plan, scope });
    }
  }

  #arrive(plan: EdgePlan, scope: ScopeInstance, source: TaskSequence | undefined): void {
    const { target, position } = plan;
    if (plan.edge.closes) {
      this.#arriveFromItem(plan, scope, source);
      return;
    }
    if (target.incoming === 1) {
      if (source === undefined) this.#die(target, scope);
      else this.enter(target, scope, { inherits: source });
      return;
    }
    const arrival = arrivalAt(target, scope);
    arrival.delivered[position] = source;
    arrival.resolved++;
    const isResolved = arrival.resolved === target.incoming;
    if (isResolved) scope.arrivals!.delete(target.name);
    if (!target.isJoin) {
      if (source !== undefined) this.enter(target, scope, { inherits: source });
      else if (isResolved && arrival.delivered.every((task) => task === undefined)) this.#die(target, scope);
      return;
    }
    if (!isResolved) return;
    const inputs = arrival.delivered.flatMap((task, index) =>
      task === undefined ? [] : [{ from: target.sources[index]!, task }],
    );
    if (inputs.length === 0) this.#die(target, scope);
    else
      this.#fireJoin(target, scope, inputs, target.split === undefined ? undefined : scope.splits?.get(target.split));
  }

  #arriveFromItem(plan: EdgePlan, scope: ScopeInstance, source: TaskSequence | undefined): void {
    const { target } = plan;
    const fan = scope.fan!;
    const closing = closingOf(target, fan);
    if (source !== undefined) closing.inputs[scope.index] = { from: plan.edge.from, task: source };
    if (--closing.pending > 0) return;
    fan.closings.delete(target.name);
    const inputs = closing.inputs.filter((input) => input !== undefined);
    if (inputs.length === 0) this.#die(target, fan.scope);
    else this.#fireJoin(target, fan.scope, inputs, fan.split);
  }

  #fireJoin(
    step: StepPlan,
    scope: ScopeInstance,
    inputs: readonly JoinInput[],
    before: TaskSequence | undefined,
  ): void {
    this.#listener.fire({ step, scope, inputs, ...(before === undefined ? {} : { before }) });
  }

  /** A step that will never run in this scope: its edges are dead, or those of the foreach or loop that it would begin. */
  #die(step: StepPlan, scope: ScopeInstance): void {
    let dead = step;
    while (dead.loop === undefined && dead.child !== undefined) dead = dead.closing!;
    if (dead.loop !== undefined) {
      this.#killExits(dead.loop, scope);
      return;
    }
    for (let position = dead.outgoing.length - 1; position >= 0; position--) {
      const plan = dead.outgoing[position]!;
      if (plan.leaves.length === 0 && !plan.edge.repeats) this.#pending.push({ kind: "edge", plan, scope });
    }
  }
}

/** The edge that a choice takes. */
export function edgeOf(step: StepPlan, choice: string | undefined): EdgePlan {
  const edge = choice === undefined ? undefined : step.cases?.get(choice);
  if (edge === undefined)
    throw new FlowError("FLOW_INTERNAL", {
      message: `The choose step "${step.name}" reported ${choice === undefined ? "no case" : `the unknown case "${choice}"`}`,
    });
  return edge;
}

/** Joins outside of a loop may have their split inside of it: then the one of the last round is meant. */
function rememberSplit(step: StepPlan, scope: ScopeInstance, task: TaskSequence): void {
  for (let place: ScopeInstance | undefined = scope; place !== undefined; place = place.round?.outer) {
    place.splits ??= new Map();
    place.splits.set(step.name, task);
  }
}

function arrivalAt(step: StepPlan, scope: ScopeInstance): Arrival {
  scope.arrivals ??= new Map();
  let arrival = scope.arrivals.get(step.name);
  if (arrival === undefined) {
    arrival = { delivered: new Array(step.incoming).fill(undefined), resolved: 0 };
    scope.arrivals.set(step.name, arrival);
  }
  return arrival;
}

function closingOf(join: StepPlan, fan: Fan): Closing {
  let closing = fan.closings.get(join.name);
  if (closing === undefined) {
    closing = { inputs: new Array(fan.size).fill(undefined), pending: fan.size * join.incoming };
    fan.closings.set(join.name, closing);
  }
  return closing;
}
