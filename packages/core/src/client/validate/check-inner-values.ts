import type { Digest } from "../../artifact/artifact.ts";
import { runName } from "../../lineage/run-name.ts";
import type { ArtifactRow, MetadataReader, RunRow, TaskRow } from "../../metadata/metadata-store.ts";
import { listTasks } from "../list-tasks.ts";
import { taskName } from "../task-name.ts";
import type { BlobChecker } from "./blob-checker.ts";
import { checkBytes, runArtifacts } from "./check-artifacts.ts";
import type { CheckSink } from "./report.ts";

/**
 * V03 and V05 for what tasks of a run stored and the run did not leave at its end: fields that were changed later on, those
 * of branches and items that were joined away, and the items of each foreach. A resumed run would read them again.
 */
export async function checkInnerValues(
  metadata: MetadataReader,
  run: RunRow,
  blobs: BlobChecker,
  sink: CheckSink,
): Promise<void> {
  const seen = new Set<Digest>((await runArtifacts(metadata, run)).map((artifact) => artifact.digest));
  let whole = 0;
  for await (const task of listTasks(metadata, run)) {
    for (const { what, artifact } of await innerValues(metadata, task)) {
      if (artifact.gone !== undefined || seen.has(artifact.digest)) continue;
      seen.add(artifact.digest);
      const about = { artifact: artifact.name, digest: artifact.digest };
      if (await checkBytes(artifact, `${what} of ${taskName(run, task)}`, blobs, sink, about)) whole += 1;
    }
  }
  if (whole > 0)
    sink.add(
      "V03",
      "pass",
      `${whole} further values of the tasks of ${runName(run)} are there and hash to their digests`,
    );
}

async function innerValues(
  metadata: MetadataReader,
  task: TaskRow,
): Promise<readonly { readonly what: string; readonly artifact: ArtifactRow }[]> {
  const own = await metadata.ownArtifacts(task.sequence);
  const values = own.map((artifact) => ({ what: `"${artifact.name}"`, artifact }));
  for (let first = 0; first < (task.fanOut ?? 0); ) {
    const page = await metadata.itemPage(task.sequence, first);
    if (page === undefined) break; // A run whose tasks were recorded without their items, which V00 judges.
    const last = page.first + page.count - 1;
    values.push({ what: `the items ${page.first} to ${last}`, artifact: { ...page, name: "items" } });
    first = last + 1;
  }
  return values;
}
