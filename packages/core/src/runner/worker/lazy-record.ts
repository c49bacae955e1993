/**
 * Read-only objects whose properties are computed when they are read; `in`, `Object.keys` and spreading work. A join may
 * receive 100,000 of them: all share one handler, and each costs its source alone.
 */
import { inspect } from "node:util";
import { FlowError } from "../../errors/flow-error.ts";

/** Where the properties come from; `lazyRecord` puts a proxy before it. */
export abstract class LazySource {
  /** What it is, for messages: `a join's input`. */
  abstract readonly what: string;
  abstract names(): readonly string[];
  abstract read(name: string): unknown;
  /** Told when somebody looks at whether a name is there; without a name, at all names. */
  asked(_name?: string): void {}

  // Printing a proxy shows its target, so the target says what it stands for.
  [inspect.custom](): string {
    this.asked();
    return `[${this.what}: ${this.names().join(", ")}]`;
  }
}

export function lazyRecord(source: LazySource): object {
  return new Proxy(source, HANDLER);
}

const HANDLER: ProxyHandler<LazySource> = {
  get: (source, key) => (typeof key === "symbol" || key === "then" || key === "toJSON" ? undefined : source.read(key)),
  has,
  ownKeys: (source) => {
    source.asked();
    return [...source.names()];
  },
  getOwnPropertyDescriptor: (source, key) =>
    has(source, key) ? { enumerable: true, configurable: true, get: () => source.read(String(key)) } : undefined,
  getPrototypeOf: () => null,
  defineProperty: (source, key) => refuse("set", source, key),
  set: (source, key) => refuse("set", source, key),
  deleteProperty: (source, key) => refuse("delete", source, key),
};

function has(source: LazySource, key: string | symbol): boolean {
  if (typeof key !== "string") return false;
  source.asked(key);
  return source.names().includes(key);
}

function refuse(verb: "set" | "delete", { what }: LazySource, key: string | symbol): never {
  throw new FlowError("FLOW_RUNNER_READ_ONLY", {
    message: `Cannot ${verb} "${String(key)}" of ${what}: they are kept as they are`,
    ...(verb === "set" ? { hint: "Assign to a field of this flow instead" } : {}),
  });
}
