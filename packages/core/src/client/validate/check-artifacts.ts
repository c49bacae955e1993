import type { Gone } from "../../artifact/artifact.ts";
import { runName } from "../../lineage/run-name.ts";
import type { ArtifactRow, MetadataReader, RunRow } from "../../metadata/metadata-store.ts";
import type { BlobChecker } from "./blob-checker.ts";
import type { CheckSink, CheckSubject } from "./report.ts";

/** What a run left behind: the artifacts of its end task, its parameters, constants, configs and files. */
export async function runArtifacts(metadata: MetadataReader, run: RunRow): Promise<readonly ArtifactRow[]> {
  const visible = run.endTask === undefined ? [] : await metadata.visibleArtifacts(run.endTask);
  return [...visible, ...(await metadata.runValues(run.sequence))];
}

/**
 * V03 and V05 for everything that a run left behind: the bytes are there, hash to their name and have the recorded size.
 * What is whole is counted in one line, what is not is named one by one.
 */
export async function checkArtifacts(
  metadata: MetadataReader,
  run: RunRow,
  blobs: BlobChecker,
  sink: CheckSink,
  upstream?: string,
): Promise<void> {
  const all = await runArtifacts(metadata, run);
  const about = upstream === undefined ? {} : { upstream };
  // Given up on purpose is no damage.
  for (const { name, digest, gone } of all)
    if (gone !== undefined)
      sink.add("V03", "pass", `"${name}" of ${runName(run)} is ${describeGone(gone)}`, {
        ...about,
        artifact: name,
        digest,
      });
  const artifacts = all.filter(({ gone }) => gone === undefined);
  let whole = 0;
  let bytes = 0;
  for (const artifact of artifacts) {
    if (
      await checkBytes(artifact, `"${artifact.name}" of ${runName(run)}`, blobs, sink, {
        ...about,
        artifact: artifact.name,
        digest: artifact.digest,
      })
    ) {
      whole += 1;
      bytes += artifact.sizeBytes;
    }
  }
  if (whole === 0) return;
  sink.add(
    "V03",
    "pass",
    `${whole} of ${artifacts.length} artifacts of ${runName(run)} are there and hash to their digests (${bytes} bytes)`,
    about,
  );
}

/** `transient, gone since 2026-05-04 12:00 UTC`. */
export function describeGone({ reason, at }: Gone): string {
  const since = `gone since ${at.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  return reason === "transient" ? `transient, ${since}` : `past its time to live, ${since}`;
}

/** Adds what is wrong with the bytes of one artifact; answers whether nothing is. */
export async function checkBytes(
  artifact: ArtifactRow,
  what: string,
  blobs: BlobChecker,
  sink: CheckSink,
  about: Omit<CheckSubject, "run">,
): Promise<boolean> {
  const verdict = await blobs.check(artifact);
  if (verdict.kind === "damaged") {
    sink.add("V03", "fail", `${what} (${artifact.codec}, ${artifact.digest}): ${verdict.why}`, about);
    return false;
  }
  if (verdict.payloadBytes !== artifact.sizeBytes || verdict.recordedBytes !== artifact.sizeBytes) {
    sink.add(
      "V05",
      "fail",
      `${what} (${artifact.codec}, ${artifact.digest}) is recorded with ${artifact.sizeBytes} bytes, its blob with ${verdict.recordedBytes}, and ${verdict.payloadBytes} were read`,
      about,
    );
    return false;
  }
  return true;
}
