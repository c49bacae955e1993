/**
 * Putting a tag back. The log is read as a stack of the runs that a tag was given to: a promotion puts a run on top, a
 * rollback takes the top away. So two rollbacks lead two runs back, and not there and back again; a promotion after a
 * rollback forgets what was rolled back.
 *
 *     promote 1, 2, 3   [1 2 3]      rollback   [1 2]      rollback   [1]      promote 4   [1 4]
 *
 * A tag that was taken away by hand and is held by nobody goes back to the run that held it last.
 */
import { FlowError } from "../errors/flow-error.ts";
import type { FlowIdentity } from "../flow/definition.ts";
import type { RunId } from "../ids/run-id.ts";
import { normalTags } from "../lineage/check-tags.ts";
import { describeDeleted } from "../lineage/deleted-run.ts";
import { runName } from "../lineage/run-name.ts";
import type { DeletedRun, RunRow, TagActor, TagEvent } from "../metadata/metadata-store.ts";
import { shellWord } from "../util/shell-word.ts";
import { RunNames, tagEventsFrom } from "./tag-history.ts";
import { moveTags, type TagStores } from "./tags.ts";

export interface RollbackOptions {
  /** The run that gets the tag back; it must have held it. Default: the one before the run that holds it. */
  readonly to?: RunRow;
  /** Whether a run that is older than a policy allows may have the tag back; needs a reason. */
  readonly forceAge?: boolean;
}

export interface RolledBack {
  readonly tag: string;
  /** Who held it until now; of several the oldest. */
  readonly from?: RunRow;
  /** All who lost it. */
  readonly losers: readonly RunRow[];
  readonly to: RunRow;
  readonly moves: readonly TagEvent[];
}

/**
 * Gives a tag of a flow back to the run that held it before.
 *
 * @throws FlowError FLOW_TAG_NO_PREVIOUS (naming a previous run that was deleted), FLOW_TAG_SEVERAL_HOLDERS,
 *   FLOW_TAG_NOT_EXPECTED when somebody else moves the tag at this instant, and what policies have against it
 */
export async function rollback(
  stores: TagStores,
  flow: FlowIdentity,
  rawTag: string,
  options: RollbackOptions,
  by: TagActor,
): Promise<RolledBack> {
  const { metadata } = stores;
  const [tag = rawTag] = normalTags([rawTag]);
  const holders = await metadata.holders(flow, tag);
  // Two flows that became one may both have brought a holder: whoever names the run that is to have it has decided.
  if (holders.length > 1 && options.to === undefined) throw severalHolders(flow, tag, holders);
  const [from] = holders;
  const { stack, everHeld } = await historyOf(stores, flow, tag);
  const to = options.to ?? (await previous(stores, flow, tag, from, stack));
  if (!everHeld.has(to.id)) throw neverHeld(tag, to);
  if (from?.id === to.id && holders.length === 1)
    throw noPrevious(
      `Cannot roll "${tag}" of ${flow.name} back: ${runName(to)} holds it`,
      `See flow tag log ${shellWord(tag)}`,
    );
  const { forceAge } = options;
  const moves = await moveTags(
    stores,
    to,
    {
      add: [tag],
      action: "rollback",
      take: true,
      expect: holders.length === 0 ? "none" : holders.map(({ id }) => id),
      ...(forceAge === undefined ? {} : { forceAge }),
    },
    by,
  );
  const losers = holders.filter(({ id }) => id !== to.id);
  return { tag, ...(losers.length === 0 ? {} : { from: losers[0]! }), losers, to, moves };
}

async function historyOf({ metadata }: TagStores, flow: FlowIdentity, tag: string) {
  const runs = new RunNames(metadata);
  const stack: RunId[] = [];
  const everHeld = new Set<RunId>();
  for await (const { run, verb, action } of tagEventsFrom(metadata, { tag })) {
    if (run === undefined || verb !== "add" || !(await runs.isOf(run, flow))) continue;
    const at = action === "rollback" ? stack.lastIndexOf(run) : -1;
    if (at >= 0) stack.length = at + 1;
    else if (stack.at(-1) !== run) stack.push(run);
    everHeld.add(run);
  }
  return { stack, everHeld };
}

async function previous(
  { metadata }: TagStores,
  flow: FlowIdentity,
  tag: string,
  holder: RunRow | undefined,
  stack: readonly RunId[],
): Promise<RunRow> {
  const earlier = holder === undefined ? stack : stack.slice(0, stack.lastIndexOf(holder.id));
  const id = earlier.at(-1);
  const action = `Cannot roll "${tag}" of ${flow.name} back`;
  if (id === undefined) {
    throw noPrevious(
      holder === undefined
        ? `${action}: no run ever held it`
        : `${action}: ${runName(holder)} is the first that held it`,
      `See its history with flow tag log ${shellWord(tag)}`,
    );
  }
  const run = await metadata.runById(id);
  if (run !== undefined) return run;
  const deleted = await metadata.deletedRun(id);
  const next = await firstThere(metadata, earlier.slice(0, -1));
  throw noPrevious(
    `${action}: ${describe(id, deleted)}, and held it before`,
    next === undefined
      ? `No earlier run that held it is left; give it to another one with flow promote`
      : `Go further back with flow rollback ${shellWord(`${flow.name}@${tag}`)} --to ${runName(next)}`,
  );
}

async function firstThere(metadata: TagStores["metadata"], ids: readonly RunId[]): Promise<RunRow | undefined> {
  for (const id of ids.toReversed()) {
    const run = await metadata.runById(id);
    if (run !== undefined) return run;
  }
  return undefined;
}

function describe(id: RunId, deleted: DeletedRun | undefined): string {
  return deleted === undefined ? `the run ${id} is not in this store` : describeDeleted(deleted);
}

function severalHolders(flow: FlowIdentity, tag: string, holders: readonly RunRow[]): FlowError {
  const names = holders.map(runName);
  return new FlowError("FLOW_TAG_SEVERAL_HOLDERS", {
    message: `Cannot roll "${tag}" of ${flow.name} back: ${names.join(", ")} hold it, and which of them was it?`,
    hint: `Name the run that is to hold it alone: flow rollback ${shellWord(`${flow.name}@${tag}`)} --to ${names.at(-1)}`,
    context: { tag, holders: names },
  });
}

function neverHeld(tag: string, run: RunRow): FlowError {
  return noPrevious(
    `Cannot roll "${tag}" back to ${runName(run)}: it never held it`,
    `Give it the tag with flow promote ${runName(run)} --to ${shellWord(tag)}`,
  );
}

function noPrevious(message: string, hint: string): FlowError {
  return new FlowError("FLOW_TAG_NO_PREVIOUS", { message, hint });
}
