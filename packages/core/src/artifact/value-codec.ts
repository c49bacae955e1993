/**
 * A value and its payload (docs/formats/identity.md).
 *
 * Top-level buffers, typed arrays and texts are stored as they are, so that other programs read the blob without any
 * library; whatever a registered value codec claims goes by that; everything else is CBOR. Inside other values there is
 * CBOR alone. Invariant: equal values have equal codec and digest, on every machine.
 */
import { types } from "node:util";
import { FlowError, isFlowError } from "../errors/flow-error.ts";
import type { ArtifactRef, CodecId, EncodedArtifact } from "./artifact.ts";
import { ByteReader } from "./cbor/byte-reader.ts";
import { tooLarge } from "./cbor/byte-writer.ts";
import { type CborDecodeOptions, decodeCbor } from "./cbor/decode.ts";
import { encodeCbor } from "./cbor/encode.ts";
import { hasExtraProperties } from "./cbor/extra-properties.ts";
import { unsupportedType } from "./cbor/unsupported-type.ts";
import { valueCodecs } from "./codecs/value-codecs.ts";
import { digestOf } from "./digest.ts";
import {
  memoryOf,
  type TypedArray,
  typedArrayBytes,
  typedArrayFrom,
  typedArrayKindByCodec,
  typedArrayKindOf,
} from "./typed-arrays.ts";

/** 2 GiB: what one write to a file takes at most. */
export const DEFAULT_MAX_BYTES = 2 * 1024 ** 3;

export interface EncodeOptions {
  /** What messages call the value, such as `this.model`; default `this`. */
  readonly path?: string;
  /** Refuse larger encodings; bytes, default 2 GiB. */
  readonly maxBytes?: number;
  /** What the value was when it was read: a large array that is still the same is then found out with less work. */
  readonly known?: ArtifactRef;
  /** The payload of `known`, where it is at hand: comparing takes a fifth of the time of hashing. */
  readonly knownBytes?: Uint8Array | undefined;
}

export interface DecodeOptions extends CborDecodeOptions {
  /** Whether the payload's memory is given away: a raw array then takes it over instead of copying it. Default false. */
  readonly isGiven?: boolean;
  /** Whether an array is to lie in the payload's own memory, which may be shared and must hold nothing else. Default false. */
  readonly isLent?: boolean;
}

/** Whether a payload of this codec is the memory of a typed array or of a Buffer. */
export function isMemoryCodec(codec: CodecId): boolean {
  return codec === "bytes" || typedArrayKindByCodec(codec) !== undefined;
}

/**
 * Encodes a value and computes its identity.
 *
 * The chunks may be views of the value's own memory: write them before the value changes.
 *
 * @param value anything that is data: what the language has, and instances of registered classes
 * @throws FlowError FLOW_ARTIFACT_UNSERIALISABLE (with the path), FLOW_ARTIFACT_TOO_LARGE, FLOW_ARTIFACT_CODEC_FAILED
 * @example
 * encodeValue(new Float64Array(3)).codec; // "float64"
 * encodeValue({ rows: 3 }, { path: "this.summary" }).codec; // "cbor"
 */
export function encodeValue(value: unknown, options: EncodeOptions = {}): EncodedArtifact {
  const { path = "this", maxBytes = DEFAULT_MAX_BYTES } = options;
  // What was read from a store has its NaNs in the stored form already: if the memory still is the payload, nobody has to
  // look at each of its numbers.
  const memory = options.known === undefined ? undefined : comparableMemory(value, options.known);
  const { known, knownBytes } = options;
  if (memory !== undefined && knownBytes !== undefined && Buffer.compare(memory, knownBytes) === 0)
    return { ...known!, chunks: [memory] };
  const memoryDigest = memory === undefined ? undefined : digestOf([memory]);
  if (memory !== undefined && memoryDigest === known?.digest) return { ...known!, chunks: [memory] };
  const { codec, chunks } = encodePayload(value, path, maxBytes);
  let sizeBytes = 0;
  for (const chunk of chunks) sizeBytes += chunk.byteLength;
  if (sizeBytes > maxBytes) throw tooLarge(maxBytes);
  const isMemory = memory !== undefined && chunks.length === 1 && chunks[0]!.buffer === memory.buffer;
  return { codec, digest: isMemory ? memoryDigest! : digestOf(chunks), sizeBytes, chunks };
}

/**
 * The value of a payload, in memory of its own: changing it changes nothing that is stored.
 *
 * @throws FlowError FLOW_ARTIFACT_UNKNOWN_CODEC, and what `decodeCbor` throws
 */
