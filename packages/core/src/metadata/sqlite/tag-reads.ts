import type { RunId } from "../../ids/run-id.ts";
import type { RunSequence, TagEvent } from "../metadata-store.ts";
import { toTagEvent } from "../sql/rows.ts";
import * as tags from "../sql/tags.ts";
import { type FlowName, flowIds } from "./run-reads.ts";
import type { Statements } from "./statements.ts";

export interface TagEventQuery {
  readonly run?: RunId;
  readonly tag?: string;
  readonly before?: number;
  readonly after?: number;
  readonly limit?: number;
}

/** The tags in use, of all flows or of one. */
export function readTags(on: Statements, flow: FlowName | undefined) {
  const counts =
    flow === undefined
      ? on.all(tags.tagCounts, {})
      : mergeCounts(flowIds(on, flow).map((id) => on.all(tags.tagCountsOfFlow, { flow: id })));
  return counts.map((row) => ({ tag: row.tag, runs: row.runs, newest: row.newest as RunSequence }));
}

export interface TagNameQuery {
  readonly flow: FlowName;
  readonly from?: string;
  readonly limit: number;
}

/** Tags that runs of a flow hold, among the first so many of all tags from one on. */
export function readTagNames(on: Statements, { flow, from = "", limit }: TagNameQuery): readonly string[] {
  const found = flowIds(on, flow).flatMap((id) => on.all(tags.tagNames, { flow: id, from, limit }));
  return [...new Set(found.map(({ tag }) => tag!))];
}

export function readTagEvents(on: Statements, query: TagEventQuery): readonly TagEvent[] {
  const shape = {
    run: query.run !== undefined,
    tag: query.tag !== undefined,
    before: query.before !== undefined,
    after: query.after !== undefined,
    limit: query.limit !== undefined,
  };
  return on
    .all(
      on.shaped(`tagEvents ${JSON.stringify(shape)}`, () => tags.tagEventPage(shape)),
      query as { run: string; tag: string; before: number; after: number; limit: number },
    )
    .map(toTagEvent);
}

/** The runs of a flow that hold a tag. */
export function readHolders(on: Statements, flow: FlowName, tag: string): readonly RunSequence[] {
  return flowIds(on, flow)
    .flatMap((id) => on.all(tags.holdersOfTag, { tag, flow: id }))
    .map(({ sequence }) => sequence as RunSequence);
}

/** Tags of several flows of one name, as if they were one. */
function mergeCounts(lists: readonly (readonly tags.TagCount[])[]): readonly tags.TagCount[] {
  if (lists.length === 1) return lists[0]!;
  const merged = new Map<string, tags.TagCount>();
  for (const { tag, runs: count, newest } of lists.flat()) {
    const known = merged.get(tag);
    merged.set(tag, { tag, runs: count + (known?.runs ?? 0), newest: Math.max(newest, known?.newest ?? 0) });
  }
  return [...merged.values()].sort((left, right) => right.runs - left.runs || (left.tag < right.tag ? -1 : 1));
}
