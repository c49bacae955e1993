import type { Graph } from "./graph.ts";

/** A graph as `flow graph --json` prints it: stable, without places of this machine. Fields may be added. */
export interface GraphJson {
  readonly schema: 1;
  readonly flow: { readonly project: string; readonly name: string };
  readonly start: string;
  readonly end: string;
  /** In topological order. */
  readonly steps: readonly {
    readonly name: string;
    readonly kind: "step" | "join" | "choose";
    readonly summary?: string;
    /** The field that a foreach iterates over. */
    readonly foreach?: string;
    /** The field that a choose looks at. */
    readonly on?: string;
    /** Foreach steps open while this step runs, outermost first. */
    readonly scope: readonly string[];
    /** Headers of the loops that the step is in, outermost first; absent outside of loops. */
    readonly loops?: readonly string[];
    /** The foreach step that this join closes. */
    readonly closes?: string;
  }[];
  readonly edges: readonly {
    readonly from: string;
    readonly to: string;
    readonly kind: "plain" | "foreach" | "choice";
    readonly cases?: readonly string[];
    /** There when the transition begins the next round of a loop. */
    readonly repeats?: true;
  }[];
  /** An outer loop before those inside of it. */
  readonly loops: readonly {
    /** The step that each round begins with. */
    readonly header: string;
    /** The steps of a round, in topological order. */
    readonly body: readonly string[];
  }[];
}

/** The graph as plain JSON. */
export function graphJson(graph: Graph): GraphJson {
  return {
    schema: 1,
    flow: { project: graph.flow.project, name: graph.flow.name },
    start: graph.start,
    end: graph.end,
    steps: graph.order.map((name) => {
      const { step, scope, loops, closes } = graph.nodes[name]!;
      return {
        name,
        kind: step.kind,
        ...(step.summary === undefined ? {} : { summary: step.summary }),
        ...(step.foreach === undefined ? {} : { foreach: step.foreach }),
        ...(step.on === undefined ? {} : { on: step.on }),
        scope,
        ...(loops.length === 0 ? {} : { loops }),
        ...(closes === undefined ? {} : { closes }),
      };
    }),
    edges: graph.edges.map(({ from, to, kind, cases, repeats }) => ({
      from,
      to,
      kind,
      ...(cases === undefined ? {} : { cases }),
      ...(repeats ? { repeats } : {}),
    })),
    loops: graph.loops.map(({ header, body }) => ({ header, body })),
  };
}
