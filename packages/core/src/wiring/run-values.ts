import type { EncodedArtifact, NewBlob } from "../artifact/artifact.ts";
import type { ArtifactStore } from "../artifact/artifact-store.ts";
import { encodeValue } from "../artifact/value-codec.ts";
import { isFlowError, type Problem, problemsError } from "../errors/flow-error.ts";
import { constantsOf } from "../flow/bind-flow.ts";
import type { Flow } from "../flow/flow.ts";
import type { FlowClass } from "../flow/public-types.ts";
import type { ResolvedField } from "../flow/resolve-fields.ts";
import type { NewRunValue } from "../metadata/metadata-store.ts";

export type EncodedRunValue = Pick<NewRunValue, "name" | "kind"> & { readonly encoded: EncodedArtifact };

/**
 * Parameters, configs, files and constants, encoded once: every task sees them. Secrets are never among them.
 *
 * @throws FlowError with all values that cannot be kept at once
 */
export function encodeRunValues(
  flowClass: FlowClass<Flow>,
  fields: readonly ResolvedField[],
): readonly EncodedRunValue[] {
  const values: EncodedRunValue[] = [];
  const problems: Problem[] = [];
  const encode = (name: string, kind: NewRunValue["kind"], value: unknown): void => {
    try {
      values.push({ name, kind, encoded: encodeValue(value, { path: `this.${name}` }) });
    } catch (error) {
      if (!isFlowError(error)) throw error;
      const { code, message, hint } = error;
      problems.push({ code, message, ...(hint === undefined ? {} : { hint }) });
    }
  };
  for (const field of fields) if (!field.secret) encode(field.name, field.kind, field.value);
  for (const [name, value] of Object.entries(constantsOf(flowClass))) encode(name, "constant", value);
  if (problems.length > 0) throw problemsError("Cannot keep the values of the run", problems);
  return values;
}

/** Stores encoded values: rows for the run, and the blobs that travel beside them. */
export function storeRunValues(
  encoded: readonly EncodedRunValue[],
  artifacts: ArtifactStore,
): { readonly values: readonly NewRunValue[]; readonly blobs: readonly NewBlob[] } {
  const blobs = new Map<string, NewBlob>();
  const values = encoded.map(({ name, kind, encoded: value }): NewRunValue => {
    if (!blobs.has(value.digest)) blobs.set(value.digest, artifacts.storeSync(value));
    return { name, kind, codec: value.codec, digest: value.digest, sizeBytes: value.sizeBytes };
  });
  return { values, blobs: [...blobs.values()] };
}
