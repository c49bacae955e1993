/** A value as JSON keeps it, or the path of the first part that JSON would lose or change. */
export type JsonSafe =
  | { readonly kind: "json"; readonly value: unknown }
  | { readonly kind: "unsafe"; readonly path: string; readonly what: string };

/**
 * Turns encoded input of a schema into plain JSON. Dates become ISO text and bigints decimal text, which `z.coerce`
 * reads back; properties that are undefined are left out; anything else that JSON does not know is refused.
 */
export function jsonSafe(value: unknown, path = ""): JsonSafe {
  switch (typeof value) {
    case "string":
    case "boolean":
      return { kind: "json", value };
    case "number":
      return Number.isFinite(value) ? { kind: "json", value } : unsafe(path, String(value));
    case "bigint":
      return { kind: "json", value: value.toString() };
    case "object":
      return jsonSafeObject(value, path);
    default:
      return unsafe(path, `${typeof value === "undefined" ? "" : "a "}${typeof value}`);
  }
}

function jsonSafeObject(value: object | null, path: string): JsonSafe {
  if (value === null) return { kind: "json", value };
  if (value instanceof Date)
    return Number.isNaN(value.getTime())
      ? unsafe(path, "an invalid date")
      : { kind: "json", value: value.toISOString() };
  if (Array.isArray(value)) {
    const items: unknown[] = [];
    for (const [index, item] of value.entries()) {
      const safe = jsonSafe(item, `${path}[${index}]`);
      if (safe.kind === "unsafe") return safe;
      items.push(safe.value);
    }
    return { kind: "json", value: items };
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    return unsafe(path, `a ${value.constructor?.name ?? "object"}`);
  const entries: [string, unknown][] = [];
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    const safe = jsonSafe(item, path === "" ? key : `${path}.${key}`);
    if (safe.kind === "unsafe") return safe;
    entries.push([key, safe.value]);
  }
  return { kind: "json", value: Object.fromEntries(entries) };
}

function unsafe(path: string, what: string): JsonSafe {
  return { kind: "unsafe", path, what };
}
