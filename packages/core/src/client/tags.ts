import { FlowError } from "../errors/flow-error.ts";
import { checkTags, normalTags, SYSTEM_TAG_PREFIXES } from "../lineage/check-tags.ts";
import { runName } from "../lineage/run-name.ts";
import type { MetadataStore, RunRow, TagEvent } from "../metadata/metadata-store.ts";

/** Who moves a tag, when, from where and why: kept in the log for ever. */
export interface TagActor {
  readonly actor: string;
  readonly host: string;
  readonly at: Date;
  /** How it came: `flow tag`, `client`. */
  readonly via: string;
  readonly reason?: string;
}

/**
 * Gives tags to a run and takes tags from it, in one transaction. Any run may be tagged, also one that failed; a tag it
 * has already, or one it does not have, changes nothing and is no event. Tagging never makes a run newer.
 *
 * @returns the moves that happened, in the order of the log
 * @throws FlowError FLOW_LINEAGE_BAD_TAG, naming every tag that cannot be given or taken
 */
export async function moveTags(
  metadata: MetadataStore,
  run: RunRow,
  tags: { readonly add?: readonly string[]; readonly remove?: readonly string[] },
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
  return await metadata.moveTags({ run: run.sequence, add, remove, ...by });
}
