/**
 * Trees as plain arrays: the nodes of all trees, one tree after the other, parents before their children.
 */
import type { FeatureMatrix } from "../features/feature-matrix.ts";

/** The nodes of a forest in four parallel arrays, and where each tree begins. */
export interface ForestNodes {
  /** Index of each tree's first node. */
  readonly roots: Int32Array;
  /** The feature that a node looks at, or -1 for a leaf. */
  readonly splitColumns: Int32Array;
  /** The threshold of a node (below goes left), or the prediction of a leaf. */
  readonly values: Float64Array;
  /** Index of the child for values below the threshold, or -1. */
  readonly left: Int32Array;
  /** Index of the other child, or -1. */
  readonly right: Int32Array;
}

/** A node of a tree as `ml-cart` grows it: a leaf has no children. */
export interface LibraryNode {
  readonly left?: LibraryNode;
  readonly right?: LibraryNode;
  readonly splitColumn?: number;
  readonly splitValue?: number;
  readonly distribution?: number;
}

const LEAF = -1;

/** Mean prediction of the first `counts[i]` trees, for each i; `counts` ascends. */
export function predictByTrees(
  forest: ForestNodes,
  features: FeatureMatrix,
  counts: readonly number[],
): Float64Array[] {
  const { roots, splitColumns, values, left, right } = forest;
  const width = features.names.length;
  const predicted = counts.map(() => new Float64Array(features.rows));
  for (let row = 0; row < features.rows; row++) {
    const offset = row * width;
    let sum = 0;
    let tree = 0;
    for (const [stage, count] of counts.entries()) {
      for (; tree < count; tree++) {
        let node = roots[tree]!;
        while (splitColumns[node] !== LEAF) {
          node = features.values[offset + splitColumns[node]!]! < values[node]! ? left[node]! : right[node]!;
        }
        sum += values[node]!;
      }
      predicted[stage]![row] = sum / count;
    }
  }
  return predicted;
}

/** Flattens the library's nested nodes, parents first. */
export class NodeList {
  readonly #roots: number[] = [];
  readonly #splitColumns: number[] = [];
  readonly #values: number[] = [];
  readonly #left: number[] = [];
  readonly #right: number[] = [];

  addTree(root: LibraryNode, columns: readonly number[]): void {
    this.#roots.push(this.#values.length);
    this.#add(root, columns);
  }

  #add(node: LibraryNode, columns: readonly number[]): number {
    const index = this.#values.length;
    this.#left.push(LEAF);
    this.#right.push(LEAF);
    if (node.left === undefined || node.right === undefined) {
      this.#splitColumns.push(LEAF);
      this.#values.push(node.distribution!);
    } else {
      this.#splitColumns.push(columns[node.splitColumn!]!);
      this.#values.push(node.splitValue!);
      this.#left[index] = this.#add(node.left, columns);
      this.#right[index] = this.#add(node.right, columns);
    }
    return index;
  }

  arrays(): ForestNodes {
    return {
      roots: Int32Array.from(this.#roots),
      splitColumns: Int32Array.from(this.#splitColumns),
      values: Float64Array.from(this.#values),
      left: Int32Array.from(this.#left),
      right: Int32Array.from(this.#right),
    };
  }
}
