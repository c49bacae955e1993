import fs from "node:fs";
import timers from "node:timers";
import type { Change, WorkerState } from "./fingerprint.ts";

/** Built-in objects and their names; of constructors the prototype is looked at too. */
const CONSTRUCTORS = [
  "Object",
  "Array",
  "String",
  "Number",
  "Boolean",
  "BigInt",
  "Symbol",
  "Function",
  "Promise",
  "Map",
  "Set",
  "WeakMap",
  "WeakSet",
  "RegExp",
  "Date",
  "Error",
  "ArrayBuffer",
  "Uint8Array",
  "Float64Array",
  "URL",
  "Buffer",
  "AbortSignal",
] as const;
const OBJECTS = ["JSON", "Math", "Reflect", "Atomics", "console", "process"] as const;
/** Functions that stand on globalThis themselves. */
const GLOBALS = [
  "setTimeout",
  "setInterval",
  "setImmediate",
  "clearTimeout",
  "clearInterval",
  "clearImmediate",
  "queueMicrotask",
  "structuredClone",
  "fetch",
  "parseInt",
  "parseFloat",
] as const;

/** What a glance reads: what tests and libraries replace most often. */
const GLANCED: Readonly<Record<string, readonly string[]>> = {
  Object: ["keys", "entries", "assign", "freeze"],
  "Object.prototype": ["toString", "hasOwnProperty"],
  "Array.prototype": ["push", "map", "filter", "forEach", "sort", "slice", "includes", "join"],
  "String.prototype": ["split", "replace", "trim", "slice"],
  "Function.prototype": ["call", "apply", "bind"],
  "Promise.prototype": ["then", "catch", "finally"],
  "Map.prototype": ["get", "set"],
  "Set.prototype": ["add", "has"],
  "Date.prototype": ["getTime", "toISOString"],
  Date: ["now"],
  JSON: ["parse", "stringify"],
  Math: ["random", "floor", "max", "min"],
  console: ["log", "error"],
  globalThis: ["setTimeout", "fetch"],
  fs: ["readFileSync", "writeFileSync", "readFile", "existsSync"],
};

type Holder = Readonly<Record<string | symbol, unknown>>;

interface Part {
  readonly name: string;
  readonly holder: Holder;
  keys: readonly (string | symbol)[];
  functions: readonly (readonly [string | symbol, unknown])[];
}

/** Functions and keys of built-in objects. */
export class BuiltinState implements WorkerState {
  readonly #parts: readonly Part[];
  #inherited = 0;
  #glanced: readonly (readonly [Holder, string, unknown])[] = [];

  constructor() {
    const world = globalThis as unknown as Readonly<Record<string, Holder & { readonly prototype: Holder }>>;
    const named = (name: string, holder: Holder): Part => ({ name, holder, keys: [], functions: [] });
    this.#parts = [
      ...CONSTRUCTORS.flatMap((name) => [
        named(name, world[name]!),
        named(`${name}.prototype`, world[name]!.prototype),
      ]),
      ...OBJECTS.map((name) => named(name, world[name]!)),
      named("fs", fs as unknown as Holder),
      named("fs.promises", fs.promises as unknown as Holder),
      named("timers", timers as unknown as Holder),
      named("globalThis", globalThis as unknown as Holder),
    ];
    this.accept();
  }

  glance(): boolean {
    if (inheritedKeys() !== this.#inherited) return true;
    for (const [holder, key, value] of this.#glanced) if (holder[key] !== value) return true;
    return false;
  }

  look(): readonly Change[] {
    return this.#parts.flatMap((part): readonly Change[] => {
      const key = changedKey(part);
      if (key === undefined) return [];
      const what = part.name === "globalThis" ? String(key) : `${part.name}.${String(key)}`;
      return [{ what, isTolerable: false, isContagious: true }];
    });
  }

  accept(): void {
    for (const part of this.#parts) {
      const isGlobal = part.name === "globalThis";
      part.keys = isGlobal ? GLOBALS : Reflect.ownKeys(part.holder);
      part.functions = part.keys.flatMap((key) => {
        const value = Object.getOwnPropertyDescriptor(part.holder, key)?.value as unknown;
        return typeof value === "function" ? [[key, value] as const] : [];
      });
    }
    this.#inherited = inheritedKeys();
    this.#glanced = this.#parts.flatMap(({ name, holder }) =>
      (GLANCED[name] ?? []).map((key) => [holder, key, holder[key]] as const),
    );
  }
}

/** A key that was added, removed, or whose function is another one. */
function changedKey({ name, holder, keys, functions }: Part): string | symbol | undefined {
  for (const [key, value] of functions) if (holder[key] !== value) return key;
  // What process and console hold comes and goes with what is used of them; new globals are the next state's.
  if (["globalThis", "process", "console"].includes(name)) return undefined;
  const found = Reflect.ownKeys(holder);
  if (found.length !== keys.length) {
    const before = new Set<string | symbol>(keys);
    return found.find((key) => !before.has(key)) ?? keys.find((key) => !found.includes(key));
  }
  return undefined;
}

/** What `for in` finds in objects and arrays that have nothing: keys that were assigned to their prototypes. */
function inheritedKeys(): number {
  let count = 0;
  for (const _ in {}) count++;
  for (const _ in []) count++;
  return count;
}
