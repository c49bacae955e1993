import { quoteAll } from "../../lineage/near-misses.ts";
import { runName } from "../../lineage/run-name.ts";
import type { MetadataReader, RunRow, TagEvent } from "../../metadata/metadata-store.ts";
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

/** V04: the log is one unbroken chain, and the run holds exactly the tags that the log gives it. */
export async function checkTagLog(
  metadata: MetadataReader,
  run: RunRow,
  log: TagLogVerdict,
  sink: CheckSink,
): Promise<void> {
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
