/** The tags of a run with their history, as lines of `tags.jsonl`, and back. */
import { FlowError } from "../errors/flow-error.ts";
import { runName } from "../lineage/run-name.ts";
import type { ForeignTagLog } from "../metadata/imported-run.ts";
import type { MetadataReader, RunRow, TagEvent } from "../metadata/metadata-store.ts";
import { tagEventDigest } from "../metadata/tag-chain.ts";
import { BadContent } from "./json-lines.ts";
import { MAX_TAG_EVENTS } from "./limits.ts";
import type { TagLine } from "./lines.ts";

/** Lines of `tags.jsonl`: the log of this store comes last, and says what is held. */
export async function tagLines(metadata: MetadataReader, run: RunRow, storeId: string): Promise<readonly TagLine[]> {
  const own = await metadata.tagEvents({ run: run.id, limit: MAX_TAG_EVENTS + 1 });
  const logs: readonly ForeignTagLog[] = [
    ...(run.imported?.tagLogs ?? []),
    ...(own.length === 0 ? [] : [{ store: storeId, events: own.toReversed() }]),
  ];
  if (logs.reduce((sum, { events }) => sum + events.length, 0) > MAX_TAG_EVENTS) {
    throw new FlowError("FLOW_TRANSFER_TOO_LARGE", {
      message: `Cannot export ${runName(run)}: its tags were moved more than ${MAX_TAG_EVENTS} times`,
      context: { run: run.id },
    });
  }
  return [
    { kind: "held", tags: [...run.tags] },
    ...logs.flatMap(({ store, events }): readonly TagLine[] => [{ kind: "log", store }, ...events.map(eventLine)]),
  ];
}

/** Events of a run are moves: changes of policies have no run. */
function eventLine({ policy: _, ...event }: TagEvent): TagLine {
  return { kind: "event", ...event, at: event.at.toISOString() } as TagLine;
}

export interface TagHistory {
  readonly held: readonly string[];
  readonly logs: readonly ForeignTagLog[];
}

/**
 * Reads the lines and checks them: each event has the digest that it says, follows the one before it where the two are
 * neighbours in their log, and the last log leads to what is held.
 *
 * @throws BadContent
 */
export function readTagLines(lines: Iterable<TagLine>, runId: string): TagHistory {
  let held: readonly string[] | undefined;
  const logs: { readonly store: string; readonly events: TagEvent[] }[] = [];
  let count = 0;
  for (const line of lines) {
    if ((line.kind === "held") !== (held === undefined))
      throw new BadContent("it does not begin with the tags that are held");
    if (line.kind === "held") held = line.tags;
    else if (line.kind === "log") logs.push({ store: line.store, events: [] });
    else {
      const { kind: _, ...rest } = line;
      const event = { ...rest, at: new Date(line.at) } as TagEvent;
      const log = logs.at(-1);
      if (log === undefined) throw new BadContent("a move of a tag in it belongs to no log");
      checkEvent(event, log.events.at(-1), runId);
      log.events.push(event);
      if (++count > MAX_TAG_EVENTS) throw new BadContent(`it has more than ${MAX_TAG_EVENTS} moves of tags`);
    }
  }
  if (held === undefined) throw new BadContent("it does not say which tags are held");
  if (new Set(logs.map(({ store }) => store)).size < logs.length) throw new BadContent("it has two logs of one store");
  if (held.length > 0 && foldTags(logs.at(-1)?.events ?? []) !== held.toSorted().join("\n"))
    throw new BadContent("the tags that are held are not those that their log gives");
  return { held, logs };
}

function checkEvent(event: TagEvent, before: TagEvent | undefined, runId: string): void {
  const at = `move ${event.sequence} of the tag ${JSON.stringify(event.tag)}`;
  if (event.run !== runId) throw new BadContent(`${at} is of another run`);
  if (tagEventDigest(event) !== event.digest) throw new BadContent(`${at} was changed after it was written`);
  if (before === undefined) return;
  if (event.sequence <= before.sequence) throw new BadContent(`${at} is not in order`);
  if (event.sequence === before.sequence + 1 && event.previous !== before.digest)
    throw new BadContent(`${at} does not follow the move before it`);
}

/** What is held after all moves, sorted, one a line: no tag holds a line feed. */
function foldTags(events: readonly TagEvent[]): string {
  const held = new Set<string>();
  for (const { verb, tag } of events) {
    if (verb === "add") held.add(tag);
    else held.delete(tag);
  }
  return [...held].sort().join("\n");
}
