import type { RunId } from "../../ids/run-id.ts";
import { fullRunName, runName } from "../../lineage/run-name.ts";
import type { MetadataReader, RunRow } from "../../metadata/metadata-store.ts";
import type { CheckSink } from "./report.ts";

/** One way from the validated run to a run that it depends on. */
interface Occurrence {
  /** `["model", "source"]`: the run that upstream "model" read from as "source". */
  readonly path: readonly string[];
  readonly run: RunRow;
  /** Whether the validated run itself asked for it by tag or by run: then a difference is what the user wants. */
  readonly isAskedFor: boolean;
}

/**
 * V10: where two ways lead to the same flow, they lead to the same run. The trap is a prediction on data that the model did
 * not learn from, because each of the two flows took the newest.
 *
 * An earlier run of a flow that already stands on the way (a flow that continues its own last run) starts an earlier
 * generation, which rightly has data of its own: it is not followed.
 */
export async function checkSharedData(
  metadata: MetadataReader,
  run: RunRow,
  isStrict: boolean,
  sink: CheckSink,
): Promise<void> {
  const groups = new Map<string, Occurrence[]>();
  for (const occurrence of await collectOccurrences(metadata, run)) {
    const flow = flowKey(occurrence.run);
    const group = groups.get(flow);
    if (group === undefined) groups.set(flow, [occurrence]);
    else group.push(occurrence);
  }
  for (const group of groups.values()) {
    const first = group[0]!;
    if (group.length < 2) continue;
    const ways = group.map((each) => `${each.path.join(".")} is ${runName(each.run)}`).join(", ");
    const about = { upstream: first.path.join(".") };
    const distinct = new Set(group.map((each) => each.run.id));
    const unasked = new Set(group.filter((each) => !each.isAskedFor).map((each) => each.run.id));
    if (distinct.size === 1)
      sink.add(
        "V10",
        "pass",
        `${group.map((each) => each.path.join(".")).join(" and ")} are both ${fullRunName(first.run)}`,
        about,
      );
    else if (unasked.size > 1)
      sink.add(
        "V10",
        isStrict ? "fail" : "warn",
        `${first.run.flow.name} was read from different runs: ${ways}`,
        about,
      );
    else
      sink.add("V10", "pass", `${first.run.flow.name} was read from different runs, as was asked for: ${ways}`, about);
  }
}

async function collectOccurrences(metadata: MetadataReader, start: RunRow): Promise<readonly Occurrence[]> {
  const occurrences: Occurrence[] = [];
  const followed = new Set<RunId>([start.id]);
  const queue: { readonly run: RunRow; readonly path: readonly string[]; readonly flows: readonly string[] }[] = [
    { run: start, path: [], flows: [flowKey(start)] },
  ];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const edge of await metadata.upstreams(next.run.sequence)) {
      const producer = edge.producer === undefined ? undefined : await metadata.runById(edge.producer);
      if (producer === undefined || next.flows.includes(flowKey(producer))) continue;
      const path = [...next.path, edge.name];
      const isExplicit = edge.selector.kind === "run" || edge.selector.kind === "tags";
      occurrences.push({ path, run: producer, isAskedFor: path.length === 1 && isExplicit });
      // What lies behind a run is the same on every way to it: it is followed once.
      if (followed.has(producer.id)) continue;
      followed.add(producer.id);
      queue.push({ run: producer, path, flows: [...next.flows, flowKey(producer)] });
    }
  }
  return occurrences;
}

function flowKey(run: RunRow): string {
  return `${run.flow.project}/${run.flow.name}`;
}
