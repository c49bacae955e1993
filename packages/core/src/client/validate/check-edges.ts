import type { SelectorRecord } from "../../events/run-record.ts";
import type { RunId } from "../../ids/run-id.ts";
import { describeDeleted } from "../../lineage/deleted-run.ts";
import { MAX_COUNTED } from "../../lineage/match-runs.ts";
import { describeStatus, quoteAll } from "../../lineage/near-misses.ts";
import { runName } from "../../lineage/run-name.ts";
import type { MetadataReader, RunRow, UpstreamRow } from "../../metadata/metadata-store.ts";
import { assertNever } from "../../util/assert-never.ts";
import type { CheckSink } from "./report.ts";

/** V01: each upstream's selector meant one run when it was resolved. "The newest" always does. */
export function checkSelectors(
  edges: readonly UpstreamRow[],
  names: ReadonlyMap<RunId, string>,
  isStrict: boolean,
  sink: CheckSink,
): void {
  for (const edge of edges) {
    const about = { upstream: edge.name };
    const asked = describeSelector(edge.selector);
    if (edge.producer === undefined) {
      sink.add("V01", "pass", `"${edge.name}" (${asked}) is optional and found no run`, about);
      continue;
    }
    const chosen = names.get(edge.producer) ?? edge.producer;
    if (edge.selector.kind === "tags" && edge.candidateCount > 1) {
      const others = edge.candidates.filter((candidate) => candidate !== chosen).join(", ");
      sink.add(
        "V01",
        isStrict ? "fail" : "warn",
        `"${edge.name}" (${asked}) fitted ${edge.candidateCount}${edge.candidateCount === MAX_COUNTED ? " or more" : ""} runs: ${chosen} was taken as the newest, the others were ${others}`,
        about,
      );
    } else {
      sink.add("V01", "pass", `"${edge.name}" (${asked}) is ${chosen}`, about);
    }
  }
}

/** V15: the run that each upstream leads to is in the store and succeeded, and so on up the line. */
export async function checkProducers(metadata: MetadataReader, run: RunRow, sink: CheckSink): Promise<void> {
  const seen = new Set<RunId>([run.id]);
  const queue: { readonly run: RunRow; readonly path: readonly string[] }[] = [{ run, path: [] }];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const edge of await metadata.upstreams(next.run.sequence)) {
      if (edge.producer === undefined || seen.has(edge.producer)) continue;
      seen.add(edge.producer);
      const path = [...next.path, edge.name];
      const about = { upstream: path.join(".") };
      const producer = await metadata.runById(edge.producer);
      const deleted = producer === undefined ? await metadata.deletedRun(edge.producer) : undefined;
      if (deleted !== undefined) {
        sink.add(
          "V15",
          "warn",
          `${describeDeleted(deleted)}; ${runName(next.run)} read from it as "${edge.name}"`,
          about,
        );
        continue;
      }
      const there = next.run.imported?.references.find(({ id }) => id === edge.producer)?.run;
      if (producer === undefined && there !== undefined) {
        sink.add(
          "V15",
          "warn",
          `${there}, which ${runName(next.run)} read from as "${edge.name}", was left in the store that ${runName(next.run)} was imported from`,
          about,
        );
        continue;
      }
      if (producer === undefined) {
        sink.add(
          "V15",
          "fail",
          `the run ${edge.producer}, which ${runName(next.run)} read from as "${edge.name}", is not in this store`,
          about,
        );
        continue;
      }
      const verdict = producer.status === "succeeded" ? "pass" : "fail";
      sink.add(
        "V15",
        verdict,
        `${runName(producer)}, which ${runName(next.run)} read from as "${edge.name}", ${describeStatus(producer.status)}`,
        about,
      );
      queue.push({ run: producer, path });
    }
  }
}

/** What was asked for, in words. */
export function describeSelector(selector: SelectorRecord): string {
  switch (selector.kind) {
    case "newest":
      return "the newest";
    case "tags":
      return `tagged ${quoteAll(selector.tags)}`;
    case "run":
      return `the run ${selector.run}`;
    case "sameAs":
      return `the same as ${selector.path.join(".")}`;
    default:
      return assertNever(selector);
  }
}
