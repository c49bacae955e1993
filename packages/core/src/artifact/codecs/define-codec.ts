import { FlowError } from "../../errors/flow-error.ts";
import { captureCallSite } from "../../util/call-site.ts";
import { type AnyClass, badCodec, type ClassCodec, registerCodec } from "./registry.ts";

/** How to store instances of a class. `T` is the class, `D` the data that stands for an instance. */
export interface CodecDefinition<T, D> {
  /** The stored name, chosen once and kept when the class is renamed: letters, digits, `.` and `/`, at most 128 characters. */
  readonly name: string;
  readonly class: AnyClass<T>;
  /** Raise it when the data changes its form; whole number, default 1. */
  readonly version?: number;
  /** Data of an instance: anything that can be saved. */
  readonly encode: (value: T) => D;
  /** The instance of data. */
  readonly decode: (data: D) => T;
  /** Turns data of an older version into data of this one. */
  readonly upgrade?: (data: unknown, fromVersion: number) => D;
}

/**
 * Registers a codec for a class that you cannot decorate.
 *
 * The data is encoded in place of the instance. An instance that reaches itself through its own data cannot be saved
 * this way, since `decode` needs finished data; `@storable` without `decode` can.
 *
 * @throws FlowError FLOW_ARTIFACT_BAD_CODEC, FLOW_ARTIFACT_CODEC_TAKEN
 * @example
 * defineCodec({
 *   name: "acme.Money",
 *   class: Money,
 *   encode: (money) => ({ cents: money.cents, currency: money.currency }),
 *   decode: (data) => new Money(data.cents, data.currency),
 * });
 */
export function defineCodec<T, D>(definition: CodecDefinition<T, D>): void {
  const { name, version = 1, encode, decode, upgrade } = definition;
  registerCodec({
    name,
    version,
    storedName: `${name}@${version}`,
    class: definition.class,
    encode: encode as (value: unknown) => unknown,
    decode: decode as (data: unknown) => unknown,
    ...(upgrade === undefined ? {} : { upgrade }),
    source: sourceOf(definition.class, version, encode, decode, upgrade),
    site: captureCallSite(defineCodec),
  });
}

/** Options of `@storable`. `encode` and `decode` come as a pair; without them the default codec keeps the own properties. */
export interface StorableOptions<T, D> {
  readonly name: string;
  readonly version?: number;
  readonly upgrade?: (data: unknown, fromVersion: number) => D;
  readonly encode?: (value: T) => D;
  readonly decode?: (data: D) => T;
}

/**
 * Lets instances of a class be saved as artifacts.
 *
 * By default the own enumerable properties are kept, and reading makes an object of the class with these properties
 * without calling the constructor. Private `#fields` and state of built-in classes (`extends Map`) cannot be kept this
 * way: such classes give `encode` and `decode`. A subclass needs its own `@storable`.
 *
 * @throws FlowError FLOW_ARTIFACT_BAD_CODEC, FLOW_ARTIFACT_CODEC_TAKEN when the class is evaluated
 * @example
 * @storable({ name: "acme.Modeler", version: 2, upgrade: (data) => ({ seed: 1, ...(data as object) }) })
 * export class Modeler { … }
 */
export function storable<T = unknown, D = unknown>(
  options: StorableOptions<T, D>,
): (target: AnyClass<T>, context: ClassDecoratorContext) => void {
  const site = captureCallSite(storable);
  return (target, context) => {
    if (context?.kind !== "class") {
      throw new FlowError("FLOW_ARTIFACT_BAD_CODEC", {
        message: `Cannot register "${options.name}": @storable stands before something that is no class, or decorators are compiled in the legacy way`,
        hint: 'Put it before a class, and remove "experimentalDecorators" from tsconfig.json',
        context: { name: options.name },
      });
    }
    const { name, version = 1, encode, decode, upgrade } = options;
    const both = encode !== undefined && decode !== undefined;
    if (!both) {
      if (encode !== undefined || decode !== undefined) {
        throw badCodec({ name, class: target }, "it has one of encode and decode", "Give both, or neither");
      }
      refuseWhatDefaultsLose(name, target);
    }
    registerCodec({
      name,
      version,
      storedName: `${name}@${version}`,
      class: target,
      ...(both ? { encode: encode as ClassCodec["encode"] & {}, decode: decode as ClassCodec["decode"] & {} } : {}),
      ...(upgrade === undefined ? {} : { upgrade }),
      source: sourceOf(target, version, encode, decode, upgrade),
      site,
    });
  };
}

const builtInClasses: readonly AnyClass[] = [
  ...[Map, Set, WeakMap, WeakSet, WeakRef, Array, Date, RegExp, Promise, Error, Function],
  ...[
    ArrayBuffer,
    SharedArrayBuffer,
    DataView,
    Object.getPrototypeOf(Uint8Array) as AnyClass,
    String,
    Number,
    Boolean,
    URL,
  ],
];

function refuseWhatDefaultsLose(name: string, target: AnyClass): void {
  const hint = "Give encode and decode to @storable";
  const base = builtInClasses.find((builtIn) => target.prototype instanceof builtIn);
  if (base !== undefined)
    throw badCodec({ name, class: target }, `it extends ${base.name}, whose contents are no properties`, hint);
  for (
    let link: unknown = target;
    typeof link === "function" && link !== Function.prototype;
    link = Object.getPrototypeOf(link)
  ) {
    // `this.#x` is how private members are used; compilers that lower them leave __privateAdd(this, …) instead.
    const text = Function.prototype.toString.call(link);
    if (/\bthis\.#[A-Za-z_$]|__privateAdd\(this|__classPrivateField/.test(text)) {
      throw badCodec({ name, class: target }, "it has #private members, which cannot be read from outside", hint);
    }
  }
}

function sourceOf(target: AnyClass, version: number, ...functions: readonly (object | undefined)[]): string {
  const texts = [target, ...functions].map((f) => (f === undefined ? "" : Function.prototype.toString.call(f)));
  return [version, ...texts].join("\n\0");
}
