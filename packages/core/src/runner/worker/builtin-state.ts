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
  /** Of some keys what they hold, in the order of `functionKeys`. */
  functions: readonly unknown[];
  functionKeys: readonly (string | symbol)[];
}

/**
 * Functions and keys of built-in objects.
 *
 * Plain loops over plain lists: a worker looks a dozen times in a short run, before any of this is compiled, and then
 * pairs that are taken apart cost five times as much.
 */
export class BuiltinState implements WorkerState {
  readonly #parts: readonly Part[];
  #inherited = 0;
  #glancedHolders: readonly Holder[] = [];
  #glancedKeys: readonly string[] = [];
  #glanced: readonly unknown[] = [];

  constructor() {
    const world = globalThis as unknown as Readonly<Record<string, Holder & { readonly prototype: Holder }>>;
    const named = (name: string, holder: Holder): Part => ({ name, holder, keys: [], functions: [], functionKeys: [] });
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
    const [holders, keys, values] = [this.#glancedHolders, this.#glancedKeys, this.#glanced];
    for (let index = 0; index < values.length; index++)
      if (holders[index]![keys[index]!] !== values[index]) return true;
    return false;
  }

  look(): readonly Change[] {
    const changes: Change[] = [];
    for (let index = 0; index < this.#parts.length; index++) {
      const part = this.#parts[index]!;
      const key = changedKey(part);
      if (key === undefined) continue;
      const what = part.name === "globalThis" ? String(key) : `${part.name}.${String(key)}`;
      changes.push({ what, isTolerable: false, isContagious: true });
    }
    return changes;
  }

  accept(): void {
    for (const part of this.#parts) {
      const isGlobal = part.name === "globalThis";
      part.keys = isGlobal ? GLOBALS : Reflect.ownKeys(part.holder);
      const held = (key: string | symbol): unknown => Object.getOwnPropertyDescriptor(part.holder, key)?.value;
      part.functionKeys = part.keys.filter((key) => typeof held(key) === "function");
      part.functions = part.functionKeys.map(held);
    }
    this.#inherited = inheritedKeys();
    const glanced = this.#parts.flatMap(({ name, holder }) =>
      (GLANCED[name] ?? []).map((key) => ({ holder, key, value: holder[key] })),
    );
    this.#glancedHolders = glanced.map(({ holder }) => holder);
    this.#glancedKeys = glanced.map(({ key }) => key);
    this.#glanced = glanced.map(({ value }) => value);
  }
}

/** A key that was added, removed, or whose function is another one. */
function changedKey({ name, holder, keys, functions, functionKeys }: Part): string | symbol | undefined {
  for (let index = 0; index < functions.length; index++)
    if (holder[functionKeys[index]!] !== functions[index]) return functionKeys[index];
  // What process and console hold comes and goes with what is used of them; new globals are the next state's.
  if (name === "globalThis" || name === "process" || name === "console") return undefined;
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