export function decodeValue(codec: CodecId, payload: Uint8Array, options: DecodeOptions = {}): unknown {
  if (codec === "cbor") return decodeCbor(payload, options);
  if (codec === "text") return new ByteReader(payload).text(payload.byteLength);
  const isTaken = options.isLent === true || isGiven(payload, options);
  if (codec === "bytes") return isTaken ? Buffer.from(payload.buffer) : Buffer.from(payload);
  const kind = typedArrayKindByCodec(codec);
  if (kind !== undefined) {
    if (payload.byteLength % kind.width !== 0) new ByteReader(payload).corrupt(`a ${kind.name} ends inside an element`);
    return typedArrayFrom(payload, kind, { isGiven: isTaken }) ?? unsupportedType(kind.name);
  }
  const plugIn = valueCodecs().get(codec);
  if (plugIn === undefined) {
    throw new FlowError("FLOW_ARTIFACT_UNKNOWN_CODEC", {
      message: `Cannot read an artifact: its codec "${codec}" is not loaded`,
      hint: `Import the package that defines the codec "${codec}"`,
      context: { codec },
    });
  }
  return withCodecErrors(codec, "Cannot read an artifact", "decode", () => plugIn.decode(payload));
}

/** Whether the payload's memory may become the value's: the caller gives it away and nothing else lies in it. */
function isGiven(payload: Uint8Array, options: DecodeOptions): payload is Uint8Array<ArrayBuffer> {
  return (
    options.isGiven === true &&
    payload.byteLength === payload.buffer.byteLength &&
    payload.buffer instanceof ArrayBuffer
  );
}

/** The memory of an array whose payload could be that of the known artifact: same codec, same size, nothing odd about it. */
function comparableMemory(value: unknown, known: ArtifactRef): Uint8Array | undefined {
  if (!ArrayBuffer.isView(value) || value.byteLength !== known.sizeBytes || types.isSharedArrayBuffer(value.buffer))
    return undefined;
  if (typedArrayKindOf(Object.getPrototypeOf(value))?.codec !== known.codec || hasExtraProperties(value as TypedArray))
    return undefined;
  return memoryOf(value as TypedArray);
}

interface Payload {
  readonly codec: CodecId;
  readonly chunks: readonly Uint8Array[];
}

function encodePayload(value: unknown, path: string, maxBytes: number): Payload {
  if (typeof value === "string" && value.isWellFormed()) return { codec: "text", chunks: [Buffer.from(value)] };
  if (typeof value === "object" && value !== null && !types.isProxy(value)) {
    const payload = rawPayload(value) ?? plugInPayload(value, path);
    if (payload !== undefined) return payload;
  }
  return { codec: "cbor", chunks: encodeCbor(value, { path, maxBytes }) };
}

/** Buffers and typed arrays as they are. Those that CBOR would refuse are left to it, for the message. */
function rawPayload(value: object): Payload | undefined {
  if (!ArrayBuffer.isView(value)) return undefined;
  const prototype: object = Object.getPrototypeOf(value);
  const kind = typedArrayKindOf(prototype);
  if (kind === undefined && prototype !== Buffer.prototype) return undefined;
  const array = value as TypedArray;
  const isPlain =
    !types.isSharedArrayBuffer(array.buffer) && !(array.buffer as ArrayBuffer).detached && !hasExtraProperties(array);
  if (!isPlain) return undefined;
  return kind === undefined
    ? { codec: "bytes", chunks: [value as Buffer] }
    : { codec: kind.codec, chunks: [typedArrayBytes(array, kind)] };
}

function plugInPayload(value: object, path: string): Payload | undefined {
  const codecs = valueCodecs();
  if (codecs.size === 0) return undefined;
  const plugIn = [...codecs.values()].findLast((candidate) => candidate.matches(value));
  if (plugIn === undefined) return undefined;
  return {
    codec: plugIn.id,
    chunks: withCodecErrors(plugIn.id, `Cannot save ${path}`, "encode", () => plugIn.encode(value)),
  };
}

function withCodecErrors<T>(codec: CodecId, failure: string, verb: "encode" | "decode", call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (isFlowError(error)) throw error;
    throw new FlowError("FLOW_ARTIFACT_CODEC_FAILED", {
      message: `${failure}: the ${verb} function of the codec "${codec}" threw ${String(error)}`,
      context: { codec },
      cause: error,
    });
  }
}
