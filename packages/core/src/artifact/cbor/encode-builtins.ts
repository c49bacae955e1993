/** The objects of the language that are neither plain objects nor arrays, and instances of registered classes. */
import { types } from "node:util";
import { FlowError, isFlowError } from "../../errors/flow-error.ts";
import { type ClassCodec, codecOfClass } from "../codecs/registry.ts";
import { type TypedArray, type TypedArrayKind, typedArrayBytes, typedArrayKindOf } from "../typed-arrays.ts";
import type { CborEncoder } from "./encode.ts";
import { hasExtraProperties } from "./extra-properties.ts";
import { isStoredInstance, isTagged } from "./kept-values.ts";
import { isKnownTag } from "./known-tags.ts";
import { refusalOf } from "./refusals.ts";
import { errorClasses, FIRST_TAGGED_DATE, JS, LAST_TAGGED_DATE, MAJOR, RESERVED_NAME_PREFIX, TAG } from "./tags.ts";
import { PLACE } from "./value-path.ts";

type Encode = (encoder: CborEncoder, value: never) => void;

const encoders = new Map<object, Encode>([
  [Map.prototype, encodeMap],
  [Set.prototype, encodeSet],
  [Date.prototype, encodeDate],
  [RegExp.prototype, encodeRegExp],
  [URL.prototype, encodeUrl],
  [Buffer.prototype, encodeBuffer],
  [ArrayBuffer.prototype, encodeArrayBuffer],
  [DataView.prototype, encodeDataView],
  [Number.prototype, encodeBoxed],
  [String.prototype, encodeBoxed],
  [Boolean.prototype, encodeBoxed],
  [BigInt.prototype, encodeBoxed],
]);

/** Encodes an object by its prototype. Proxies are sorted out before. */
export function encodeBuiltin(encoder: CborEncoder, value: object, prototype: object | null): void {
  if (prototype === null) encodeNullObject(encoder, value);
  else {
    const encode = encoders.get(prototype);
    if (encode !== undefined && isGenuine(value, prototype)) encode(encoder, value as never);
    else encodeOther(encoder, value, prototype);
  }
}

