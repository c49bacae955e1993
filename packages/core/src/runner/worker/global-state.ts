import type { Change, WorkerState } from "./fingerprint.ts";

/** zod keeps its settings there, once for all of its copies, and is loaded when something of it is asked for: by a step, too. */
const OF_ZOD: ReadonlySet<string> = new Set(["__zod_globalConfig", "__zod_globalRegistry"]);

/** Variables that user code put on globalThis. Caches are kept there too, so a worker is not given up for them for ever. */
export class GlobalState implements WorkerState {
  #values = globals();

  look(): readonly Change[] {
    const now = globals();
    const changed = [...new Set([...now.keys(), ...this.#values.keys()])]
      .filter((key) => !Object.is(now.get(key), this.#values.get(key)) || now.has(key) !== this.#values.has(key))
      .filter((key) => !OF_ZOD.has(key) || this.#values.has(key));
    return changed.map((key) => ({ what: `globalThis.${key}`, isTolerable: true, isContagious: true }));
  }

  accept(): void {
    this.#values = globals();
  }
}

/** Own enumerable data properties. Accessors are those of the platform: reading one may load what it stands for. */
function globals(): ReadonlyMap<string, unknown> {
  const values = new Map<string, unknown>();
  for (const key of Object.keys(globalThis)) {
    const property = Object.getOwnPropertyDescriptor(globalThis, key);
    if (property !== undefined && "value" in property) values.set(key, property.value);
  }
  return values;
}
