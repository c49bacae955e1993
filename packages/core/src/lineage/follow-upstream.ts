import type { MetadataReader, RunRow } from "../metadata/metadata-store.ts";
import type { FoundRun } from "./find-run.ts";
import { type FlowName, flowText, isRunOf } from "./identify-flow.ts";
import { fullRunName, runName } from "./run-name.ts";

/**
 * Follows recorded upstream edges from a run: `["source"]` gives the run that it read from as `source`.
 *
 * @param name  the upstream that the path starts at, for messages
 * @param from  the run that it leads to; undefined when it is optional and found nothing
 * @param path  names of upstreams, each of the run before
 * @param expected  the flow that the last run must be of
 */
export async function followUpstream(
  metadata: MetadataReader,
  name: string,
  from: RunRow | undefined,
  path: readonly string[],
  expected: FlowName,
): Promise<FoundRun> {
  if (from === undefined) return problem("FLOW_LINEAGE_NO_EDGE", `it follows "${name}", which found no run`);
  let run = from;
  for (const step of path) {
    const edges = await metadata.upstreams(run.sequence);
    const edge = edges.find((candidate) => candidate.name === step);
    if (edge === undefined) {
      const names = edges.map((candidate) => candidate.name);
      const has = names.length === 0 ? "it recorded no upstreams" : `it recorded ${names.join(", ")}`;
      return problem(
        "FLOW_LINEAGE_NO_EDGE",
        `${runName(run)} recorded no upstream "${step}": ${has}`,
        `Run ${run.flow.name} again, or name the run yourself`,
      );
    }
    if (edge.producer === undefined)
      return problem(
        "FLOW_LINEAGE_NO_EDGE",
        `"${step}" of ${runName(run)} is optional and found no run then`,
        "Name the run yourself",
      );
    const next = await metadata.runById(edge.producer);
    if (next === undefined) {
      return problem(
        "FLOW_LINEAGE_NO_EDGE",
        `"${step}" of ${runName(run)} was the run ${edge.producer}, which is not in this store`,
        "Name the run yourself, or bring that run into the store",
      );
    }
    run = next;
  }
  if (!(await isRunOf(metadata, run, expected))) {
    return problem(
      "FLOW_LINEAGE_WRONG_FLOW",
      `"${[name, ...path].join(".")}" leads to ${fullRunName(run)}, which is not a run of ${flowText(expected)}`,
      "Name the run yourself",
    );
  }
  return { kind: "found", run, candidates: [run], count: 1 };
}

function problem(code: "FLOW_LINEAGE_NO_EDGE" | "FLOW_LINEAGE_WRONG_FLOW", message: string, hint?: string): FoundRun {
  return { kind: "problem", problem: { code, message, ...(hint === undefined ? {} : { hint }) } };
}
