import { FlowError } from "../../errors/flow-error.ts";
import type { CodecId } from "../artifact.ts";
import { fileCodec, isCodecId } from "../codec-id.ts";
import { typedArrayKindByCodec } from "../typed-arrays.ts";

/** How values that a library makes become a payload of their own and back. `T` is the type that `matches` accepts. */
export interface ValueCodec<T> {
  /** Stored with every artifact, so chosen once: `arrow`, `acme/volume`. */
  readonly id: CodecId;
  /** Whether a top-level object belongs to this codec; it must not throw. */
  readonly matches: (value: object) => boolean;
  /** The payload; equal values must give equal bytes. */
  readonly encode: (value: T) => readonly Uint8Array[];
  /** The value of a payload, in memory of its own. Load the library here, on first use. */
  readonly decode: (payload: Uint8Array) => T;
}

const VALUE_CODECS = Symbol.for("millrace.value-codecs@1");

/** Shared through globalThis for the reason that registry.ts gives. */
export function valueCodecs(): Map<CodecId, ValueCodec<unknown>> {
  const holder = globalThis as { [VALUE_CODECS]?: Map<CodecId, ValueCodec<unknown>> };
  holder[VALUE_CODECS] ??= new Map();
  return holder[VALUE_CODECS];
}

/**
 * Registers a codec for whole artifacts, such as tables in Arrow format. Inside other values it is not used.
 *
 * The codec registered last is asked first. Registering an id again replaces it.
 *
 * @throws FlowError FLOW_ARTIFACT_BAD_CODEC for a malformed or built-in id
 */
export function defineValueCodec<T>(codec: ValueCodec<T>): void {
  const isBuiltIn = builtInCodecs.has(codec.id) || typedArrayKindByCodec(codec.id) !== undefined;
  if (isBuiltIn || !isCodecId(codec.id) || fileCodec(codec.id) !== undefined) {
    throw new FlowError("FLOW_ARTIFACT_BAD_CODEC", {
      message: `Cannot register the codec "${codec.id}": ${isBuiltIn ? "the id is built in" : "it is no id"}`,
      hint: "Choose an id of lower-case letters, digits, dots, slashes and hyphens",
      context: { id: codec.id },
    });
  }
  const codecs = valueCodecs();
  codecs.delete(codec.id);
  codecs.set(codec.id, codec as ValueCodec<unknown>);
}

/** Ids of `docs/formats/identity.md` besides those of typed arrays. */
export const builtInCodecs: ReadonlySet<CodecId> = new Set(["cbor", "bytes", "text", "item-page"]);
