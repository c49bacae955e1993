/**
 * A checked flow graph as plain data. Built by `checkGraph(definition)`; the runner, drawings and lineage read it.
 *
 * Words: an *edge* leads from a step to a step. A *scope* is the stack of foreach steps that are open at a step, the
 * outermost first: `[]` at the top, `["start"]` in the body of start's foreach. An edge `opens` a scope when its source
 * is a foreach, `closes` one when its target is the join of that foreach.
 */
import type { FlowDefinition, StepDefinition } from "../flow/definition.ts";

export interface Graph {
  readonly flow: FlowDefinition;
  readonly start: string;
  readonly end: string;
  /** Every step, in a topological order that keeps declared order among equals. */
  readonly order: readonly string[];
  readonly nodes: Readonly<Record<string, GraphNode>>;
  readonly edges: readonly GraphEdge[];
}

export interface GraphNode {
  readonly step: StepDefinition;
  /** Foreach steps open while this step runs, outermost first. */
  readonly scope: readonly string[];
  /** Indices into `Graph.edges`, in declared order of the sources (join inputs come in this order). */
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
}
