/**
 * An object whose every property is a promise, made when it is asked for: `await run.data.modeler`. The names are not
 * known before the store answers, hence the proxy. It is no promise itself (`then` is undefined), so that returning it
 * from an async function does not try to wait for an artifact called "then".
 */
export function promiseRecord<T extends object>(load: (name: string) => Promise<unknown>): T {
  return new Proxy(Object.create(null) as T, {
    get: (_target, name) => (typeof name === "symbol" || name === "then" ? undefined : load(name)),
    set: (_target, name) => refuse(name),
    defineProperty: (_target, name) => refuse(name),
    deleteProperty: (_target, name) => refuse(name),
  });
}

function refuse(name: string | symbol): never {
  throw new TypeError(`Cannot change "${String(name)}": what a run left behind is read-only`);
}
