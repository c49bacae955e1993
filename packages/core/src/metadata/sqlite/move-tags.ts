import { FlowError } from "../../errors/flow-error.ts";
import type { RunStatus } from "../../events/run-record.ts";
import { tagProblem } from "../../ids/names.ts";
import type { RunId } from "../../ids/run-id.ts";
import type { TagEvent } from "../metadata-store.ts";
import { bytesOfDigest, digestOfBytes } from "../sql/rows.ts";
import * as tags from "../sql/tags.ts";
import { TAG_LOG_START, tagEventDigest } from "../tag-chain.ts";
import type { Statements } from "./statements.ts";

/** The run whose tags move, as it stands. */
export interface TaggedRun {
  readonly sequence: number;
  readonly id: RunId;
  readonly flow: number;
  readonly status: RunStatus;
}

export interface TagChange {
  readonly add: readonly string[];
  readonly remove: readonly string[];
  readonly actor: string;
  readonly host: string;
  readonly at: Date;
  readonly via: string;
  readonly reason?: string;
}

/** Moves tags of a run and writes the events, inside the caller's transaction. What changes nothing is no event. */
export function moveTags(statements: Statements, run: TaggedRun, change: TagChange): readonly TagEvent[] {
  checkTags(change);
  const events: TagEvent[] = [];
  const last = statements.get(tags.lastTagEvent, {});
  let sequence = last?.sequence ?? 0;
  let previous = last === undefined ? TAG_LOG_START : digestOfBytes(last.digest);
  const append = (verb: "add" | "remove", tag: string) => {
    sequence++;
    const { actor, host, at, via, reason } = change;
    const event = {
      sequence,
      at,
      actor,
      host,
      verb,
      tag,
      run: run.id,
      via,
      ...(reason === undefined ? {} : { reason }),
      previous,
    };
    const digest = tagEventDigest(event);
    statements.run(tags.insertTagEvent, {
      ...event,
      at: at.getTime(),
      reason: reason ?? null,
      previous: bytesOfDigest(previous),
      digest: bytesOfDigest(digest),
    });
    events.push({ ...event, digest });
    previous = digest;
  };
  for (const tag of change.remove)
    if (statements.run(tags.deleteRunTag, { run: run.sequence, tag }) > 0) append("remove", tag);
  for (const tag of change.add) {
    const row = { run: run.sequence, tag, flow: run.flow, status: run.status };
    if (statements.run(tags.insertRunTag, row) > 0) append("add", tag);
  }
  return events;
}

function checkTags(change: TagChange): void {
  for (const tag of [...change.add, ...change.remove]) {
    const problem = tagProblem(tag);
    if (problem === undefined) continue;
    throw new FlowError("FLOW_METADATA_BAD_ARGUMENT", {
      message: `Cannot use ${JSON.stringify(tag.slice(0, 200))} as a tag: ${problem}`,
    });
  }
  const both = change.add.find((tag) => change.remove.includes(tag));
  if (both === undefined) return;
  throw new FlowError("FLOW_METADATA_BAD_ARGUMENT", { message: `Cannot add and remove the tag "${both}" in one move` });
}
