/** Moves of tags as they happen: those that are there, and then those that come. */
import { setTimeout as sleep } from "node:timers/promises";
import type { TagMoved } from "../flow/public-types.ts";
import type { MetadataReader, TagEvent } from "../metadata/metadata-store.ts";
import { matchesPattern } from "../metadata/tag-policy.ts";
import { RunNames, tagEventsFrom } from "./tag-history.ts";

/** How often the log is looked at: one row of an index, which costs some microseconds. */
const LOOK_MS = 500;

export interface TagMovesQuery {
  readonly flow?: { readonly project?: string; readonly name: string };
  /** `prod:*`; absent: all tags. */
  readonly tag?: string;
  /** Number of the last move that is known already; 0 for all. Default: only moves from now on. */
  readonly after?: number;
  readonly signal?: AbortSignal;
}

/** Every move that fits, oldest first, until the signal is aborted; policies are not moves. */
export async function* followTagMoves(
  metadata: MetadataReader,
  { flow, tag, after, signal }: TagMovesQuery,
): AsyncGenerator<TagMoved> {
  const [last] = after === undefined ? await metadata.tagEvents({ limit: 1 }) : [];
  let seen = after ?? last?.sequence ?? 0;
  const isAborted = (): boolean => signal?.aborted === true;
  while (!isAborted()) {
    for await (const event of tagEventsFrom(metadata, { after: seen })) {
      if (isAborted()) return;
      seen = event.sequence;
      if (tag !== undefined && !matchesPattern(tag, event.tag)) continue;
      const moved = await tagMoved(new RunNames(metadata), event, flow);
      if (moved !== undefined) yield moved;
    }
    await sleep(LOOK_MS, undefined, signal === undefined ? {} : { signal }).catch(() => {}); // Aborted: the loop ends.
  }
}

/** A move for users; undefined for the change of a policy, and for a run of another flow. */
export async function tagMoved(
  runs: RunNames,
  event: TagEvent,
  flow?: TagMovesQuery["flow"],
): Promise<TagMoved | undefined> {
  const { run, from, verb } = event;
  if (run === undefined || (verb !== "add" && verb !== "remove")) return undefined;
  if (flow !== undefined && !(await runs.isOf(run, flow))) return undefined;
  const { sequence, at, actor, host, tag, via, reason, action, move, checks } = event;
  return {
    sequence,
    at,
    actor,
    host,
    verb,
    tag,
    run: (await runs.get(run)).name,
    runId: run,
    via,
    ...(from === undefined ? {} : { from: (await runs.get(from)).name, fromId: from }),
    ...(reason === undefined ? {} : { reason }),
    ...(action === undefined ? {} : { action }),
    ...(move === undefined ? {} : { move }),
    ...(checks === undefined ? {} : { checks }),
  };
}
