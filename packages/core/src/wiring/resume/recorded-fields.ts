/**
 * The values that a resumed run goes on with: those that the run recorded, but for what is asked otherwise. Defaults are
 * not worked out again, files are not read again, and the environment is not asked again: none of them may be what it was.
 */
import { flagOf } from "../../flow/flag-names.ts";
import type { FieldSources, ResolvedField } from "../../flow/resolve-fields.ts";
import { runName } from "../../lineage/run-name.ts";
import type { RunRow } from "../../metadata/metadata-store.ts";
import type { OpenStores } from "../open-stores.ts";

export type GivenFields = Pick<FieldSources, "flags" | "paramsFile" | "values">;

export interface RecordedFieldsInput {
  readonly stores: Pick<OpenStores, "metadata" | "artifacts">;
  readonly row: RunRow;
  readonly given: GivenFields;
  /** Whether the run goes on with its own code: then its values are taken as they are. */
  readonly isSameCode: boolean;
  /** Parameters of the flow as it is now. */
  readonly parameters: readonly string[];
}

/** Sources for `resolveFields`. */
export async function recordedFields(input: RecordedFieldsInput): Promise<GivenFields & Pick<FieldSources, "settled">> {
  const { stores, row, given, isSameCode, parameters } = input;
  const settled: Record<string, ResolvedField> = {};
  const paramsFile: Record<string, unknown> = { ...given.paramsFile };
  for (const { name, kind, ...ref } of await stores.metadata.runValues(row.sequence)) {
    if (kind === "constant" || isGiven(name, given)) continue;
    const isRecorded = Object.hasOwn(row.parameters, name);
    if (kind === "parameter" && isRecorded && !isSameCode) {
      // Other code may read the same input in another way: its schema has the word.
      if (parameters.includes(name)) paramsFile[name] = row.parameters[name];
      continue;
    }
    const subject = `the ${kind} "${name}" of ${runName(row)}`;
    const value = await stores.artifacts.load(ref, await stores.metadata.blob(ref.digest), { subject });
    const encoded = kind === "parameter" && isRecorded ? { encoded: row.parameters[name] } : {};
    settled[name] = { name, kind, value, ...encoded, secret: false, source: "default" };
  }
  return { ...given, paramsFile, settled };
}

function isGiven(name: string, { flags, paramsFile, values }: GivenFields): boolean {
  return [flags, paramsFile, values].some(
    (source) => source !== undefined && (Object.hasOwn(source, name) || Object.hasOwn(source, flagOf(name))),
  );
}
