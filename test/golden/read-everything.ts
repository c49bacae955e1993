import type { MetadataReader, MetadataStore } from "../../packages/core/src/metadata/metadata-store.ts";
import type { BlobStore } from "../../packages/core/src/storage/blob-store.ts";

/** All that a small store holds, as JSON: every answer of every read. */
export async function readEverything(store: MetadataReader & Pick<MetadataStore, "package"> & Partial<Pick<MetadataStore, "webhooks">>, blobs: BlobStore): Promise<unknown> {
  const runs = await store.runs({ limit: 1_000 });
  const { schemaVersion: _, ...info } = await store.info();
  const digests = new Set<string>();
  const runRecords = [];
  for (const run of runs) {
    const tasks = await store.tasks({ run: run.sequence });
    const taskRecords = [];
    for (const task of tasks) {
      const visible = await store.visibleArtifacts(task.sequence);
      const page = await store.itemPage(task.sequence, 1);
      for (const ref of [...visible, ...(page === undefined ? [] : [page])]) if (ref.gone === undefined) digests.add(ref.digest);
      taskRecords.push({ task, own: await store.ownArtifacts(task.sequence), visible, page, logs: await store.logs({ task: task.sequence }) });
    }
    const values = await store.runValues(run.sequence);
    for (const value of values) digests.add(value.digest);
    runRecords.push({
      run,
      values,
      ...withSome("metrics", await store.runMetrics(run.sequence)),
      ...withSome("signatures", await store.signatures(run.sequence)),
      ...withSome("tagRequests", await store.tagRequests(run.sequence)),
      upstreams: await store.upstreams(run.sequence),
      reads: await store.reads(run.sequence),
      consumers: (await store.consumers(run.id)).map((row) => row.id),
      executions: await store.executions(run.sequence),
      childRuns: (await store.childRuns(run.sequence)).map((row) => row.id),
      finishedTasks: await store.finishedTasks(run.sequence),
      counts: await store.taskCounts(run.sequence),
      byNumber: (await store.runByNumber(run.flow, run.number)).map((row) => row.id),
      package: run.packageDigest === undefined ? undefined : await store.package(run.packageDigest),
      tasks: taskRecords,
    });
  }
  const blobRecords = [];
  for (const digest of [...digests].sort()) {
    const { stored, ...row } = (await store.blob(digest as never))!;
    blobRecords.push({ ...row, stored: stored === undefined ? undefined : Buffer.from(stored).toString("hex") });
  }
  const files = [];
  for (const key of (await blobs.list({ prefix: "blobs/" })).keys) {
    files.push({ key, bytes: Buffer.from((await blobs.get(key))!).toString("base64") });
  }
  const more = { ...withSome("policies", await store.tagPolicies()), ...withSome("webhooks", (await store.webhooks?.list()) ?? []) };
  const all = { info, ...more, flows: await store.flows(), tags: await store.tags({}), tagEvents: await store.tagEvents({}), runs: runRecords, blobs: blobRecords, files };
  return JSON.parse(JSON.stringify(all));
}

/** Left out when there are none: older stores have no such thing. */
function withSome(name: string, rows: readonly unknown[]): Readonly<Record<string, unknown>> {
  return rows.length === 0 ? {} : { [name]: rows };
}
