import type { ResolvedField } from "../flow/resolve-fields.ts";
import { runName } from "../lineage/run-name.ts";
import type { RunRow } from "../metadata/metadata-store.ts";
import type { RunContext } from "../runner/protocol.ts";

/** What tasks know of a run. */
export function contextOf(row: RunRow, { fields }: { readonly fields: readonly ResolvedField[] }): RunContext {
  return {
    id: row.id,
    sequence: row.sequence,
    name: runName(row),
    flow: row.flow.name,
    project: row.flow.project,
    tags: row.tags,
    createdAt: row.createdAt,
    secrets: Object.fromEntries(fields.filter((field) => field.secret).map((field) => [field.name, field.value])),
  };
}
