import type { RunId } from "../../ids/run-id.ts";
import { runName } from "../../lineage/run-name.ts";
import type { MetadataReader, RunRow } from "../../metadata/metadata-store.ts";
import type { CheckSink, CheckStatus } from "./report.ts";

/** Tags that say that a run is not to be used, and how much. */
const WITHDRAWN: Readonly<Record<string, CheckStatus>> = { revoked: "fail", deprecated: "warn" };
const MAX_EVENTS = 100;

/** V16: neither the run nor anything that it was made from, all the way up, was revoked or deprecated since. */
export async function checkWithdrawn(
  metadata: MetadataReader,
  run: RunRow,
  isStrict: boolean,
  sink: CheckSink,
): Promise<void> {
  const seen = new Set<RunId>([run.id]);
  const queue: { readonly run: RunRow; readonly path: readonly string[] }[] = [{ run, path: [] }];
  let found = 0;
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const tag of next.run.tags) {
      const status = WITHDRAWN[tag];
      if (status === undefined) continue;
      found++;
      const what =
        next.path.length === 0
          ? runName(next.run)
          : `${runName(next.run)}, which ${runName(run)} was made from (${next.path.join(".")}),`;
      sink.add(
        "V16",
        isStrict ? "fail" : status,
        `${what} is ${tag}${await since(metadata, next.run, tag)}`,
        next.path.length === 0 ? {} : { upstream: next.path.join(".") },
      );
    }
    for (const { producer: id, name } of await metadata.upstreams(next.run.sequence)) {
      if (id === undefined || seen.has(id)) continue;
      seen.add(id);
      const producer = await metadata.runById(id);
      if (producer !== undefined) queue.push({ run: producer, path: [...next.path, name] });
    }
  }
  if (found === 0)
    sink.add("V16", "pass", `neither ${runName(run)} nor what it was made from (${seen.size - 1} runs) was withdrawn`);
}

async function since(metadata: MetadataReader, run: RunRow, tag: string): Promise<string> {
  const events = await metadata.tagEvents({ tag, limit: MAX_EVENTS });
  const event = events.find((candidate) => candidate.run === run.id && candidate.verb === "add");
  if (event === undefined) return "";
  const at = `${event.at.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  return ` since ${at} by ${event.actor}${event.reason === undefined ? "" : ` (${event.reason})`}`;
}
