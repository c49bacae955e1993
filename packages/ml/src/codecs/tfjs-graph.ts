/**
 * Whether the layers of a saved network can be connected. TensorFlow.js tries again and again while something is left to be
 * connected: a network that waits for itself, or for a layer that is not there, would keep it busy for ever.
 */

/** A use of a layer: its name, and which use of it. */
type Use = readonly [layer: string, index: number, ...rest: unknown[]];

interface SavedLayer {
  readonly name?: unknown;
  readonly inbound_nodes?: readonly (readonly Use[])[];
}

/** @throws TypeError with what cannot be connected */
export function checkGraph(value: unknown): void {
  if (value === null || typeof value !== "object") return;
  const { layers, input_layers: inputs } = value as { readonly layers?: unknown; readonly input_layers?: unknown };
  if (Array.isArray(layers) && inputs !== undefined) checkLayers(layers as readonly SavedLayer[]);
  for (const item of Object.values(value)) checkGraph(item);
}

function checkLayers(layers: readonly SavedLayer[]): void {
  const names = layers.map(({ name }) => name);
  if (!names.every((name) => typeof name === "string") || new Set(names).size < names.length)
    throw new TypeError("its layers have no names of their own");
  const isConnected = new Set<string>();
  let waiting: { readonly use: string; readonly needs: readonly string[] }[] = [];
  for (const { name, inbound_nodes: nodes = [] } of layers) {
    if (!Array.isArray(nodes)) throw new TypeError(`the layer "${String(name)}" is connected to nothing known`);
    if (nodes.length === 0) isConnected.add(key(name, 0)); // where data comes in
    for (const [index, node] of nodes.entries()) waiting.push({ use: key(name, index), needs: usesOf(node) });
  }
  for (let before = -1; waiting.length !== before; ) {
    before = waiting.length;
    waiting = waiting.filter(({ use, needs }) => {
      if (!needs.every((need) => isConnected.has(need))) return true;
      isConnected.add(use);
      return false;
    });
  }
  if (waiting.length > 0) throw new TypeError(`${waiting[0]!.use} waits for what never comes`);
}

function usesOf(node: unknown): readonly string[] {
  if (!Array.isArray(node)) throw new TypeError("a connection of its layers is none");
  return node.map((use: unknown) => {
    if (!Array.isArray(use) || typeof use[0] !== "string") throw new TypeError("a connection of its layers is none");
    return key(use[0], use[1]);
  });
}

function key(layer: unknown, index: unknown): string {
  return `use ${String(index)} of the layer "${String(layer)}"`;
}
