import { FlowError, isFlowError } from "../../errors/flow-error.ts";
import { type ClassCodec, codecByName, parseStoredName } from "../codecs/registry.ts";
import type { CborDecoder } from "./decode.ts";
import { defineData } from "./define-data.ts";
import { StoredInstance } from "./kept-values.ts";

/**
 * An instance of a registered class from the data that follows. Where nothing but properties is to be set, the
 * instance exists before its data is read, so that the data may lead back to it.
 */
export function decodeInstance(decoder: CborDecoder, storedName: string, opening: number): unknown {
  const parsed = parseStoredName(storedName);
  const codec = parsed === undefined ? undefined : codecByName(parsed.name);
  if (parsed === undefined || codec === undefined) return keep(decoder, storedName, opening);
  if (parsed.version > codec.version || (parsed.version < codec.version && codec.upgrade === undefined))
    throw wrongVersion(codec, parsed.version);

  if (codec.decode === undefined && parsed.version === codec.version) {
    const instance = Object.create(codec.class.prototype as object) as object;
    decoder.close(opening, instance);
    return fill(instance, codec, decoder.value());
  }
  const stored = decoder.value();
  const data =
    parsed.version === codec.version ? stored : attempt(codec, "upgrade", () => codec.upgrade!(stored, parsed.version));
  if (codec.decode === undefined) return fill(Object.create(codec.class.prototype as object) as object, codec, data);
  const value = attempt(codec, "decode", () => codec.decode!(data));
  if (value === null || typeof value !== "object") throw failed(codec, "decode", "gave no object", undefined);
  return value;
}

function keep(decoder: CborDecoder, storedName: string, opening: number): StoredInstance {
  if (decoder.refusesUnknownClasses) {
    const shown = storedName.slice(0, 160);
    throw new FlowError("FLOW_ARTIFACT_UNKNOWN_CLASS", {
      message: `Cannot read an instance of "${shown}": no class is registered under this name`,
      hint: `Import the file or package that registers "${shown.replace(/@\d+$/, "")}" with @storable or defineCodec()`,
      context: { name: shown },
    });
  }
  const kept: { -readonly [K in keyof StoredInstance]: StoredInstance[K] } = new StoredInstance(storedName, undefined);
  decoder.close(opening, kept);
  kept.data = decoder.value();
  return kept;
}

function fill(instance: object, codec: ClassCodec, data: unknown): object {
  if (data === null || typeof data !== "object" || Array.isArray(data))
    throw failed(codec, "upgrade", "gave no object of properties", undefined);
  for (const [key, value] of Object.entries(data)) {
    // A plain assignment would call a setter of the class; code of the class is not run by reading.
    if (key in instance) defineData(instance, key, value);
    else (instance as Record<string, unknown>)[key] = value;
  }
  return instance;
}

function attempt(codec: ClassCodec, verb: "decode" | "upgrade", call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    if (isFlowError(error)) throw error;
    throw failed(codec, verb, `threw ${String(error)}`, error);
  }
}

function failed(codec: ClassCodec, verb: string, what: string, cause: unknown): FlowError {
  return new FlowError("FLOW_ARTIFACT_CODEC_FAILED", {
    message: `Cannot read an instance of "${codec.storedName}": its ${verb} function ${what}`,
    context: { name: codec.storedName },
    cause,
  });
}

function wrongVersion(codec: ClassCodec, version: number): FlowError {
  const isNewer = version > codec.version;
  return new FlowError("FLOW_ARTIFACT_CODEC_VERSION", {
    message: isNewer
      ? `Cannot read an instance of "${codec.name}": it was stored by version ${version} of the class, and this code knows version ${codec.version}`
      : `Cannot read an instance of "${codec.name}": it was stored by version ${version} of the class, and version ${codec.version} has no upgrade function`,
    hint: isNewer ? "Run the newer code" : `Give "${codec.name}" an upgrade function`,
    context: { name: codec.name, storedVersion: version, knownVersion: codec.version },
  });
}
