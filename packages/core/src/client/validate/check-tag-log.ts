import { quoteAll } from "../../lineage/near-misses.ts";
import { runName } from "../../lineage/run-name.ts";
import type { MetadataReader, RunRow, TagEvent } from "../../metadata/metadata-store.ts";
import { tagEventDigest } from "../../metadata/tag-event-digest.ts";
import type { CheckSink } from "./report.ts";

const PAGE = 1_000;

/** What is wrong with the log of tags as a whole; undefined when it is one unbroken chain. */
export interface TagLogVerdict {
  readonly events: number;
  readonly fault?: string;
}

/** Follows the chain of the whole log, newest first: each event names the digest of the one before it. */
export async function followTagLog(metadata: MetadataReader): Promise<TagLogVerdict> {
  let count = 0;
  let later: TagEvent | undefined;
  while (true) {
    const page: readonly TagEvent[] = await metadata.tagEvents({ limit: PAGE, ...(later === undefined ? {} : { before: later.sequence }) });
    for (const event of page) {
      count += 1;
      const place = `event ${event.sequence} ("${event.tag}", ${event.verb}, ${event.at.toISOString()})`;
      if (tagEventDigest(event) !== event.digest) return { events: count, fault: `${place} was changed after it was written: its digest does not fit` };
      if (later !== undefined && later.previous !== event.digest) return { events: count, fault: `an event is missing or was put in behind ${place}` };
      later = event;
    }
    if (page.length < PAGE) return { events: count };
  }
}

/** V04: the log is one unbroken chain, and the run holds exactly the tags that the log gives it. */
export async function checkTagLog(metadata: MetadataReader, run: RunRow, log: TagLogVerdict, sink: CheckSink): Promise<void> {
  if (log.fault !== undefined) {
    sink.add("V04", "fail", log.fault);
    return;
  }
  const held = new Set<string>();
  const seen = new Set<string>();
  for (const event of await metadata.tagEvents({ run: run.id, limit: PAGE })) {
    if (seen.has(event.tag)) continue; // Newest first: the last move of each tag decides.
    seen.add(event.tag);
    if (event.verb === "add") held.add(event.tag);
  }
  const unlogged = run.tags.filter((tag) => !held.has(tag));
  const lost = [...held].filter((tag) => !run.tags.includes(tag)).sort();
  if (unlogged.length > 0) sink.add("V04", "fail", `${runName(run)} holds ${quoteAll(unlogged)}, which the log of tags never gave it`);
  if (lost.length > 0) sink.add("V04", "fail", `${runName(run)} does not hold ${quoteAll(lost)}, which the log of tags gave it and never took`);
  if (unlogged.length > 0 || lost.length > 0) return;
  sink.add("V04", "pass", `the log of tags is whole (${log.events} events), and ${runName(run)} holds what it says: ${run.tags.length === 0 ? "none" : quoteAll(run.tags)}`);
}
