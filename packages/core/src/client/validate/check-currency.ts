import { matchRuns } from "../../lineage/match-runs.ts";
import { quoteAll } from "../../lineage/near-misses.ts";
import { runName } from "../../lineage/run-name.ts";
import type { MetadataReader, RunRow, TagEvent, UpstreamRow } from "../../metadata/metadata-store.ts";
import { describeSelector } from "./check-edges.ts";
import type { CheckSink } from "./report.ts";

/** How far back the log is searched for the move that explains a difference. */
const MAX_EVENTS = 1_000;

/**
 * V21: resolved again now, each selector still leads to the run that was read. Runs named by hand and `sameAs` always do.
 *
 * For a flow that reads from itself, only runs before the consumer count: it cannot have read itself or what came later.
 */
export async function checkCurrency(
  metadata: MetadataReader,
  run: RunRow,
  edges: readonly UpstreamRow[],
  failsWhenOld: boolean,
  sink: CheckSink,
): Promise<void> {
  for (const edge of edges) {
    if (edge.selector.kind !== "tags" && edge.selector.kind !== "newest") continue;
    const producer = edge.producer === undefined ? undefined : await metadata.runById(edge.producer);
    if (producer === undefined) continue; // V15 says so, or the upstream is optional and found nothing.
    const tags = edge.selector.kind === "tags" ? edge.selector.tags : [];
    const readsItself = producer.flow.project === run.flow.project && producer.flow.name === run.flow.name;
    const { newest } = await matchRuns(metadata, producer.flow, tags, readsItself ? run.sequence : undefined);
    const asked = `"${edge.name}" (${describeSelector(edge.selector)})`;
    const about = { upstream: edge.name };
    if (newest?.id === producer.id) {
      sink.add("V21", "pass", `${asked} is still ${runName(producer)}`, about);
      continue;
    }
    const evidence = tags.length === 0 ? newerRun(producer, newest) : await tagMove(metadata, producer, newest, tags);
    sink.add("V21", failsWhenOld ? "fail" : "warn", `${asked}: ${evidence}`, about);
  }
}

function newerRun(producer: RunRow, newest: RunRow | undefined): string {
  if (newest === undefined) return `${runName(producer)} was the newest, and no successful run is there any more`;
  return `${runName(newest)} of ${day(newest.createdAt)} is newer than ${runName(producer)} of ${day(producer.createdAt)}`;
}

async function tagMove(
  metadata: MetadataReader,
  producer: RunRow,
  newest: RunRow | undefined,
  tags: readonly string[],
): Promise<string> {
  const lost = tags.filter((tag) => !producer.tags.includes(tag));
  const tag = lost[0] ?? tags[0]!;
  const events = await metadata.tagEvents({ tag, limit: MAX_EVENTS });
  const taken = events.find((event) => event.run === producer.id && event.verb === "remove");
  if (newest === undefined)
    return `no successful run carries ${quoteAll(tags)} any more: "${tag}" was taken from ${runName(producer)}${who(taken)}`;
  const given = events.find((event) => event.run === newest.id && event.verb === "add");
  if (lost.length === 0)
    return `${quoteAll(tags)} is now also on ${runName(newest)}, which is newer than ${runName(producer)}: put there${who(given)}`;
  return `"${tag}" moved from ${runName(producer)} to ${runName(newest)}${who(taken ?? given)}`;
}

/** When and by whom a tag was moved, as the log has it. */
function who(event: TagEvent | undefined): string {
  if (event === undefined) return "";
  return ` on ${day(event.at)} by ${event.actor}${event.reason === undefined ? "" : ` (${event.reason})`}`;
}

function day(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
