/**
 * A checked flow graph as plain data. Built by `checkGraph(definition)`; the runner, drawings and lineage read it.
 *
 * Words: an *edge* leads from a step to a step. A *scope* is the stack of foreach steps that are open at a step, the
 * outermost first: `[]` at the top, `["start"]` in the body of start's foreach. An edge `opens` a scope when its source
 * is a foreach, `closes` one when its target is the join of that foreach.
 *
 * A *loop* is what a choice makes that leads back: a set of steps with one way in, its *header*. One execution of them is
 * a *round*. Every edge that `repeats` begins the next round; the edges that leave the loop are its *exits*. Without the
 * edges that repeat, a checked graph has no cycle.
 */
import type { FlowDefinition, StepDefinition } from "../flow/definition.ts";

export interface Graph {
  readonly flow: FlowDefinition;
  readonly start: string;
  readonly end: string;
  /** Every step, in a topological order (of the edges that do not repeat) that keeps declared order among equals. */
  readonly order: readonly string[];
  readonly nodes: Readonly<Record<string, GraphNode>>;
  readonly edges: readonly GraphEdge[];
  /** Every loop, an outer one before those inside of it. */
  readonly loops: readonly GraphLoop[];
}

export interface GraphNode {
  readonly step: StepDefinition;
  /** Foreach steps open while this step runs, outermost first. */
  readonly scope: readonly string[];
  /** Headers of the loops that the step is in, outermost first; a header is in its own loop. */
  readonly loops: readonly string[];
  /**
   * Indices into `Graph.edges` without those that repeat, in declared order of the sources (join inputs come in this
   * order).
   */
  readonly incoming: readonly number[];
  /** Indices into `Graph.edges`, in declared order of the targets. */
  readonly outgoing: readonly number[];
  /** The foreach step that this join closes; absent when it joins branches or is no join. */
  readonly closes?: string;
}

export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  /** plain: to one or several steps; foreach: opens a scope; choice: taken when the choose step says so. */
  readonly kind: "plain" | "foreach" | "choice";
  /** For a choice: the values of `on` that take this edge. */
  readonly cases?: readonly string[];
  /** True when the target is the join that closes the innermost foreach of the source. */
  readonly closes: boolean;
  /** True when the target is the header of a loop that the source is in: the next round begins. */
  readonly repeats: boolean;
  /** Headers of the loops that the edge leaves, innermost first. */
  readonly leaves: readonly string[];
}

export interface GraphLoop {
  /** The step that each round begins with: the one way in. */
  readonly header: string;
  /** Foreach steps open at the header, outermost first: opened before the loop. */
  readonly scope: readonly string[];
  /** The steps of a round in topological order, the header first; those of inner loops are among them. */
  readonly body: readonly string[];
  /** Edges that lead back to the header. */
  readonly repeats: readonly number[];
  /** Edges that lead out of the body. At most one of these and `repeats` is taken in a round. */
  readonly exits: readonly number[];
}
