import { types } from "node:util";
import { codecOfClass } from "../codecs/registry.ts";
import { keptContent } from "../files/stored-file.ts";
import type { Refusal } from "../unserialisable.ts";

/** Why an object is no data that can be kept, in words that tell the user what it is. */
export function refusalOf(value: object, prototype: object): Refusal {
  if (types.isPromise(value)) return { reason: "it is a Promise", hint: "Await it: was await forgotten?" };
  if (types.isGeneratorObject(value))
    return { reason: "it is a generator", hint: "Collect its values: [...generator]" };
  if (types.isMapIterator(value) || types.isSetIterator(value))
    return { reason: "it is an iterator", hint: "Collect its values: [...iterator]" };
  if (types.isWeakMap(value) || types.isWeakSet(value) || value instanceof WeakRef) {
    return { reason: `it is a ${className(prototype)}, whose contents cannot be listed`, hint: "Use a Map or Set" };
  }
  if (types.isSharedArrayBuffer(value)) return { reason: "it is shared memory", hint: "Save a copy of it" };
  const foreign = foreignNoun(value, prototype);
  if (foreign !== undefined) {
    return {
      reason: `it is a ${foreign} of another realm (node:vm)`,
      hint: `Save a copy made here: new ${foreign}(…)`,
    };
  }
  if (keptContent(value) !== undefined) {
    return {
      reason: "it is a file inside of another value",
      hint: "Keep each file in a field of its own, or several of them as one folder(…)",
    };
  }
  const base = registeredBase(prototype);
  const name = className(prototype);
  if (base !== undefined) {
    return {
      reason: `an instance of ${name} has no codec; only its base class is registered, as "${base}"`,
      hint: `Register ${name} with @storable or defineCodec()`,
    };
  }
  return {
    reason: `an instance of ${name} has no codec`,
    hint: `Register ${name} with @storable or defineCodec(), or save only its data`,
  };
}

function className(prototype: object): string {
  const owner: unknown = Object.hasOwn(prototype, "constructor") ? prototype.constructor : undefined;
  return (typeof owner === "function" && owner.name) || "an unknown class";
}

/** Values of another realm have other prototypes; those of subclasses have ours above them. */
function foreignNoun(value: object, prototype: object): string | undefined {
  if (Object.prototype.isPrototypeOf.call(Object.prototype, prototype)) return undefined;
  if (types.isMap(value)) return "Map";
  if (types.isSet(value)) return "Set";
  if (types.isDate(value)) return "Date";
  if (types.isRegExp(value)) return "RegExp";
  return types.isTypedArray(value) ? className(prototype) : undefined;
}

function registeredBase(prototype: object): string | undefined {
  for (let link: object | null = Object.getPrototypeOf(prototype); link !== null; link = Object.getPrototypeOf(link)) {
    const codec = Object.hasOwn(link, "constructor") ? codecOfClass(link.constructor) : undefined;
    if (codec !== undefined) return codec.name;
  }
  return undefined;
}
