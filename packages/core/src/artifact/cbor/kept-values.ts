/**
 * What stands for data that this program does not understand: it is readable, and it encodes to the bytes it was
 * decoded from. The prototypes carry a mark, so that an encoder of another copy of core knows them too.
 */

const TAGGED = Symbol.for("millrace.Tagged");
const STORED_INSTANCE = Symbol.for("millrace.StoredInstance");

/** A CBOR tag without a meaning here, and the value that it stands before. */
export class Tagged {
  readonly tag: number;
  readonly value: unknown;
  constructor(tag: number, value: unknown) {
    this.tag = tag;
    this.value = value;
  }
  static {
    Object.defineProperty(Tagged.prototype, TAGGED, { value: true });
    Object.defineProperty(Tagged, "name", { value: "Tagged", configurable: true });
  }
}

/**
 * An instance of a class whose codec is not loaded.
 *
 * @example
 * const modeler = await run.data.modeler; // in a program that does not import the class
 * modeler.name; // "acme.Modeler@2"
 * modeler.data; // { trees: [ … ] }
 */
export class StoredInstance {
  /** Name and version as stored, such as `acme.Modeler@2`. */
  readonly name: string;
  readonly data: unknown;
  constructor(name: string, data: unknown) {
    this.name = name;
    this.data = data;
  }
  static {
    Object.defineProperty(StoredInstance.prototype, STORED_INSTANCE, { value: true });
    // A bundler renames a class that speaks of itself, and users see this name.
    Object.defineProperty(StoredInstance, "name", { value: "StoredInstance", configurable: true });
  }
}

export function isTagged(value: object): value is Tagged {
  return Object.hasOwn(Object.getPrototypeOf(value), TAGGED);
}

export function isStoredInstance(value: object): value is StoredInstance {
  return Object.hasOwn(Object.getPrototypeOf(value), STORED_INSTANCE);
}
