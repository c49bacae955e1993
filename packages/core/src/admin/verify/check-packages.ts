/** Code packages: what runs were made with is there, and its files are those that its digest names. */
import type { Digest } from "../../artifact/artifact.ts";
import { isFlowError } from "../../errors/flow-error.ts";
import type { RecordAudit } from "../../metadata/record-audit.ts";
import { readManifest } from "../../metadata/stored-columns.ts";
import { digestOfFiles } from "../../util/digest-of-files.ts";
import type { FindingSink } from "./finding.ts";

export interface PackageCheckInput {
  readonly audit: RecordAudit;
  readonly sink: FindingSink;
  /** Called for a file that the manifest names and that is not tied to its package. */
  readonly onUntied: (untied: { readonly package: Digest; readonly digest: Digest }) => void;
}

export async function checkPackages({ audit, sink, onUntied }: PackageCheckInput): Promise<void> {
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
