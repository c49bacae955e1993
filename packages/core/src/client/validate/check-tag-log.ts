import type { RunId } from "../../ids/run-id.ts";
import { quoteAll } from "../../lineage/near-misses.ts";
import { runName } from "../../lineage/run-name.ts";
import type { MetadataReader, RunRow, TagEvent, UpstreamRow } from "../../metadata/metadata-store.ts";
import { verifyTagLog } from "../../metadata/tag-chain.ts";
import type { CheckSink } from "./report.ts";

const PAGE = 1_000;

/** What is wrong with the log of tags as a whole; undefined when it is one unbroken chain. */
export interface TagLogVerdict {
  readonly events: number;
  readonly fault?: string;
}

/** Checks the chain of the whole log. */
export async function followTagLog(metadata: MetadataReader): Promise<TagLogVerdict> {
  const events: TagEvent[] = []; // newest first, as the store gives them
  while (true) {
    const last = events.at(-1);
    const page = await metadata.tagEvents({ limit: PAGE, ...(last === undefined ? {} : { before: last.sequence }) });
    events.push(...page);
    if (page.length < PAGE) break;
  }
  const verdict = verifyTagLog(events.reverse());
  if (verdict.kind === "whole") return { events: events.length };
  const event = events.find((candidate) => candidate.sequence === verdict.sequence);
  const what = event === undefined ? "" : ` (${event.verb} "${event.tag}", ${event.at.toISOString()})`;
  return { events: events.length, fault: `event ${verdict.sequence} of the log of tags${what}: ${verdict.reason}` };
}

/**
 * V04: the log is one unbroken chain, and the run holds exactly the tags that the log gives it.
 *
 * @param foundBy tags by which the run was found: an index that leads elsewhere than its table is seen by them alone
 */
export async function checkTagLog(
  metadata: MetadataReader,
  run: RunRow,
  { log, foundBy }: { readonly log: TagLogVerdict; readonly foundBy: readonly string[] },
  sink: CheckSink,
): Promise<void> {
  if (log.fault !== undefined) {
    sink.add("V04", "fail", log.fault);
    return;
  }
  const held = new Set<string>();
  const seen = new Set<string>();
  for (const event of await metadata.tagEvents({ run: run.id })) {
    if (seen.has(event.tag)) continue; // Newest first: the last move of each tag decides.
    seen.add(event.tag);
    if (event.verb === "add") held.add(event.tag);
  }
  const unlogged = [...new Set([...run.tags, ...foundBy])].filter((tag) => !held.has(tag));
  const lost = [...held].filter((tag) => !run.tags.includes(tag)).sort();
  if (unlogged.length > 0)
    sink.add("V04", "fail", `${runName(run)} holds ${quoteAll(unlogged)}, which the log of tags never gave it`);
  if (lost.length > 0)
    sink.add(
      "V04",
      "fail",
      `${runName(run)} does not hold ${quoteAll(lost)}, which the log of tags gave it and never took`,
    );
  if (unlogged.length > 0 || lost.length > 0) return;
  sink.add(
    "V04",
    "pass",
    `the log of tags is whole (${log.events} events), and ${runName(run)} holds what it says: ${run.tags.length === 0 ? "none" : quoteAll(run.tags)}`,
  );
}

/**
 * V04 for the runs that were read: one that was found by a tag was given it once, as the log has it. A tag that was taken from it
 * since is a matter of V21.
 */
export async function checkUpstreamTags(
  metadata: MetadataReader,
  run: RunRow,
  edges: readonly UpstreamRow[],
  producers: ReadonlyMap<RunId, RunRow>,
  sink: CheckSink,
): Promise<void> {
  for (const { name, selector, producer: id } of edges) {
    const producer = id === undefined ? undefined : producers.get(id);
    if (selector.kind !== "tags" || producer === undefined) continue;
    const logs = producer.imported?.tagLogs ?? [];
    // Resolved in another store, and what that store's log says of the producer did not come along.
    if (run.imported !== undefined && !logs.some(({ store }) => store === run.imported?.store)) continue;
    const events = [...logs.flatMap((log) => log.events), ...(await metadata.tagEvents({ run: producer.id }))];
    const given = new Set(events.filter(({ verb }) => verb === "add").map(({ tag }) => tag));
    const never = selector.tags.filter((tag) => !given.has(tag));
    const what = `${runName(producer)}, which ${runName(run)} read from as "${name}",`;
    if (never.length > 0)
      sink.add("V04", "fail", `${what} was found by ${quoteAll(never)}, which the log of tags never gave it`, {
        upstream: name,
      });
    else sink.add("V04", "pass", `${what} was given ${quoteAll(selector.tags)} by the log of tags`, { upstream: name });
  }
}
