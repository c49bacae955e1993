/**
 * Which foreach is open at which step, which join closes what, and what is wrong with splits and joins.
 *
 * Two transitions into a step *co-occur* when both can be taken in one execution of the enclosing scope. For each step
 * and transition we compute the condition under which it is taken there, over the choose steps of that scope; two
 * transitions exclude each other when the AND of their conditions never holds. Then:
 *
 * - a join inside a foreach joins branches when two of its transitions co-occur, otherwise it closes the innermost foreach;
 * - a join at the top needs two transitions, which may exclude each other (the arms of a choice);
 * - any other step may have several transitions only if they exclude each other;
 * - all transitions into a step must come from the same scope.
 *
 * Every step but the last leads on, each foreach has one join and parallel branches can only meet in joins, so the last
 * step is reached exactly once whatever is chosen: that needs no check of its own.
 */
import type { Problem } from "../errors/flow-error.ts";
import type { FlowDefinition, StepDefinition } from "../flow/definition.ts";
import { ALWAYS, type Condition, Conditions, NEVER } from "./condition.ts";
import type { DeclaredEdge } from "./edges.ts";
import type { GraphEdge } from "./graph.ts";
import { listNames, problemAt } from "./problem-at.ts";

export interface Scopes {
  readonly problems: readonly Problem[];
  readonly edges: readonly GraphEdge[];
  readonly scope: ReadonlyMap<string, readonly string[]>;
  readonly closes: ReadonlyMap<string, string>;
}

/** A transition with the scope it arrives in and when it is taken there. */
interface Arrival {
  readonly edge: DeclaredEdge;
  readonly scope: readonly string[];
  readonly condition: Condition;
}

interface Pass {
  readonly problems: Problem[];
  readonly conditions: Conditions;
  readonly condition: Map<string, Condition>;
  readonly scope: Map<string, readonly string[]>;
  readonly closes: Map<string, string>;
}

/** Follows the flow from its start in topological order. Steps that are not reached are skipped. */
export function checkScopes(
  flow: FlowDefinition,
  edges: readonly DeclaredEdge[],
  order: readonly string[],
  start: string,
): Scopes {
  const steps = new Map(flow.steps.map((step) => [step.name, step]));
  const rank = new Map(order.map((name, index) => [name, index]));
  const pass: Pass = {
    problems: [],
    conditions: new Conditions(),
    condition: new Map(),
    scope: new Map(),
    closes: new Map(),
  };
  for (const name of order) {
    const step = steps.get(name)!;
    const arrivals = edges
      .filter((edge) => edge.to === name && pass.scope.has(edge.from))
      .map((edge) => arrive(pass, rank, edges, edge));
    if (arrivals.length === 0) {
      if (name === start) enter(pass, name, [], ALWAYS);
      if (name === start && step.isJoin) pass.problems.push(nothingToJoin(step));
      continue;
    }
    if (!agree(pass, step, arrivals)) {
      // Go on from the shallowest scope, so that one mistake does not look like many.
      const shallowest = arrivals.reduce((best, arrival) =>
        arrival.scope.length < best.scope.length ? arrival : best,
      );
      enter(pass, name, shallowest.scope, shallowest.condition);
    } else if (step.isJoin) {
      enterJoin(pass, step, arrivals);
    } else {
      enterStep(pass, step, arrivals);
    }
  }
  pass.problems.push(...notClosed(flow, edges, pass), ...closedTwice(flow, pass));
  const { problems, scope, closes } = pass;
  return {
    problems,
    scope,
    closes,
    edges: edges.map((edge) => ({ ...edge, closes: closes.has(edge.to), repeats: false, leaves: [] })),
  };
}

function enter(pass: Pass, name: string, scope: readonly string[], condition: Condition): void {
  pass.scope.set(name, scope);
  pass.condition.set(name, condition);
}

function arrive(
  pass: Pass,
  rank: ReadonlyMap<string, number>,
  edges: readonly DeclaredEdge[],
  edge: DeclaredEdge,
): Arrival {
  const scope = pass.scope.get(edge.from)!;
  const condition = pass.condition.get(edge.from)!;
  // Inside a foreach, conditions are about one item: there the first step is always taken.
  if (edge.kind === "foreach") return { edge, scope: [...scope, edge.from], condition: ALWAYS };
  if (edge.kind === "plain") return { edge, scope, condition };
  const targets = edges.filter((other) => other.from === edge.from).map((other) => other.to);
  const chosen = pass.conditions.chooses(rank.get(edge.from)!, targets.length, targets.indexOf(edge.to));
  return { edge, scope, condition: pass.conditions.and(condition, chosen) };
}

