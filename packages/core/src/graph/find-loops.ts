/**
 * Which edges lead back, and what they repeat.
 *
 * An edge leads back when its target *dominates* its source: every way from the start to the source passes the target.
 * The natural loop of a target is then the target itself, its header, with all steps that can reach a source of such an
 * edge without passing the header. It can be entered at the header alone, and two loops are either apart or one inside
 * the other. A cycle that is left without these edges can be entered at several steps, and is no loop.
 *
 * @see A. V. Aho, M. S. Lam, R. Sethi, J. D. Ullman, Compilers (2006), section 9.6: natural loops and reducible graphs
 */
import type { FlowDefinition } from "../flow/definition.ts";
import type { DeclaredEdge, EdgeIndex } from "./edges.ts";

/** A loop as far as the edges alone tell it; edges are indices. */
export interface FoundLoop {
  readonly header: string;
  readonly body: ReadonlySet<string>;
  readonly repeats: readonly number[];
  readonly exits: readonly number[];
}

export interface FoundLoops {
  /** A loop around another comes before it. Only choices make loops. */
  readonly loops: readonly FoundLoop[];
  /** Indices of all edges that lead back, choices or not. */
  readonly back: ReadonlySet<number>;
  /** Steps that can be reached from the start. */
  readonly reached: ReadonlySet<string>;
}

export function findLoops(
  flow: FlowDefinition,
  edges: readonly DeclaredEdge[],
  index: EdgeIndex,
  start: string,
): FoundLoops {
  const order = reversePostorder(edges, index, start);
  const dominates = dominators(edges, index, order);
  const reached = new Set(order);
  const back = new Set<number>();
  const repeats = new Map<string, number[]>();
  for (const [at, { from, to, kind }] of edges.entries()) {
    if (!reached.has(from) || !dominates(to, from)) continue;
    back.add(at);
    if (kind === "choice") repeats.set(to, [...(repeats.get(to) ?? []), at]);
  }
  const loops = [...repeats].map(([header, sources]): FoundLoop => {
    const body = bodyOf(header, sources, edges, index, reached);
    const leaving = [...body].flatMap((step) => index.outOf(step).filter((at) => !body.has(edges[at]!.to)));
    return { header, body, repeats: sources, exits: leaving.sort((left, right) => left - right) };
  });
  const declared = new Map(flow.steps.map((step, place) => [step.name, place]));
  loops.sort(
    (left, right) => right.body.size - left.body.size || declared.get(left.header)! - declared.get(right.header)!,
  );
  return { loops, back, reached };
}

/** The steps that can be reached, each before all that it leads to, but for edges that lead back in this walk. */
function reversePostorder(edges: readonly DeclaredEdge[], index: EdgeIndex, start: string): readonly string[] {
  const finished: string[] = [];
  const seen = new Set([start]);
  const open = [{ step: start, next: 0 }];
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const edge = index.outOf(top.step)[top.next++];
    if (edge === undefined) {
      finished.push(top.step);
      open.pop();
      continue;
    }
    const { to } = edges[edge]!;
    if (seen.has(to)) continue;
    seen.add(to);
    open.push({ step: to, next: 0 });
  }
  return finished.reverse();
}

/**
 * Whether one step lies on every way from the start to another.
 *
 * @see K. D. Cooper, T. J. Harvey, K. Kennedy, A Simple, Fast Dominance Algorithm (2001)
 */
function dominators(
  edges: readonly DeclaredEdge[],
  index: EdgeIndex,
  order: readonly string[],
): (above: string, below: string) => boolean {
  const place = new Map(order.map((step, at) => [step, at]));
  const immediate = new Array<number | undefined>(order.length).fill(undefined);
  immediate[0] = 0;
  const nearestCommon = (left: number, right: number): number => {
    let [a, b] = [left, right];
    while (a !== b) {
      if (a > b) a = immediate[a]!;
      else b = immediate[b]!;
    }
    return a;
  };
  for (let hasChanged = true; hasChanged; ) {
    hasChanged = false;
    for (let at = 1; at < order.length; at++) {
      let above: number | undefined;
      for (const edge of index.into(order[at]!)) {
        const from = place.get(edges[edge]!.from);
        if (from === undefined || immediate[from] === undefined) continue;
        above = above === undefined ? from : nearestCommon(from, above);
      }
      if (immediate[at] === above) continue;
      immediate[at] = above;
      hasChanged = true;
    }
  }
  return (above, below) => {
    const wanted = place.get(above)!;
    let at = place.get(below)!;
    while (at > wanted) at = immediate[at]!;
    return at === wanted;
  };
}

function bodyOf(
  header: string,
  repeats: readonly number[],
  edges: readonly DeclaredEdge[],
  index: EdgeIndex,
  reached: ReadonlySet<string>,
): ReadonlySet<string> {
  const body = new Set([header]);
  const open = repeats.map((edge) => edges[edge]!.from);
  for (let step = open.pop(); step !== undefined; step = open.pop()) {
    if (body.has(step)) continue;
    body.add(step);
    for (const edge of index.into(step)) if (reached.has(edges[edge]!.from)) open.push(edges[edge]!.from);
  }
  return body;
}
