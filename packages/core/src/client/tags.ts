/**
 * Moving tags: what a user asks for, checked and said in words, and what policies ask for before (checks of `flow
 * validate`). The store decides in the transaction that moves; nothing here can be raced.
 */

import { FlowError } from "../errors/flow-error.ts";
import { checkTags, normalTags, SYSTEM_TAG_PREFIXES } from "../lineage/check-tags.ts";
import { runName } from "../lineage/run-name.ts";
import type { MetadataStore, RunRow, TagActor, TagEvent } from "../metadata/metadata-store.ts";
import { isOver } from "../metadata/run-state.ts";
import type { TagAction } from "../metadata/tag-event.ts";
import type { TagCheck } from "../metadata/tag-policy.ts";
import { checkRun, checksAskedBy, refuseFailed, type ValidatingStores } from "./tag-checks.ts";

export type { TagActor } from "../metadata/metadata-store.ts";

export interface TagStores extends Omit<ValidatingStores, "artifacts"> {
  readonly metadata: MetadataStore;
  readonly artifacts?: ValidatingStores["artifacts"];
}

export interface MovedTags {
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
  readonly action?: TagAction;
  /** Whether the tags are taken from all other runs of the flow, also without a policy that says so. */
  readonly take?: boolean;
  /** The one run that must hold the tags that are added, or "none". */
  readonly expect?: readonly RunRow["id"][] | RunRow["id"] | "none";
  /** Whether a run that is older than a policy allows may be given the tags; needs a reason. */
  readonly forceAge?: boolean;
  /** Whether every check of `flow validate` is made, and none may fail. */
  readonly check?: boolean;
}

/**
 * Gives tags to a run and takes tags from it, in one transaction. A tag it has already, or one it does not have, changes
 * nothing and is no event. Tagging never makes a run newer. A tag under a policy that is given to a run which is not over
 * is kept as a request, and moves when the run succeeds.
 *
 * @returns the moves that happened, in the order of the log
 * @throws FlowError FLOW_LINEAGE_BAD_TAG, naming every tag that cannot be given or taken; FLOW_TAG_… with all that policies
 *   have against it
 */
export async function moveTags(
  stores: TagStores,
  run: RunRow,
  tags: MovedTags,
  by: TagActor,
): Promise<readonly TagEvent[]> {
  const add = checkTags(tags.add ?? []);
  const remove = normalTags(tags.remove ?? []);
  const reserved = remove.find((tag) => SYSTEM_TAG_PREFIXES.some((prefix) => tag.startsWith(prefix)));
  if (reserved !== undefined) {
    throw new FlowError("FLOW_LINEAGE_BAD_TAG", {
      message: `Cannot take "${reserved}" from ${runName(run)}: tags of Millrace itself stay`,
    });
  }
  const both = add.find((tag) => remove.includes(tag));
  if (both !== undefined) {
    throw new FlowError("FLOW_LINEAGE_BAD_TAG", {
      message: `Cannot both give "${both}" to ${runName(run)} and take it`,
      hint: "Name it once",
    });
  }
  if (add.length === 0 && remove.length === 0) return [];
  const { action, take, expect, forceAge, check = false } = tags;
  if (!isOver(run.status)) refuseOfUnfinished(run, tags);
  const to = { tags: add, at: by.at, ...(forceAge === undefined ? {} : { forceAge }) };
  const checks = await checksBefore(stores, run, to, check);
  return await stores.metadata.moveTags({
    run: run.sequence,
    add,
    remove,
    ...by,
    ...(action === undefined ? {} : { action }),
    ...(take === undefined ? {} : { take }),
    ...(expect === undefined ? {} : { expect }),
    ...(forceAge === undefined ? {} : { forceAge }),
    ...(checks === undefined ? {} : { checks }),
  });
}

/**
 * A tag under a policy that is given to a run which is not over is kept as a request until it succeeds. What is to be looked at
 * when a tag moves cannot be kept with it, so it is refused and not forgotten.
 */
function refuseOfUnfinished(run: RunRow, asked: Pick<MovedTags, "take" | "expect" | "forceAge" | "check">): void {
  const what =
    asked.take === true
      ? "be promoted"
      : asked.check === true
        ? "be checked"
        : asked.expect !== undefined
          ? "take a tag from an expected run"
          : asked.forceAge === true
            ? "be given a tag whatever its age"
            : undefined;
  if (what === undefined) return;
  throw new FlowError("FLOW_TAG_NOT_OVER", {
    message: `${runName(run)} cannot ${what} yet: it is ${run.status}`,
    hint: "Wait until it has succeeded; or give it the tag with flow tag add, which moves it then as its policy asks",
  });
}

/** What the policies of the tags, or the user, ask to be checked; undefined where nobody does. */
async function checksBefore(
  { metadata, artifacts = {}, projectView }: TagStores,
  run: RunRow,
  to: Parameters<typeof checkRun>[3],
  isAll: boolean,
): Promise<readonly TagCheck[] | undefined> {
  const ids = [...new Set([...(await checksAskedBy(metadata, to.tags)).values()].flat())];
  if (!isAll && ids.length === 0) return undefined;
  // Of a run that is not over nothing can be said yet: it is checked when it succeeds.
  if (run.status === "running" || run.status === "queued") return undefined;
  const checks = await checkRun(
    { metadata, artifacts, ...(projectView && { projectView }) },
    run,
    isAll ? "all" : ids,
    to,
  );
  if (isAll) refuseFailed(run, checks);
  return checks;
}