function agree(pass: Pass, step: StepDefinition, arrivals: readonly Arrival[]): boolean {
  const byForeach = arrivals.filter(({ edge }) => edge.kind === "foreach");
  const [first] = byForeach;
  if (first !== undefined && arrivals.length > 1) {
    const others = arrivals.filter((arrival) => arrival !== first).map(({ edge }) => edge.from);
    pass.problems.push(
      problemAt(
        step,
        "FLOW_GRAPH_FOREACH_TARGET_SHARED",
        `Step "${step.name}" is the target of the foreach of "${first.edge.from}", but ${listNames(others)} ${others.length === 1 ? "leads" : "lead"} to it as well`,
        "Give the other transition a step of its own",
      ),
    );
    return false;
  }
  const texts = new Set(arrivals.map(({ scope }) => scope.join("/")));
  if (texts.size === 1) return true;
  const places = arrivals.map(
    ({ edge, scope }) =>
      `"${edge.from}" ${scope.length === 0 ? "outside of any foreach" : `inside the foreach of ${listNames(scope)}`}`,
  );
  pass.problems.push(
    problemAt(
      step,
      "FLOW_GRAPH_MIXED_SCOPES",
      `${step.isJoin ? "Join" : "Step"} "${step.name}" is reached from different foreach depths: ${places.join(", ")}`,
      "Close each foreach with a @join of its own first",
    ),
  );
  return false;
}

function enterStep(pass: Pass, step: StepDefinition, arrivals: readonly Arrival[]): void {
  const pair = coOccurring(pass, arrivals);
  if (pair !== undefined) {
    const hint = step.kind === "choose" ? "Write join: true in its @choose" : "Make it a @join";
    pass.problems.push(
      problemAt(
        step,
        "FLOW_GRAPH_MISSING_JOIN",
        `${listNames(pair)} run in parallel and both lead to "${step.name}", which is no join`,
        hint,
      ),
    );
  }
  enter(pass, step.name, arrivals[0]!.scope, anyOf(pass, arrivals));
}

function enterJoin(pass: Pass, step: StepDefinition, arrivals: readonly Arrival[]): void {
  const { scope, edge } = arrivals[0]!;
  const innermost = scope.at(-1);
  if (edge.kind === "foreach") {
    pass.problems.push(
      problemAt(
        step,
        "FLOW_GRAPH_EMPTY_FOREACH",
        `The foreach of "${edge.from}" leads straight into join "${step.name}"`,
        "Put a step between that takes the item",
      ),
    );
  }
  const joinsBranches = coOccurring(pass, arrivals) !== undefined;
  if (innermost !== undefined && !joinsBranches) {
    pass.closes.set(step.name, innermost);
    // The foreach step is always reached before its join, and its join whenever it was.
    enter(pass, step.name, scope.slice(0, -1), pass.condition.get(innermost)!);
    return;
  }
  if (innermost === undefined && arrivals.length < 2) pass.problems.push(nothingToJoin(step));
  enter(pass, step.name, scope, anyOf(pass, arrivals));
}

function nothingToJoin(step: StepDefinition): Problem {
  return problemAt(
    step,
    "FLOW_GRAPH_NOTHING_TO_JOIN",
    `Join "${step.name}" has nothing to join: fewer than two steps lead to it, and no foreach is open`,
    "Make it a @step, or lead the other branches to it",
  );
}

/** The sources of two transitions that can both be taken, or undefined when all exclude each other. */
function coOccurring(pass: Pass, arrivals: readonly Arrival[]): readonly [string, string] | undefined {
  for (const [index, left] of arrivals.entries()) {
    for (const right of arrivals.slice(index + 1)) {
      if (!pass.conditions.areExclusive(left.condition, right.condition)) return [left.edge.from, right.edge.from];
    }
  }
  return undefined;
}

function anyOf(pass: Pass, arrivals: readonly Arrival[]): Condition {
  return arrivals.reduce<Condition>((sum, { condition }) => pass.conditions.or(sum, condition), NEVER);
}

function notClosed(flow: FlowDefinition, edges: readonly DeclaredEdge[], pass: Pass): readonly Problem[] {
  const last = flow.steps.filter((step) => !edges.some((edge) => edge.from === step.name));
  return last.flatMap((step) => {
    const open = pass.scope.get(step.name) ?? [];
    if (open.length === 0) return [];
    return [
      problemAt(
        step,
        "FLOW_GRAPH_FOREACH_NOT_CLOSED",
        `The flow ends in "${step.name}" inside the foreach of ${listNames(open)}`,
        `Add a @join between the items of "${open.at(-1)}" and "${step.name}"`,
      ),
    ];
  });
}

function closedTwice(flow: FlowDefinition, pass: Pass): readonly Problem[] {
  return flow.steps.flatMap((step) => {
    const joins = flow.steps.filter((join) => pass.closes.get(join.name) === step.name);
    if (joins.length < 2) return [];
    return [
      problemAt(
        joins[1],
        "FLOW_GRAPH_FOREACH_CLOSED_TWICE",
        `${listNames(joins.map((join) => join.name))} all close the foreach of "${step.name}"`,
        "Join the branches inside the foreach first, then its items in one join",
      ),
    ];
  });
}
