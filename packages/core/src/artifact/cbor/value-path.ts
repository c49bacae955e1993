/** What kind of place a key names, so that the path can be written as the user would reach it. */
export const PLACE = { property: 0, index: 1, mapKey: 2, mapValue: 3, setMember: 4 } as const;
export type Place = (typeof PLACE)[keyof typeof PLACE];

/** One part of a path in the user's own notation: `.name`, `["a b"]`, `[3]`, `.get("k")`, `.values()[0]`. */
export function pathPart(place: Place, key: unknown): string {
  switch (place) {
    case PLACE.property:
      return propertyPart(String(key));
    case PLACE.index:
      return `[${key}]`;
    case PLACE.mapKey:
      return `.keys()[${key}]`;
    case PLACE.mapValue:
      return `.get(${keyText(key)})`;
    case PLACE.setMember:
      return `.values()[${key}]`;
  }
}

export function propertyPart(name: string): string {
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}

function keyText(key: unknown): string {
  if (typeof key === "string") return JSON.stringify(key);
  if (typeof key === "bigint") return `${key}n`;
  return key === null || (typeof key !== "object" && typeof key !== "function") ? String(key) : "…";
}
