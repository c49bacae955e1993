/** Tensors without a library: weights as a safetensors file, which most programs for networks read. */
import { readSafetensors, type SafeTensor, writeSafetensors } from "./formats/safetensors-format.ts";
import type { ModelCodec } from "./model-codec.ts";

const FILE = "model.safetensors";

/**
 * Named tensors.
 *
 * @example
 * const weights = new SafeTensors({ bias: { type: "F32", shape: [3], data: Float32Array.of(1, 2, 3) } });
 * this.weights = await storeModel(weights);
 */
export class SafeTensors {
  readonly tensors: Readonly<Record<string, SafeTensor>>;
  readonly metadata: Readonly<Record<string, string>>;

  constructor(tensors: SafeTensors["tensors"], metadata: SafeTensors["metadata"] = {}) {
    this.tensors = tensors;
    this.metadata = metadata;
  }
}

/** Nothing is predicted from tensors alone, so there are no probes. */
export const safetensorsCodec: ModelCodec<SafeTensors> = {
  id: "safetensors",
  version: 1,
  tolerance: 0,
  matches: (value) => value !== null && typeof value === "object" && value.constructor?.name === "SafeTensors",
  save: (value) => ({ files: { [FILE]: writeSafetensors(value) }, facts: { className: "SafeTensors" } }),
  load: ({ files }) => {
    const { tensors, metadata } = readSafetensors(files[FILE] ?? new Uint8Array(0));
    return new SafeTensors(tensors, metadata);
  },
  inspect: (files) => {
    const { tensors, metadata } = readSafetensors(files[FILE] ?? new Uint8Array(0));
    const told = Object.entries(tensors).map(([name, { type, shape }]) => ({ name, type, shape }));
    return { tensors: told, metadata };
  },
};
