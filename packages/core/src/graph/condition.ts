import { FlowError } from "../errors/flow-error.ts";

/**
 * When something happens, as a function of what the choose steps decide: a node of a multi-valued decision diagram.
 * Equal conditions are the same object, so `===` compares them.
 */
export type Condition = Terminal | Decision;

interface Terminal {
  readonly id: 0 | 1;
  readonly rank: typeof LAST;
}

interface Decision {
  readonly id: number;
  /** Place of the choose step in the order of variables; grows from the root down. */
  readonly rank: number;
  /** What remains for each of the step's targets. */
  readonly children: readonly Condition[];
}

const LAST = Number.POSITIVE_INFINITY;

export const NEVER: Condition = Object.freeze({ id: 0, rank: LAST });
export const ALWAYS: Condition = Object.freeze({ id: 1, rank: LAST });

// A flow with 40 choose steps in a row needs some hundred nodes; only one that is built to explode needs so many.
const MAX_NODES = 100_000;

/**
 * Builds conditions and keeps them unique (hash-consing), so that AND and OR cost at most the product of the sizes.
 *
 * @see R. E. Bryant, Graph-Based Algorithms for Boolean Function Manipulation (1986); here with many-valued variables
 */
export class Conditions {
  readonly #nodes = new Map<string, Decision>();
  readonly #results = new Map<string, Condition>();
  readonly #limit: number;

  constructor(limit: number = MAX_NODES) {
    this.#limit = limit;
  }

  /** True when the choose step of this rank, which has `arity` targets, takes the one at `index`. */
  chooses(rank: number, arity: number, index: number): Condition {
    return this.#node(
      rank,
      Array.from({ length: arity }, (_, child) => (child === index ? ALWAYS : NEVER)),
    );
  }

  and(left: Condition, right: Condition): Condition {
    if (left === NEVER || right === NEVER) return NEVER;
    if (left === ALWAYS || left === right) return right;
    if (right === ALWAYS) return left;
    return this.#combine("and", left as Decision, right as Decision);
  }

  or(left: Condition, right: Condition): Condition {
    if (left === ALWAYS || right === ALWAYS) return ALWAYS;
    if (left === NEVER || left === right) return right;
    if (right === NEVER) return left;
    return this.#combine("or", left as Decision, right as Decision);
  }

  /** Whether two conditions can never both hold. */
  areExclusive(left: Condition, right: Condition): boolean {
    return this.and(left, right) === NEVER;
  }

  #combine(operation: "and" | "or", left: Decision, right: Decision): Condition {
    const key = left.id < right.id ? `${operation} ${left.id} ${right.id}` : `${operation} ${right.id} ${left.id}`;
    const known = this.#results.get(key);
    if (known !== undefined) return known;
    const top = left.rank <= right.rank ? left : right;
    const children = top.children.map((_, index) =>
      this[operation](below(left, top.rank, index), below(right, top.rank, index)),
    );
    const result = this.#node(top.rank, children);
    this.#results.set(key, result);
    return result;
  }

  #node(rank: number, children: readonly Condition[]): Condition {
    if (children.every((child) => child === children[0])) return children[0]!;
    const key = `${rank}:${children.map((child) => child.id).join()}`;
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    if (this.#nodes.size >= this.#limit) {
      throw new FlowError("FLOW_GRAPH_TOO_COMPLEX", {
        message: `Cannot tell which transitions exclude each other: more than ${this.#limit} combinations of choices`,
        hint: "Join the branches between the choose steps, or split the flow in two",
      });
    }
    const node: Decision = { id: this.#nodes.size + 2, rank, children };
    this.#nodes.set(key, node);
    return node;
  }
}

function below(condition: Decision, rank: number, index: number): Condition {
  return condition.rank === rank ? condition.children[index]! : condition;
}
