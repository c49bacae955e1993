import { describeDeleted } from "../../lineage/deleted-run.ts";
import { runName } from "../../lineage/run-name.ts";
import { parseUpstreamPath, pinnedProducer } from "../../lineage/upstream-path.ts";
import type { ArtifactRow, MetadataReader, RunRow, UpstreamRead, UpstreamRow } from "../../metadata/metadata-store.ts";
import { listTasks } from "../list-tasks.ts";
import type { BlobChecker } from "./blob-checker.ts";
import { checkBytes, describeGone, runArtifacts } from "./check-artifacts.ts";
import type { CheckSink } from "./report.ts";

/**
 * V02, V03 and V05 for each artifact that tasks of a run read from other runs: the consumer's record and the producer's
 * name the same (codec, digest), and these bytes are whole.
 *
 * @param blobs without it no bytes are read: V02 alone
 */
export async function checkReads(
  metadata: MetadataReader,
  run: RunRow,
  edges: readonly UpstreamRow[],
  blobs: BlobChecker | undefined,
  sink: CheckSink,
): Promise<void> {
  const producers = new Map<
    string,
    Promise<{ readonly run: RunRow; readonly artifacts: readonly ArtifactRow[] } | undefined>
  >();
  const load = async (id: UpstreamRead["producer"]) => {
    const producer = await metadata.runById(id);
    return producer === undefined ? undefined : { run: producer, artifacts: await runArtifacts(metadata, producer) };
  };
  for (const read of distinctReads(await metadata.reads(run.sequence))) {
    const about = {
      ...(read.upstream === undefined ? {} : { upstream: read.upstream }),
      artifact: read.artifact,
      digest: read.digest,
    };
    if (!producers.has(read.producer)) producers.set(read.producer, load(read.producer));
    const producer = await producers.get(read.producer);
    const deleted = producer === undefined ? await metadata.deletedRun(read.producer) : undefined;
    if (deleted !== undefined) {
      const what = `"${read.artifact}" (${read.codec}, ${read.digest})`;
      sink.add(
        "V02",
        "warn",
        `${what} was read from a run that is not there any more: ${describeDeleted(deleted)}`,
        about,
      );
      continue;
    }
    if (producer === undefined) {
      const there = run.imported?.references.find(({ id }) => id === read.producer)?.run;
      const left = `${there}, which was left in the store that ${runName(run)} was imported from`;
      sink.add(
        "V02",
        there === undefined ? "fail" : "warn",
        `"${read.artifact}" was read from ${there === undefined ? `the run ${read.producer}, which is not in this store` : left}`,
        about,
      );
      continue;
    }
    const name = runName(producer.run);
    const pinned =
      read.upstream === undefined
        ? read.producer
        : await pinnedProducer(metadata, edges, parseUpstreamPath(read.upstream));
    if (pinned !== read.producer) {
      sink.add(
        "V02",
        "fail",
        `"${read.artifact}" was read from ${name}, but upstream "${read.upstream}" was resolved to ${pinned ?? "nothing"}`,
        about,
      );
      continue;
    }
    const left =
      (await findArtifact(metadata, producer, read)) ??
      producer.artifacts.find((artifact) => artifact.name === read.artifact);
    if (left === undefined) {
      sink.add(
        "V02",
        "fail",
        `"${read.artifact}" (${read.codec}, ${read.digest}) was read from ${name}, which left no artifact of this name`,
        about,
      );
      continue;
    }
    if (left.codec !== read.codec || left.digest !== read.digest) {
      sink.add(
        "V02",
        "fail",
        `"${read.artifact}" was read as (${read.codec}, ${read.digest}), but ${name} left (${left.codec}, ${left.digest})`,
        about,
      );
      continue;
    }
    sink.add(
      "V02",
      "pass",
      `"${read.artifact}" is (${read.codec}, ${read.digest}) in ${runName(run)} and in ${name}`,
      about,
    );
    if (blobs === undefined) continue;
    const what = `"${read.artifact}" of ${name}, read by ${runName(run)}`;
    if (left.gone !== undefined) {
      sink.add("V03", "pass", `${what}, is ${describeGone(left.gone)}`, about);
      continue;
    }
    if (!(await checkBytes(left, what, blobs, sink, about))) continue;
    sink.add("V03", "pass", `${what}, is there and hashes to ${read.digest}`, about);
    sink.add("V05", "pass", `${what}, has ${left.sizeBytes} bytes in its record and in the store`, about);
  }
}

/**
 * The producer's artifact that was read. A read through an upstream field sees what the end task left; a read through the
 * client may have been of any task of that run, so all of them count.
 */
async function findArtifact(
  metadata: MetadataReader,
  producer: { readonly run: RunRow; readonly artifacts: readonly ArtifactRow[] },
  read: UpstreamRead,
): Promise<ArtifactRow | undefined> {
  const isSame = (artifact: ArtifactRow) =>
    artifact.name === read.artifact && artifact.codec === read.codec && artifact.digest === read.digest;
  const left = producer.artifacts.find(isSame);
  if (left !== undefined || read.upstream !== undefined) return left;
  for await (const task of listTasks(metadata, producer.run)) {
    const own = (await metadata.ownArtifacts(task.sequence)).find(isSame);
    if (own !== undefined) return own;
  }
  return undefined;
}

/** All tasks of a foreach read the same artifact: one check is enough, but each different identity gets its own. */
function distinctReads(reads: readonly UpstreamRead[]): readonly UpstreamRead[] {
  const distinct = new Map<string, UpstreamRead>();
  for (const read of reads)
    distinct.set(JSON.stringify([read.upstream ?? null, read.producer, read.artifact, read.codec, read.digest]), read);
  return [...distinct.values()];
}
