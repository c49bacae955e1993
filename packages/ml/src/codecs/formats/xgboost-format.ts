/**
 * The binary format of XGBoost 0.7, as far as it must be checked: the library believes what it reads, and a wrong number ends
 * in an endless walk or in an aborted WebAssembly module, after which no model of the process can be used.
 */

const LEARNER_BYTES = 136; // base_score, num_feature, num_class, two flags, 29 reserved numbers
const GBTREE_BYTES = 160; // num_trees, num_roots, num_feature, pad, num_pbuffer (8), num_output_group, size_leaf_vector, 32 reserved
const GBLINEAR_BYTES = 136; // num_feature, num_output_group, 32 reserved
const TREE_BYTES = 148; // num_roots, num_nodes, num_deleted, max_depth, num_feature, size_leaf_vector, 31 reserved
const NODE_BYTES = 20; // parent, left, right, split, value
const STAT_BYTES = 16;
/** Predicting takes four bytes for each feature that the model claims to know. */
const MAX_FEATURES = 10_000_000;

/** What the header of a model says. */
export interface XgboostFacts {
  readonly objective: string;
  readonly booster: string;
  readonly features: number;
  /** 0 where there are no classes. */
  readonly classes: number;
  readonly trees: number;
}

/**
 * Reads a model to its end, without the library.
 *
 * @throws RangeError, TypeError with what is wrong
 */
export function readXgboost(bytes: Uint8Array): XgboostFacts {
  const reader = new Reader(bytes);
  const learner = reader.block(LEARNER_BYTES);
  const features = learner.getUint32(4, true);
  const classes = learner.getInt32(8, true);
  if (features > MAX_FEATURES) throw new RangeError(`${features} features are more than a model can have`);
  if (classes < 0 || classes > 100_000) throw new RangeError(`it has ${classes} classes`);
  const objective = reader.text();
  const booster = reader.text();
  if (!/^(reg|binary|multi|count|rank|survival):\w+$/.test(objective)) throw new TypeError("it names no objective");
  let trees = 0;
  if (booster === "gblinear") {
    reader.block(GBLINEAR_BYTES);
    reader.skipList(4);
  } else if (booster === "gbtree" || booster === "dart") {
    trees = readTrees(reader, features);
    if (booster === "dart" && trees > 0) reader.skipList(4);
  } else {
    throw new TypeError("it names no booster");
  }
  if (learner.getInt32(12, true) !== 0) reader.skipTexts(2);
  if (learner.getInt32(16, true) !== 0) reader.skipTexts(1);
  reader.end();
  return { objective, booster, features, classes, trees };
}

function readTrees(reader: Reader, features: number): number {
  const model = reader.block(GBTREE_BYTES);
  const trees = model.getInt32(0, true);
  const groups = model.getInt32(24, true);
  if (model.getInt32(28, true) !== 0) throw new TypeError("its leaves hold vectors");
  if (groups < 1) throw new RangeError(`it has ${groups} output groups`);
  reader.expect(trees, TREE_BYTES);
  for (let tree = 0; tree < trees; tree++) readTree(reader, tree, features);
  const info = reader.block(trees * 4);
  for (let tree = 0; tree < trees; tree++) {
    const group = info.getInt32(tree * 4, true);
    if (group < 0 || group >= groups) throw new RangeError(`tree ${tree} belongs to group ${group} of ${groups}`);
  }
  return trees;
}

/** Every node that can be reached is reached once: there are no circles, and no way out of the tree. */
function readTree(reader: Reader, tree: number, features: number): void {
  const parameters = reader.block(TREE_BYTES);
  const [roots, count, deleted] = [0, 4, 8].map((at) => parameters.getInt32(at, true)) as [number, number, number];
  if (parameters.getInt32(20, true) !== 0) throw new TypeError(`the leaves of tree ${tree} hold vectors`);
  reader.expect(count, NODE_BYTES + STAT_BYTES);
  if (roots !== 1 || count < 1) throw new RangeError(`tree ${tree} has ${roots} roots and ${count} nodes`);
  const nodes = reader.block(count * NODE_BYTES);
  reader.block(count * STAT_BYTES);
  const isSeen = new Uint8Array(count);
  const waiting = [0];
  while (waiting.length > 0) {
    const node = waiting.pop()!;
    if (node < 0 || node >= count || isSeen[node] === 1)
      throw new RangeError(`tree ${tree} leads to node ${node}, which is not there or was passed before`);
    isSeen[node] = 1;
    const left = nodes.getInt32(node * NODE_BYTES + 4, true);
    if (left === -1) continue;
    const feature = nodes.getUint32(node * NODE_BYTES + 12, true) & 0x7fffffff;
    if (feature >= features) throw new RangeError(`tree ${tree} splits by feature ${feature} of ${features}`);
    waiting.push(left, nodes.getInt32(node * NODE_BYTES + 8, true));
  }
  let free = 0;
  for (let node = 1; node < count; node++) if (nodes.getUint32(node * NODE_BYTES + 12, true) === 0xffffffff) free++;
  if (free !== deleted) throw new RangeError(`tree ${tree} has ${free} free nodes and counts ${deleted}`);
}

class Reader {
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Whether so many things of a size could still come. */
  expect(count: number, width: number): void {
    if (count < 0 || count * width > this.#view.byteLength - this.#offset)
      throw new RangeError(`the file ends before ${count} things of ${width} bytes`);
  }

  block(size: number): DataView {
    this.expect(size, 1);
    const block = new DataView(this.#view.buffer, this.#view.byteOffset + this.#offset, size);
    this.#offset += size;
    return block;
  }

  text(): string {
    const block = this.block(this.#count(1));
    return new TextDecoder("latin1").decode(block);
  }

  skipList(width: number): void {
    this.block(this.#count(width) * width);
  }

  /** A list of so many texts an entry. */
  skipTexts(texts: number): void {
    const count = this.#count(8 * texts);
    for (let entry = 0; entry < count * texts; entry++) this.text();
  }

  end(): void {
    const rest = this.#view.byteLength - this.#offset;
    if (rest !== 0) throw new RangeError(`${rest} bytes follow after its end`);
  }

  #count(width: number): number {
    const count = Number(this.block(8).getBigUint64(0, true));
    this.expect(count, width);
    return count;
  }
}
