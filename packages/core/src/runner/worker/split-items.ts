import { types } from "node:util";
import type { NewBlob } from "../../artifact/artifact.ts";
import type { ArtifactStore } from "../../artifact/artifact-store.ts";
import { type ItemPage, ItemPageWriter } from "../../artifact/item-pages.ts";
import { FlowError } from "../../errors/flow-error.ts";
import type { ItemPageRow } from "../../metadata/metadata-store.ts";

export interface SplitItems {
  readonly rows: readonly Omit<ItemPageRow, "split">[];
  readonly count: number;
}

/**
 * Writes the items of a foreach as pages, as they come: a million items of a generator need little memory.
 *
 * @param blobs takes the pages that are kept beside their rows
 * @throws FlowError FLOW_RUNNER_NOT_ITERABLE
 */
export async function splitItems(
  artifacts: ArtifactStore,
  items: unknown,
  where: { readonly step: string; readonly field: string },
  blobs: Map<string, NewBlob>,
): Promise<SplitItems> {
  const { step, field } = where;
  if (!isIterable(items)) {
    const found = items === undefined ? "not set" : typeof items === "string" ? "a text" : "not iterable";
    throw new FlowError("FLOW_RUNNER_NOT_ITERABLE", {
      message: `Cannot fan out from "${step}": this.${field} is ${found}`,
      hint: `Assign an array or another iterable to this.${field} in "${step}" or before it`,
      context: { step, field },
    });
  }
  const rows: Omit<ItemPageRow, "split">[] = [];
  const writer = new ItemPageWriter({ path: `this.${field}` });
  const keep = (pages: readonly ItemPage[]): void => {
    for (const { first, count, encoded } of pages) {
      const { codec, digest, sizeBytes } = encoded;
      rows.push({ first, count, codec, digest, sizeBytes });
      if (!blobs.has(digest)) blobs.set(digest, artifacts.storeSync(encoded));
    }
  };
  if (Symbol.asyncIterator in items) {
    for await (const item of items) keep(writer.add(item));
  } else {
    for (const item of items) keep(writer.add(item));
  }
  keep(writer.finish());
  return { rows, count: writer.count };
}

/** Whether a value gives its items once, or one after another: an iterator, a generator, a readable stream. */
export function isStream(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return (
    types.isGeneratorObject(value) ||
    Symbol.asyncIterator in value ||
    typeof (value as { next?: unknown }).next === "function"
  );
}

function isIterable(value: unknown): value is Iterable<unknown> | AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value);
}
