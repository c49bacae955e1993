/**
 * A flow object that tells what a step looks at: which fields it asks for before it has set them itself, and whether it
 * asks in ways that no list of names answers. The step cache needs to know it exactly, also of fields that are not there.
 *
 * A proxy stands in the place of the object. It is what the constructor of the flow has as `this` (`flow.ts`), so that
 * private members, which a proxy does not pass on, are members of the proxy itself.
 */
import { inspect } from "node:util";

/** Told what a step looks at on its flow object. */
export interface FieldWatch {
  /** Nothing is told before, while the object is built and bound. */
  readonly isOn: boolean;
  /** A field is asked for, or whether it is there, before the step has set it; told once for each name. */
  fieldRead(name: string): void;
  /** A field is set or deleted before it was asked for; told once for each name. */
  fieldSet(name: string): void;
  /** The step asks of which class it is. */
  classRead(): void;
  /** The step depends on something that has no name, such as the list of all fields. */
  unknownRead(what: string): void;
}

/**
 * @param flow the object itself, whose fields are bound
 * @returns what the step gets to see as `this`
 */
export function watchFields(flow: object, watch: FieldWatch): object {
  const touched = new Set<PropertyKey>();
  const isNew = (key: PropertyKey): key is string => {
    if (!watch.isOn || typeof key !== "string" || key === "signal" || touched.has(key)) return false;
    touched.add(key);
    return true;
  };
  // Methods and accessors of the class are code, not fields; what they do with `this` is seen on its own.
  const isMember = (key: PropertyKey): boolean => !Object.hasOwn(flow, key) && key in flow;
  const read = (key: PropertyKey): void => {
    if (isMember(key)) {
      if (key === "constructor" && watch.isOn) watch.classRead();
    } else if (isNew(key)) watch.fieldRead(key);
  };
  const set = (key: PropertyKey): void => {
    if (isNew(key)) watch.fieldSet(key);
  };
  const shown: object = new Proxy(flow, {
    get(_, key, receiver) {
      read(key);
      return Reflect.get(flow, key, receiver);
    },
    has(_, key) {
      read(key);
      return Reflect.has(flow, key);
    },
    getOwnPropertyDescriptor(_, key) {
      read(key);
      return Reflect.getOwnPropertyDescriptor(flow, key);
    },
    set(_, key, value, receiver) {
      if (isMember(key)) return Reflect.set(flow, key, value, receiver); // A setter of the class sees what the step sees.
      set(key);
      return Reflect.set(flow, key, value, flow);
    },
    defineProperty(_, key, descriptor) {
      set(key);
      return Reflect.defineProperty(flow, key, descriptor);
    },
    deleteProperty(_, key) {
      set(key);
      return Reflect.deleteProperty(flow, key);
    },
    ownKeys() {
      if (watch.isOn) watch.unknownRead("the list of its fields (Object.keys(this), {...this} or the like)");
      return Reflect.ownKeys(flow);
    },
    getPrototypeOf() {
      if (watch.isOn) watch.classRead();
      return Reflect.getPrototypeOf(flow);
    },
  });
  // Node's inspection looks behind a proxy, past all of the above.
  Object.defineProperty(flow, inspect.custom, {
    enumerable: false,
    configurable: true,
    value: (_depth: number, options: object) => {
      if (watch.isOn) watch.unknownRead("the list of its fields (it prints `this`)");
      return inspect(flow, { ...options, customInspect: false });
    },
  });
  return shown;
}
