/**
 * What a task is likely to read of a store behind a network is asked for when it begins, and nobody waits for that: its step
 * may compute before it reads, and several values come at once.
 *
 * Likely are the fields that the text of the step's method mentions, and those that an earlier task of the step has read in
 * this worker. Too many cost a transfer, too few a wait: nothing depends on it.
 */
import type { Flow } from "../../flow/flow.ts";
import type { FlowClass } from "../../flow/public-types.ts";
import type { ArtifactRow } from "../../metadata/metadata-store.ts";
import type { ValueLoader } from "./value-loader.ts";

export class AskedAhead {
  readonly #loader: ValueLoader;
  /** By step: fields that are likely to be read. */
  readonly #likely = new Map<string, Set<string>>();
  /** By step: words of the text of its method. */
  readonly #words = new Map<string, ReadonlySet<string>>();

  constructor(loader: ValueLoader) {
    this.#loader = loader;
  }

  /** A task of a step begins, with these artifacts in sight. */
  begins(flowClass: FlowClass<Flow>, step: string, inherited: ReadonlyMap<string, ArtifactRow>): void {
    if (!this.#loader.isFar) return;
    const words = this.#words.get(step) ?? wordsOf(flowClass, step);
    this.#words.set(step, words);
    const likely = this.#likely.get(step);
    this.#loader.readAhead([...inherited.values()].filter(({ name }) => words.has(name) || likely?.has(name) === true));
  }

  reads(step: string, name: string): void {
    if (!this.#loader.isFar) return;
    const likely = this.#likely.get(step);
    if (likely === undefined) this.#likely.set(step, new Set([name]));
    else likely.add(name);
  }
}

function wordsOf(flowClass: FlowClass<Flow>, step: string): ReadonlySet<string> {
  const method: unknown = (flowClass.prototype as unknown as Record<string, unknown>)[step];
  return new Set(typeof method === "function" ? String(method).match(/[\p{ID_Continue}$]+/gu) : []);
}
