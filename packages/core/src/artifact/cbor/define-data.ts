/** Own data even where the prototype has a setter of this name, as it has for `__proto__`. */
export function defineData(object: object, key: string, value: unknown, enumerable = true): void {
  Object.defineProperty(object, key, { value, enumerable, writable: true, configurable: true });
}
