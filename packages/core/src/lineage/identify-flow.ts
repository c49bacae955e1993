import type { Problem } from "../errors/flow-error.ts";
import type { FlowIdentity } from "../flow/definition.ts";
import type { MetadataReader, RunRow } from "../metadata/metadata-store.ts";

/** A flow as it is named: with its project, or by name alone. */
export interface FlowName {
  readonly project?: string | undefined;
  readonly name: string;
}

export type IdentifiedFlow =
  | { readonly kind: "known"; readonly flow: FlowIdentity }
  /** No run of a flow of this name is in the store. */
  | { readonly kind: "unknown" }
  | { readonly kind: "ambiguous"; readonly problem: Problem };

/**
 * Which flow a name means in a store. With a project it is that one; without, the flow of that name in `ownProject`, else
 * the only project that has runs of it. Several are never guessed between.
 */
export async function identifyFlow(
  metadata: MetadataReader,
  name: FlowName,
  ownProject?: string,
): Promise<IdentifiedFlow> {
  if (name.project !== undefined) return { kind: "known", flow: { project: name.project, name: name.name } };
  const found = (await metadata.flows()).map((entry) => entry.flow).filter((flow) => flow.name === name.name);
  const own = found.find((flow) => flow.project === ownProject);
  if (own !== undefined) return { kind: "known", flow: own };
  const [first, second] = found;
  if (first === undefined) return { kind: "unknown" };
  if (second === undefined) return { kind: "known", flow: first };
  const full = found.map((flow) => `${flow.project}/${flow.name}`).sort();
  return {
    kind: "ambiguous",
    problem: {
      code: "FLOW_LINEAGE_AMBIGUOUS_FLOW",
      message: `"${name.name}" is a flow of several projects: ${full.join(", ")}`,
      hint: `Write the project in front, such as ${full[0]}`,
    },
  };
}

/**
 * Whether a run is one of a flow. A run keeps the name that its flow had then, so after a rename (`static formerly`) the
 * names differ and the store, which keeps the histories together, decides.
 */
export async function isRunOf(metadata: MetadataReader, run: RunRow, flow: FlowName): Promise<boolean> {
  if (run.flow.name === flow.name && (flow.project === undefined || run.flow.project === flow.project)) return true;
  // Not by its number: two flows that became one may each have a run of this number.
  const [found] = await metadata.runs({
    flow: flow.project === undefined ? { name: flow.name } : { project: flow.project, name: flow.name },
    before: (run.sequence + 1) as RunRow["sequence"],
    limit: 1,
  });
  return found?.id === run.id;
}

/** A flow as it is written: `Train`, `shop/Train`. */
export function flowText(flow: FlowName): string {
  return flow.project === undefined ? flow.name : `${flow.project}/${flow.name}`;
}
