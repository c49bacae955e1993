/** Code packages: what runs were made with is there, and its files are those that its digest names. */
import type { Digest } from "../../artifact/artifact.ts";
import type { ArtifactStore } from "../../artifact/artifact-store.ts";
import { isFlowError } from "../../errors/flow-error.ts";
import { OWN_MANIFEST, repeatsOwnManifest } from "../../metadata/package-manifest.ts";
import type { RecordAudit } from "../../metadata/record-audit.ts";
import { readManifest } from "../../metadata/stored-columns.ts";
import { digestOfFiles } from "../../util/digest-of-files.ts";
import type { FindingSink } from "./finding.ts";

export interface PackageCheckInput {
  readonly audit: RecordAudit;
  readonly artifacts: Pick<ArtifactStore, "payload">;
  readonly sink: FindingSink;
  /** Called for a file that the manifest names and that is not tied to its package. */
  readonly onUntied: (untied: { readonly package: Digest; readonly digest: Digest }) => void;
}

export async function checkPackages({ audit, artifacts, sink, onUntied }: PackageCheckInput): Promise<void> {
  for (const { digest, run } of await audit.missingPackages()) {
    sink.add("S09", "damage", `the code package of ${run} is not in the store`, {
      subject: { run, digest },
      remedy: "rerun",
    });
  }
  for await (const { digest, manifest, blobs, run } of audit.packages()) {
    const who =
      run === undefined ? `a code package that no run names (${digest})` : `the code package of ${run} (${digest})`;
    const subject = { digest, ...(run === undefined ? {} : { run }) };
    const files = filesOf(manifest);
    if (files === "unreadable") {
      sink.add("S09", "damage", `${who} cannot be read: its manifest is not one`, { subject, remedy: "copy" });
      continue;
    }
    if (files === undefined) {
      // Another program may have written it: what is not there is not judged. But files that are tied to it were named.
      if (blobs.length >= FILES)
        sink.add("S09", "damage", `${who} names none of its ${blobs.length} files`, { subject, remedy: "copy" });
      continue;
    }
    if (digestOfFiles(files) !== digest) {
      sink.add("S09", "damage", `${who} names other files than its digest does`, { subject, remedy: "copy" });
      continue;
    }
    const own = await ownManifest(audit, artifacts, files);
    if (own !== undefined && !repeatsOwnManifest(readManifest(manifest), own)) {
      sink.add("S09", "damage", `${who} is recorded with another manifest than its own`, { subject, remedy: "copy" });
      continue;
    }
    const tied = new Set<string>(blobs);
    for (const file of files) {
      if (tied.has(file.digest)) continue;
      sink.add("S09", "damage", `"${file.name}" of ${who} is not tied to it`, {
        subject: { ...subject, digest: file.digest },
        remedy: "repair",
      });
      onUntied({ package: digest, digest: file.digest as Digest });
    }
  }
}

/** Of a code package. */
const FILES = 3;

/** Undefined where it cannot be read: that is told of the value. */
async function ownManifest(
  audit: RecordAudit,
  artifacts: PackageCheckInput["artifacts"],
  files: Files["files"],
): Promise<Uint8Array | undefined> {
  const digest = files.find(({ name }) => name === OWN_MANIFEST)?.digest as Digest | undefined;
  const row = digest === undefined ? undefined : await audit.blob(digest);
  if (row === undefined || row.sizeBytes > MAX_MANIFEST_BYTES) return undefined;
  try {
    return await artifacts.payload({ codec: "bytes", digest: row.digest, sizeBytes: row.sizeBytes }, row);
  } catch (error) {
    if (isFlowError(error)) return undefined;
    throw error;
  }
}

/** A larger one is none of ours. */
const MAX_MANIFEST_BYTES = 256 * 1024 ** 2;

interface Files {
  readonly files: readonly { readonly name: string; readonly digest: string }[];
}

function filesOf(manifest: string): Files["files"] | undefined | "unreadable" {
  try {
    return readManifest<Files>(manifest).files;
  } catch (error) {
    if (!isFlowError(error, "FLOW_METADATA_CORRUPT")) throw error;
    return "unreadable";
  }
}
