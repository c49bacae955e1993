/** Who held a tag when: the log of moves, read as stretches of time. */
import type { TagHolding as PublicHolding } from "../flow/public-types.ts";
import type { RunId } from "../ids/run-id.ts";
import { isRunOf } from "../lineage/identify-flow.ts";
import { fullRunName, runName } from "../lineage/run-name.ts";
import type { DeletedRun, MetadataReader, RunRow, TagEvent } from "../metadata/metadata-store.ts";
import { matchesPattern } from "../metadata/tag-policy.ts";

const PAGE = 1_000;

/** A stretch of time in which a run held a tag. */
export interface TagHolding {
  readonly tag: string;
  /** `Train/17`; the id of a run of which this store knows nothing. */
  readonly run: string;
  readonly runId: RunId;
  readonly flow?: { readonly project: string; readonly name: string };
  /** When the run was deleted, if it was. */
  readonly deletedAt?: Date;
  readonly from: Date;
  /** Absent while it holds the tag. */
  readonly until?: Date;
  /** The move that gave it the tag, and the one that took it. */
  readonly given: TagEvent;
  readonly taken?: TagEvent;
}

export interface HistoryQuery {
  /** A tag or a pattern; absent: all. */
  readonly tag?: string;
  readonly flow?: { readonly project?: string; readonly name: string };
  /** Only what was held at some time from `from` on, and before `to`. */
  readonly at?: { readonly from: Date; readonly to: Date };
}

/** Moves of tags, oldest first, a page at a time; of all tags, of one, or of those like a pattern. */
export async function* tagEventsFrom(
  metadata: MetadataReader,
  query: { readonly tag?: string; readonly after?: number },
): AsyncGenerator<TagEvent> {
  const { tag } = query;
  const isPattern = tag?.includes("*") === true;
  let after = query.after ?? 0;
  for (;;) {
    const page = await metadata.tagEvents({
      ...(tag === undefined || isPattern ? {} : { tag }),
      after,
      limit: PAGE,
    });
    for (const event of page) if (!isPattern || matchesPattern(tag!, event.tag)) yield event;
    if (page.length < PAGE) return;
    after = page.at(-1)!.sequence;
  }
}

/** Every stretch in which a run held a tag, in the order in which they began. */
export async function tagHistory(metadata: MetadataReader, query: HistoryQuery): Promise<readonly TagHolding[]> {
  const runs = new RunNames(metadata);
  const open = new Map<string, Mutable<TagHolding>>();
  const holdings: Mutable<TagHolding>[] = [];
  for await (const event of tagEventsFrom(metadata, query)) {
    if (event.run === undefined) continue;
    if (query.flow !== undefined && !(await runs.isOf(event.run, query.flow))) continue;
    const key = `${event.run} ${event.tag}`;
    if (event.verb === "add") {
      const { name, flow, deletedAt } = await runs.get(event.run);
      const holding: Mutable<TagHolding> = {
        tag: event.tag,
        run: name,
        runId: event.run,
        from: event.at,
        given: event,
      };
      if (flow !== undefined) holding.flow = flow;
      if (deletedAt !== undefined) holding.deletedAt = deletedAt;
      open.set(key, holding);
      holdings.push(holding);
      continue;
    }
    const holding = open.get(key);
    if (holding === undefined) continue;
    open.delete(key);
    holding.until = event.at;
    holding.taken = event;
  }
  const { at } = query;
  if (at === undefined) return holdings;
  return holdings.filter(({ from, until }) => from < at.to && (until === undefined || until > at.from));
}

/** A stretch as programs see it: who gave the tag, and why, instead of the moves themselves. */
export function publicHolding({ tag, run, runId, deletedAt, from, until, given, taken }: TagHolding): PublicHolding {
  return {
    tag,
    run,
    runId,
    from,
    ...(until === undefined ? {} : { until }),
    ...(deletedAt === undefined ? {} : { deletedAt }),
    givenBy: given.actor,
    ...(given.reason === undefined ? {} : { reason: given.reason }),
    ...(taken === undefined ? {} : { takenBy: taken.actor }),
  };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface NamedRun {
  readonly name: string;
  readonly flow?: { readonly project: string; readonly name: string };
  readonly deletedAt?: Date;
}

/** Names of runs by id, each looked up once. */
export class RunNames {
  readonly #metadata: MetadataReader;
  readonly #rows = new Map<RunId, Promise<RunRow | DeletedRun | undefined>>();

  constructor(metadata: MetadataReader) {
    this.#metadata = metadata;
  }

  async get(id: RunId): Promise<NamedRun> {
    const row = await this.#row(id);
    if (row === undefined) return { name: id };
    const deleted = "deletedAt" in row ? { deletedAt: row.deletedAt } : {};
    return { name: runName(row), flow: row.flow, ...deleted };
  }

  /** With its project: `shop/Train/17`. */
  async full(id: RunId): Promise<string> {
    const row = await this.#row(id);
    return row === undefined ? id : fullRunName(row);
  }

  async isOf(id: RunId, flow: { readonly project?: string; readonly name: string }): Promise<boolean> {
    const row = await this.#row(id);
    if (row === undefined) return false;
    if (!("deletedAt" in row)) return await isRunOf(this.#metadata, row, flow);
    return row.flow.name === flow.name && (flow.project === undefined || row.flow.project === flow.project);
  }

  #row(id: RunId): Promise<RunRow | DeletedRun | undefined> {
    let row = this.#rows.get(id);
    if (row === undefined) {
      row = this.#find(id);
      this.#rows.set(id, row);
    }
    return row;
  }

  async #find(id: RunId): Promise<RunRow | DeletedRun | undefined> {
    return (await this.#metadata.runById(id)) ?? (await this.#metadata.deletedRun(id));
  }
}