function encodeOther(encoder: CborEncoder, value: object, prototype: object): void {
  const kind = typedArrayKindOf(prototype);
  const codec = kind === undefined ? codecOf(prototype) : undefined;
  if (kind !== undefined && ArrayBuffer.isView(value)) encodeTypedArray(encoder, value as TypedArray, kind);
  else if (codec !== undefined) encodeInstance(encoder, value, codec);
  else if (isTagged(value)) encodeTagged(encoder, value.tag, value.value);
  else if (isStoredInstance(value)) encodeStored(encoder, value.name, value.data);
  else if (types.isNativeError(value) || value instanceof Error) encodeError(encoder, value);
  // Plain objects and arrays of another realm (node:vm) are plain all the same.
  else if (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf"))
    encoder.properties(value);
  else if (Array.isArray(value) && Object.hasOwn(prototype, "copyWithin")) encoder.array(value as readonly unknown[]);
  else encoder.refuse(refusalOf(value, prototype));
}

/** The codec must be the class's own: that of a base class would make a base instance of it. */
function codecOf(prototype: object): ClassCodec | undefined {
  const owner: unknown = Object.hasOwn(prototype, "constructor") ? prototype.constructor : undefined;
  return typeof owner === "function" ? codecOfClass(owner) : undefined;
}

function encodeNullObject(encoder: CborEncoder, object: object): void {
  if (types.isModuleNamespaceObject(object))
    encoder.refuse({ reason: "it is a module", hint: "Save what you need from it" });
  encoder.named(JS.nullObject);
  encoder.enter(PLACE.property);
  encoder.properties(object);
  encoder.leave();
}

function encodeTypedArray(encoder: CborEncoder, array: TypedArray, kind: TypedArrayKind): void {
  refuseView(encoder, array);
  encoder.tag(kind.tag);
  encoder.byteString(typedArrayBytes(array, kind));
}

/** `Object.create(Map.prototype)` looks like a Map and is none. */
function isGenuine(value: object, prototype: object): boolean {
  switch (prototype) {
    case Map.prototype:
      return types.isMap(value);
    case Set.prototype:
      return types.isSet(value);
    case Date.prototype:
      return types.isDate(value);
    case RegExp.prototype:
      return types.isRegExp(value);
    case Buffer.prototype:
      return types.isUint8Array(value);
    case ArrayBuffer.prototype:
      return types.isArrayBuffer(value);
    case DataView.prototype:
      return types.isDataView(value);
    case URL.prototype:
      return true; // Reading its href throws by itself when it is none.
    default:
      return types.isBoxedPrimitive(value);
  }
}

/** Other keys (1n, true, objects) collide or fail in other languages: such maps and sets go as lists. */
function isSimpleKey(key: unknown): boolean {
  return typeof key === "string" || typeof key === "number";
}

function everyKeyIsSimple(keys: Iterable<unknown>): boolean {
  for (const key of keys) if (!isSimpleKey(key)) return false;
  return true;
}

function encodeMap(encoder: CborEncoder, map: ReadonlyMap<unknown, unknown>): void {
  refuseOwnKeys(encoder, map, "Map", 0);
  const isSimple = everyKeyIsSimple(map.keys());
  const { size } = map;
  if (isSimple) encoder.tag(TAG.map);
  else encoder.named(JS.map);
  encoder.enter(PLACE.mapValue, 2);
  encoder.reserve(9);
  encoder.head(isSimple ? MAJOR.map : MAJOR.array, isSimple ? size : 2 * size);
  let index = 0;
  for (const [key, value] of map) {
    if (!isSimple) encoder.at(PLACE.mapKey, index);
    encoder.encode(key);
    encoder.at(PLACE.mapValue, key);
    encoder.encode(value);
    index++;
  }
  encoder.leave(2);
  if (index !== size || map.size !== size) encoder.refuse({ reason: "it changed while it was being saved" });
}

function encodeSet(encoder: CborEncoder, set: ReadonlySet<unknown>): void {
  refuseOwnKeys(encoder, set, "Set", 0);
  const { size } = set;
  if (everyKeyIsSimple(set)) encoder.tag(TAG.set);
  else encoder.named(JS.set);
  encoder.enter(PLACE.setMember, 2);
  encoder.reserve(9);
  encoder.head(MAJOR.array, size);
  let index = 0;
  for (const member of set) {
    encoder.at(PLACE.setMember, index++);
    encoder.encode(member);
  }
  encoder.leave(2);
  if (index !== size || set.size !== size) encoder.refuse({ reason: "it changed while it was being saved" });
}

function encodeDate(encoder: CborEncoder, date: Date): void {
  refuseOwnKeys(encoder, date, "Date", 0);
  const time = date.getTime();
  if (time >= FIRST_TAGGED_DATE && time <= LAST_TAGGED_DATE) {
    encoder.tag(TAG.date);
    encoder.reserve(9);
    encoder.number(time / 1000);
  } else {
    encoder.named(JS.date);
    encoder.reserve(9);
    encoder.number(time);
  }
}

function encodeRegExp(encoder: CborEncoder, pattern: RegExp): void {
  refuseOwnKeys(encoder, pattern, "RegExp", 1);
  if (pattern.lastIndex !== 0)
    encoder.refuse({ reason: "it is a RegExp in the middle of a match", hint: "Set its lastIndex to 0" });
  const { source, flags } = pattern;
  encoder.tag(TAG.regExp);
  encoder.simple(MAJOR.array | (flags === "" ? 1 : 2));
  encoder.text(source);
  if (flags !== "") encoder.text(flags);
}

function encodeUrl(encoder: CborEncoder, url: URL): void {
  refuseOwnKeys(encoder, url, "URL", 0);
  encoder.tag(TAG.url);
  encoder.text(url.href);
}

function encodeBuffer(encoder: CborEncoder, buffer: Buffer): void {
  refuseView(encoder, buffer);
  encoder.byteString(buffer);
}

function encodeArrayBuffer(encoder: CborEncoder, buffer: ArrayBuffer): void {
  refuseOwnKeys(encoder, buffer, "ArrayBuffer", 0);
  if (buffer.resizable)
    encoder.refuse({ reason: "it is a resizable ArrayBuffer", hint: "Save a copy of it: buffer.slice()" });
  refuseDetached(encoder, buffer);
  encoder.named(JS.arrayBuffer);
  encoder.byteString(new Uint8Array(buffer));
}

function encodeDataView(encoder: CborEncoder, view: DataView): void {
  refuseOwnKeys(encoder, view, "DataView", 0);
  refuseShared(encoder, view);
  encoder.named(JS.dataView);
  encoder.byteString(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
}

// biome-ignore lint/complexity/noBannedTypes: a boxed primitive is what is meant
function encodeBoxed(encoder: CborEncoder, boxed: Number | String | Boolean | BigInt): void {
  refuseOwnKeys(encoder, boxed, "boxed primitive", boxed instanceof String ? boxed.length + 1 : 0);
  encoder.named(JS.boxed);
  encoder.encode(boxed.valueOf());
}

function encodeInstance(encoder: CborEncoder, value: object, codec: ClassCodec): void {
  if (codec.encode === undefined) {
    encoder.named(codec.storedName);
    encoder.enter(PLACE.property);
    encoder.properties(value);
    encoder.leave();
    return;
  }
  let data: unknown;
  try {
    data = codec.encode(value);
  } catch (error) {
    if (isFlowError(error)) throw error;
    const path = encoder.path();
    throw new FlowError("FLOW_ARTIFACT_CODEC_FAILED", {
      message: `Cannot save ${path}: the encode function of "${codec.storedName}" threw ${String(error)}`,
      context: { path, name: codec.storedName },
      cause: error,
    });
  }
  encoder.named(codec.storedName);
  encoder.whileUnfinished(value, () => {
    encoder.enter(PLACE.property);
    encoder.encode(data);
    encoder.leave();
  });
}

function encodeTagged(encoder: CborEncoder, tag: number, value: unknown): void {
  if (!Number.isSafeInteger(tag) || tag < 0 || isKnownTag(tag)) {
    encoder.refuse({
      reason: `it is a Tagged with the tag ${tag}, which has a meaning of its own`,
      hint: "Save the value that the tag means",
    });
  }
  encoder.tag(tag);
  encoder.enter(PLACE.property);
  encoder.at(PLACE.property, "value");
  encoder.encode(value);
  encoder.leave();
}

function encodeStored(encoder: CborEncoder, name: string, data: unknown): void {
  if (typeof name !== "string" || name.startsWith(RESERVED_NAME_PREFIX)) {
    encoder.refuse({ reason: `it is a StoredInstance with the reserved name ${JSON.stringify(name)}` });
  }
  encoder.named(name);
  encoder.enter(PLACE.property);
  encoder.at(PLACE.property, "data");
  encoder.encode(data);
  encoder.leave();
}

/** An Error is always kept: its nearest built-in class, name, message, stack, and its own properties. */
function encodeError(encoder: CborEncoder, error: Error): void {
  let link: object | null = Object.getPrototypeOf(error);
  let className = "Error";
  for (; link !== null; link = Object.getPrototypeOf(link)) {
    const owner: unknown = Object.hasOwn(link, "constructor") ? link.constructor : undefined;
    if (typeof owner === "function" && errorClasses.get(owner.name) === owner) {
      className = owner.name;
      break;
    }
  }
  const own = Object.keys(error).filter((key) => key !== "message" && key !== "stack");
  const hidden = ["cause", "errors"].filter((key) => Object.hasOwn(error, key) && !own.includes(key));
  const keys = [...hidden, ...own];
  encoder.named(JS.error);
  encoder.reserve(9);
  encoder.head(MAJOR.array, 5);
  encoder.text(className);
  encoder.text(String(error.name));
  encoder.text(String(error.message));
  encoder.text(String(error.stack ?? ""));
  encoder.enter(PLACE.property, 2);
  encoder.reserve(9);
  encoder.head(MAJOR.map, keys.length);
  for (const key of keys) {
    encoder.text(key);
    encoder.at(PLACE.property, key);
    encoder.encode((error as unknown as Readonly<Record<string, unknown>>)[key]);
  }
  encoder.leave(2);
}

function refuseOwnKeys(encoder: CborEncoder, value: object, noun: string, expected: number): void {
  if (Reflect.ownKeys(value).length !== expected)
    encoder.refuse({ reason: `it is a ${noun} with own properties`, hint: "Copy them into an object" });
}

function refuseView(encoder: CborEncoder, view: TypedArray): void {
  refuseShared(encoder, view);
  if (hasExtraProperties(view))
    encoder.refuse({ reason: "it is a typed array with named properties", hint: "Copy them into an object" });
}

function refuseShared(encoder: CborEncoder, view: ArrayBufferView): void {
  if (types.isSharedArrayBuffer(view.buffer))
    encoder.refuse({ reason: "it is a view of shared memory", hint: "Save a copy of it" });
  else refuseDetached(encoder, view.buffer as ArrayBuffer);
}

/** A buffer that was transferred to another thread is empty: saving it would lose what was there. */
function refuseDetached(encoder: CborEncoder, buffer: ArrayBuffer): void {
  if (buffer.detached)
    encoder.refuse({
      reason: "its memory was transferred to another thread",
      hint: "Save it before it is transferred",
    });
}
