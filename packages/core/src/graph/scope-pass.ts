/** What one pass over a flow knows so far: where each step stands, and when it is taken there. */
import type { Problem } from "../errors/flow-error.ts";
import type { FlowDefinition } from "../flow/definition.ts";
import { type Condition, type Conditions, NEVER } from "./condition.ts";
import type { DeclaredEdge, EdgeIndex } from "./edges.ts";
import type { FoundLoop } from "./find-loops.ts";

/** The flow as far as it is known before scopes are. */
export interface Outline {
  readonly flow: FlowDefinition;
  readonly edges: readonly DeclaredEdge[];
  readonly index: EdgeIndex;
  readonly start: string;
  readonly order: readonly string[];
  readonly loops: readonly FoundLoop[];
}

export interface Pass {
  readonly problems: Problem[];
  readonly conditions: Conditions;
  /** When a step is taken: in its foreach body or round, if it stands in one. */
  readonly condition: Map<string, Condition>;
  /** For the header of a loop: when the loop is entered, seen from around it. */
  readonly entry: Map<string, Condition>;
  readonly scope: Map<string, readonly string[]>;
  readonly closes: Map<string, string>;
  /** Places of the steps in the order: the choices are asked in it. */
  readonly rank: ReadonlyMap<string, number>;
  readonly loops: ReadonlyMap<string, FoundLoop>;
  readonly loopsOf: ReadonlyMap<string, readonly string[]>;
}

/** When an edge is taken, in the scope of its source. */
export function whenTaken(pass: Pass, { edges, index }: Outline, at: number): Condition {
  const { from, to, kind } = edges[at]!;
  const condition = pass.condition.get(from)!;
  if (kind !== "choice") return condition;
  const targets = index.outOf(from).map((other) => edges[other]!.to);
  const chosen = pass.conditions.chooses(pass.rank.get(from)!, targets.length, targets.indexOf(to));
  return pass.conditions.and(condition, chosen);
}

/** When an edge leaves loops, seen from around them: each was entered, and its last round chose this edge. */
export function whenLeft(pass: Pass, at: number, headers: readonly string[], taken: Condition): Condition {
  return headers.reduce((inside, header) => {
    if (inside === NEVER) return NEVER;
    const { exits } = pass.loops.get(header)!;
    // A place of its own in the order, behind that of the header, which may be a choice itself.
    const rank = pass.rank.get(header)! + 0.5;
    const chosen = pass.conditions.chooses(rank, exits.length, exits.indexOf(at));
    return pass.conditions.and(pass.entry.get(header)!, chosen);
  }, taken);
}

/** Headers of the loops that an edge leaves, innermost first. */
export function loopsLeft({ loopsOf }: Pass, { from, to }: DeclaredEdge): readonly string[] {
  const around = loopsOf.get(to)!;
  return loopsOf
    .get(from)!
    .filter((header) => !around.includes(header))
    .reverse();
}
