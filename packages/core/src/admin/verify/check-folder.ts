/** What lies in the folder of a store besides its records and values: notes, since none of it harms anything. */
import type { Digest } from "../../artifact/artifact.ts";
import { BLOB_PREFIX, parseBlobKey } from "../../artifact/blob-layout.ts";
import type { RecordAudit } from "../../metadata/record-audit.ts";
import type { FolderAudit } from "../../storage/folder-audit.ts";
import type { FindingSink } from "./finding.ts";

export interface FolderCheckInput {
  /** Absent when the records cannot be read: then no file can be called superfluous. */
  readonly audit?: RecordAudit;
  readonly folder: FolderAudit;
  readonly sink: FindingSink;
}

/** Where a folder of values belongs: one for each first byte of their digests. */
const VALUES_FOLDER = /^blobs\/sha256(?:\/[0-9a-f]{2})?$/;
/** Files without a record that are named one by one; the rest is counted. */
const MAX_NAMED = 100;

export async function checkFolder({ audit, folder, sink }: FolderCheckInput): Promise<void> {
  for (const { kind, file, why } of folder.notes())
    sink.add("S10", "note", `"${file}": ${why}`, {
      subject: { file },
      ...(kind === "mode" || kind === "ignore" ? { remedy: "repair" } : {}),
    });
  const asides = folder.asides().length;
  if (asides > 0)
    sink.add(
      "S10",
      "note",
      `"quarantine" keeps ${asides} broken ${asides === 1 ? "file" : "files"} that a repair put aside`,
      { subject: { file: "quarantine" } },
    );
  if (audit === undefined) return;
  let unnamed = 0;
  for (const keys of folder.files("blobs/")) {
    const byDigest = new Map<Digest, string>();
    for (const key of keys) {
      const parsed = key.startsWith(BLOB_PREFIX) ? parseBlobKey(key) : undefined;
      if (parsed === undefined)
        sink.add(
          "S10",
          "note",
          `"${key}": ${VALUES_FOLDER.test(key) ? "it lies where the store has a folder: move it away" : "it is none of the store's"}`,
          { subject: { file: key } },
        );
      else byDigest.set(parsed.digest, key);
    }
    for (const digest of await audit.withoutRow([...byDigest.keys()])) {
      if (unnamed++ >= MAX_NAMED) continue;
      const file = byDigest.get(digest)!;
      // Its row comes later than its bytes: a run that goes on now may be about to name it.
      sink.add("S10", "note", `"${file}": no record names this value (yet)`, { subject: { file, digest } });
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (unnamed > MAX_NAMED)
    sink.add("S10", "note", `no record names ${unnamed - MAX_NAMED} further values in "blobs" (yet)`, {
      subject: { file: "blobs" },
    });
}
