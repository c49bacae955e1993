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
 * A loop's body is a scope of its own: there, conditions are about one round, its first step is always taken, and a join
 * cannot close what was opened outside. Seen from around it, a loop is one choice among its exits, made by the last
 * round: that is right because one round takes exactly one of its exits and of the transitions that repeat it, which
 * `check-loops.ts` sees to.
 *
 * Every step but the last leads on, each foreach has one join and parallel branches can only meet in joins, so the last
 * step is reached exactly once whatever is chosen: that needs no check of its own.
 */
import type { Problem } from "../errors/flow-error.ts";
import type { FlowDefinition, StepDefinition } from "../flow/definition.ts";
import { brokenLoops } from "./check-loops.ts";
import { ALWAYS, type Condition, Conditions, NEVER } from "./condition.ts";
import type { DeclaredEdge, EdgeIndex } from "./edges.ts";
import type { GraphEdge } from "./graph.ts";
import { listNames, problemAt } from "./problem-at.ts";
import { loopsLeft, type Outline, type Pass, whenLeft, whenTaken } from "./scope-pass.ts";

export interface Scopes {
  readonly problems: readonly Problem[];
  readonly edges: readonly GraphEdge[];
  readonly scope: ReadonlyMap<string, readonly string[]>;
  readonly closes: ReadonlyMap<string, string>;
  /** Headers of the loops that a step is in, outermost first. */
  readonly loopsOf: ReadonlyMap<string, readonly string[]>;
}

/** A transition with the scope it arrives in and when it is taken there. */
interface Arrival {
  readonly edge: DeclaredEdge;
  readonly scope: readonly string[];
  readonly condition: Condition;
}

/** Follows the flow from its start in topological order. Steps that are not reached are skipped. */
export function checkScopes(outline: Outline): Scopes {
  const { flow, edges, index, order } = outline;
  const steps = new Map(flow.steps.map((step) => [step.name, step]));
  const loopsOf = new Map(order.map((name): [string, string[]] => [name, []]));
  for (const { header, body } of outline.loops) for (const name of body) loopsOf.get(name)!.push(header);
  const pass: Pass = {
    problems: [],
    conditions: new Conditions(),
    condition: new Map(),
    entry: new Map(),
    scope: new Map(),
    closes: new Map(),
    rank: new Map(order.map((name, place) => [name, place])),
    loops: new Map(outline.loops.map((loop) => [loop.header, loop])),
    loopsOf,
  };
  const repeats = new Set(outline.loops.flatMap((loop) => loop.repeats));
  for (const name of order) {
    const step = steps.get(name)!;
    const arrivals = index
      .into(name)
      .filter((at) => !repeats.has(at) && pass.scope.has(edges[at]!.from))
      .map((at) => arrive(pass, outline, at));
    if (arrivals.length === 0) {
      if (name === outline.start) enter(pass, name, [], ALWAYS);
      if (name === outline.start && step.isJoin) pass.problems.push(nothingToJoin(step));
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
  pass.problems.push(...brokenLoops(outline, pass), ...notClosed(flow, index, pass), ...closedTwice(flow, pass));
  const { problems, scope, closes } = pass;
  const whole = edges.map((edge, at): GraphEdge => {
    const isRepeat = repeats.has(at);
    return {
      ...edge,
      closes: !isRepeat && closes.has(edge.to),
      repeats: isRepeat,
      leaves: loopsLeft(pass, edge),
    };
  });
  return { problems, scope, closes, edges: whole, loopsOf };
}

function enter(pass: Pass, name: string, scope: readonly string[], condition: Condition): void {
  pass.scope.set(name, scope);
  pass.condition.set(name, pass.loops.has(name) ? ALWAYS : condition);
  if (pass.loops.has(name)) pass.entry.set(name, condition);
}

function arrive(pass: Pass, outline: Outline, at: number): Arrival {
  const edge = outline.edges[at]!;
  const scope = pass.scope.get(edge.from)!;
  // Inside a foreach, conditions are about one item: there the first step is always taken.
  if (edge.kind === "foreach") return { edge, scope: [...scope, edge.from], condition: ALWAYS };
  const condition = whenLeft(pass, at, loopsLeft(pass, edge), whenTaken(pass, outline, at));
  return { edge, scope, condition };
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
  const around = pass.loopsOf
    .get(step.name)!
    .filter((header) => header !== step.name)
    .at(-1);
  const openedOutside = around === undefined ? 0 : pass.scope.get(around)!.length;
  const innermost = scope.length > openedOutside ? scope.at(-1) : undefined;
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
  if (scope.length > 0 && innermost === undefined && arrivals.length < 2) {
    pass.problems.push(closesFromInside(step, scope.at(-1)!, around!));
    enter(pass, step.name, scope, anyOf(pass, arrivals));
    return;
  }
  if (innermost === undefined && arrivals.length < 2) pass.problems.push(nothingToJoin(step));
  enter(pass, step.name, scope, anyOf(pass, arrivals));
}

function closesFromInside(step: StepDefinition, foreach: string, header: string): Problem {
  return problemAt(
    step,
    "FLOW_GRAPH_LOOP_CROSSES_FOREACH",
    `Join "${step.name}" stands inside the loop that begins with "${header}", but would close the foreach of "${foreach}", which opens before it`,
    `Lead back to "${foreach}" or a step before it, or leave the loop before the join`,
  );
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
  // Each against all before it at once: the 1,000 arms of a choice are not compared two by two.
  let before: Condition = NEVER;
  for (const [place, right] of arrivals.entries()) {
    if (!pass.conditions.areExclusive(before, right.condition)) {
      const left = arrivals.slice(0, place).find((arrival) => {
        return !pass.conditions.areExclusive(arrival.condition, right.condition);
      });
      return [left!.edge.from, right.edge.from];
    }
    before = pass.conditions.or(before, right.condition);
  }
  return undefined;
}

function anyOf(pass: Pass, arrivals: readonly Arrival[]): Condition {
  return arrivals.reduce<Condition>((sum, { condition }) => pass.conditions.or(sum, condition), NEVER);
}

function notClosed(flow: FlowDefinition, index: EdgeIndex, pass: Pass): readonly Problem[] {
  const last = flow.steps.filter((step) => index.outOf(step.name).length === 0);
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
  const joinsOf = new Map<string, StepDefinition[]>();
  for (const step of flow.steps) {
    const foreach = pass.closes.get(step.name);
    if (foreach !== undefined) joinsOf.set(foreach, [...(joinsOf.get(foreach) ?? []), step]);
  }
  return flow.steps.flatMap((step) => {
    const joins = joinsOf.get(step.name) ?? [];
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
