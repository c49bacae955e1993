/**
 * Names that TensorFlow.js makes up for layers count up over the life of a process: the same network built twice has other names,
 * and so other bytes. They are counted anew here, in the order in which they stand in the network. Names that were given stay.
 */

/** A part of a saved topology: a layer or a network. */
interface Part {
  readonly class_name?: unknown;
  readonly config?: { readonly name?: unknown };
  readonly name?: unknown;
}

/** Old names and what becomes of them. */
export function canonicalNames(topology: unknown): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const counts = new Map<string, number>();
  const given = new Set<string>();
  const visit = (value: unknown): void => {
    if (value === null || typeof value !== "object") return;
    const { class_name: className, config } = value as Part;
    if (typeof className === "string" && typeof config?.name === "string" && !names.has(config.name)) {
      const prefix = generatedPrefix(config.name, className);
      if (prefix === undefined) given.add(config.name);
      else {
        counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
        names.set(config.name, `${prefix}${counts.get(prefix)}`);
      }
    }
    for (const item of Object.values(value)) visit(item);
  };
  visit(topology);
  // A name that someone has given must not become that of another layer: then all stay as they are.
  return [...names.values()].some((name) => given.has(name)) ? new Map() : names;
}

/** A copy with other names: texts that are a name, or begin with one before a slash as names of weights do. */
export function renamed<T>(value: T, names: ReadonlyMap<string, string>): T {
  if (typeof value === "string") {
    const parts = value.split("/").map((part) => names.get(part) ?? part);
    return parts.join("/") as T;
  }
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((item: unknown) => renamed(item, names)) as T;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, renamed(item, names)])) as T;
}

/** `dense_Dense` of `dense_Dense7`, `sequential_` of `sequential_2`, `model` of `model1`, `input` of `input3`. */
function generatedPrefix(name: string, className: string): string | undefined {
  const match = /^(.*?)\d+$/.exec(name);
  const prefix = match?.[1];
  if (prefix === undefined) return undefined;
  const isGenerated =
    prefix.endsWith(`_${className}`) || ["sequential_", "model", "functional", "input"].includes(prefix);
  return isGenerated ? prefix : undefined;
}
