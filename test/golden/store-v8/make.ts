/**
 * Makes the golden store of schema 8, beside this file: `node test/golden/store-v8/make.ts`.
 *
 * It is kept as it was written, so that a later program is held to reading it. Do not make it again after schema 8 was
 * released: make `store-v9` instead.
 */
import { generateKeyPairSync } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { zstdCompressSync } from "node:zlib";
import { signRun } from "../../../packages/core/src/client/signatures.ts";
import { newRunId } from "../../../packages/core/src/ids/run-id.ts";
import { openSqliteMetadata } from "../../../packages/core/src/metadata/sqlite/sqlite-metadata.ts";
import { openFsBlobStore } from "../../../packages/core/src/storage/fs/fs-blob-store.ts";
import { openSqliteDeletion } from "../../../packages/core/src/metadata/sqlite/deletion/open-deletion.ts";
import { createStoreFolder } from "../../../packages/core/src/storage/fs/store-folder.ts";
import { artifactOf, blobOf, digestOf, finished, newRun, noon, started, tick } from "../../conformance/metadata-store/records.ts";
import { readEverything } from "../read-everything.ts";

const here = path.dirname(new URL(import.meta.url).pathname);
const folder = path.join(here, "store");
fs.rmSync(folder, { recursive: true, force: true });
const { layout } = createStoreFolder(folder);
const store = await openSqliteMetadata(layout.database, { now: () => noon.getTime() });
const blobs = openFsBlobStore(layout.folder, { temporaryFolder: layout.temporary });

const id = (number: number) => newRunId(noon.getTime(), new Uint8Array(10).fill(number));
const series = (name: string, values: readonly number[], steps?: readonly number[]) => ({
  name,
  values: Float64Array.from(values),
  ...(steps === undefined ? {} : { steps: Float64Array.from(steps) }),
});
const large = `large ${"0123456789".repeat(3_000)}`;
const largeDigest = digestOf(large);
const packed = zstdCompressSync(large);
await blobs.put(`blobs/sha256/${largeDigest.slice(0, 2)}/${largeDigest}.zst`, [packed]);

const by = { actor: "ann", host: "north", at: noon, via: "tag policy" } as const;
await store.setTagPolicy({ ...by, policy: { pattern: "prod:*", exclusive: true, succeededOnly: true, maxAgeMs: 604_800_000 } });
await store.setTagPolicy({ ...by, policy: { pattern: "gold", protected: true, allow: ["ann"], requireChecks: ["V02"] }, reason: "größer" });
await store.setTagPolicy({ ...by, policy: { pattern: "old", reasonRequired: true }, reason: "for now" });
await store.removeTagPolicy("old", by);
const hook = { url: "https://example.com/hook", pattern: "prod:*", secretEnv: "HOOK_SECRET" };
await store.webhooks.add(hook, by);
await store.putPackage({ digest: digestOf("package"), manifest: '{"schema":1}', blobs: [blobOf("bundle")] });
const generate = await store.createRun(
  newRun({
    id: id(1),
    flow: { project: "shop", name: "Generate" },
    tags: ["test:v1"],
    systemTags: ["node:24"],
    parameters: { rows: 10 },
    values: [{ ...artifactOf("rows", "10"), kind: "parameter" }],
    blobs: [blobOf("10")],
    packageDigest: digestOf("package"),
  }),
);
await store.commitTick(
  tick({
    started: [started(generate, await store.reserveTasks(1))],
    blobs: [{ digest: largeDigest, sizeBytes: large.length, storedBytes: packed.length, compression: "zstd" }],
    finished: [finished(1, { artifacts: [artifactOf("data", large)], metrics: [series("rows", [10]), series("loss", [0.5, Number.NaN], [1, 2])] })],
    logs: [{ task: 1 as never, attempt: 0, stream: "stdout", at: noon, text: "grüße\n" }],
  }),
);
await store.finishRun({ run: generate.sequence, execution: 1, status: "succeeded", finishedAt: noon, endTask: 1 as never });

const train = await store.createRun(
  newRun({
    id: id(2),
    flow: { project: "shop", name: "Train" },
    formerly: ["Fit"],
    tags: ["prod:v1", "größe"],
    secretParameters: ["token"],
    upstreams: [
      {
        name: "source",
        flow: { project: "shop", name: "Generate" },
        selector: { kind: "tags", tags: ["test:v1"] },
        producer: generate.id,
        candidateCount: 1,
        candidates: ["Generate/1"],
        resolvedAt: noon,
      },
    ],
  }),
);
await store.reserveTasks(4);
const page = { first: 0, count: 2, codec: "item-page", digest: digestOf("page"), sizeBytes: 4 };
await store.commitTick(
  tick({
    started: [
      started(train, 2),
      started(train, 3, { step: "fold", path: "0", inherits: 2 as never }),
      started(train, 4, { step: "fold", path: "1", inherits: 2 as never }),
    ],
    blobs: ["page", "1", "2"].map(blobOf),
    finished: [
      finished(2, { fanOut: 2, pages: [page], artifacts: [artifactOf("x", "1"), artifactOf("y", "1")] }),
      finished(3, { choice: "left", artifacts: [artifactOf("x", "2")] }),
      finished(4, { status: "failed", error: { code: "FLOW_STEP_FAILED", name: "Error", message: "no" } }),
    ],
    reads: [{ task: 2 as never, upstream: "source", producer: generate.id, artifact: "data", codec: "text", digest: largeDigest }],
  }),
);
const failure = { task: "Train/1/fold/1", error: { code: "FLOW_STEP_FAILED", name: "Error", message: "no" } };
await store.finishRun({ run: train.sequence, execution: 1, status: "failed", finishedAt: noon, failure });

// The failed run goes on: an attempt more, one caught, one cancelled, one left behind; then it is lost for good.
const begin = { run: train.sequence, runner: { host: "south", pid: 9 }, actor: "bo", command: ["flow", "resume"], at: noon };
await store.beginExecution({ ...begin, options: { maxWorkers: 2 }, packageDigest: digestOf("package") });
const error = { code: "FLOW_STEP_FAILED", name: "Error", message: "again" };
const fold = (sequence: number, path: string, attempt: number) =>
  started(train, sequence, { step: "fold", path, attempt, inherits: 2 as never });
await store.reserveTasks(4);
await store.commitTick(
  tick({
    execution: 2,
    started: [fold(6, "1", 1), fold(7, "2", 0), fold(8, "3", 0), fold(9, "4", 0)],
    blobs: ["3"].map(blobOf),
    finished: [
      finished(6, { status: "caught", error, artifacts: [artifactOf("x", "3")], valueReads: ["rate"], durationMs: 1.25 }),
      finished(7, { status: "skipped", valueReads: [] }),
      finished(8, { status: "cancelled", cancelledBy: "Train/1/fold/1" }),
    ],
  }),
);
await store.heartbeat(train.sequence, 2, new Date(noon.getTime() + 5_000));

// A fork of it, a run that a step of it started, and a task that took its outcome from another one.
const fork = await store.createRun(
  newRun({
    id: id(3),
    flow: { project: "shop", name: "Train" },
    origin: { run: train.id, fromStep: "join", changedParameters: ["rate"] },
    takeOver: { from: train.sequence, exceptSteps: [] },
  }),
);
const call = { run: train.sequence, step: "fold", path: "4", call: 0, inputsDigest: digestOf("inputs") };
const child = await store.createRun(newRun({ id: id(4), flow: { project: "shop", name: "Generate" }, parent: call }));
const [one, two] = [await store.reserveTasks(1), await store.reserveTasks(1)];
await store.commitTick(
  tick({
    started: [started(child, one), started(child, two, { step: "again" })],
    blobs: ["4"].map(blobOf),
    finished: [
      finished(one, { artifacts: [artifactOf("data", "4")], cache: { key: digestOf("key"), reads: { rows: "text:1" } } }),
      finished(two, { takenFrom: one }),
    ],
  }),
);
await store.finishRun({ run: child.sequence, execution: 1, status: "succeeded", finishedAt: noon, endTask: two });
// The key is thrown away: what it has signed can be checked with what the statement names, and nothing more be signed.
const { privateKey } = generateKeyPairSync("ed25519");
await signRun(store, (await store.run(generate.sequence))!, privateKey, { actor: "ann", host: "north", at: noon });
await store.moveTags({ run: generate.sequence, add: ["prod:v1"], remove: ["test:v1"], actor: "ann", host: "north", at: noon, via: "tag", reason: "better" });

// A run with values that are not kept, one that was deleted, and a value that nothing names since.
const short = await store.createRun(newRun({ id: id(5), flow: { project: "shop", name: "Short" } }));
const third = await store.reserveTasks(1);
const terms = [
  { ...artifactOf("features", "5"), term: { isTransient: true } },
  { ...artifactOf("scratch", "6"), term: { isTransient: false, ttlMs: 1_000 } },
  { ...artifactOf("later", "7"), term: { isTransient: false, ttlMs: 86_400_000 } },
];
await store.commitTick(
  tick({ started: [started(short, third)], blobs: ["5", "6", "7"].map(blobOf), finished: [finished(third, { artifacts: terms })] }),
);
await store.finishRun({ run: short.sequence, execution: 1, status: "succeeded", finishedAt: noon, endTask: third });
const gone = await store.createRun(newRun({ id: id(6), flow: { project: "shop", name: "Short" }, tags: ["test:v2"] }));
await store.finishRun({ run: gone.sequence, execution: 1, status: "failed", finishedAt: noon });
await store.moveTags({ run: gone.sequence, add: [], remove: ["test:v2"], actor: "ann", host: "north", at: noon, via: "tag" });
const liveness = { self: { host: "north", pid: 1 }, now: () => noon.getTime(), isAlive: () => false };
const deletion = openSqliteDeletion(layout.database, { lockFile: path.join(folder, "gc.lock"), liveness });
await deletion.expire(noon.getTime() + 60_000);
const choice = await deletion.choose({ kind: "runs", runs: [gone.sequence], withLost: false, protects: () => true });
await deletion.deleteRuns(choice, { actor: "ann", host: "north", via: "flow runs delete", at: noon, reason: "größer" }, () => {});
await deletion.scan();
await deletion.mark(noon.getTime());
await deletion.close();

fs.writeFileSync(path.join(here, "expected.json"), `${JSON.stringify(await readEverything(store, blobs), undefined, 1)}\n`);
await store.close();
await blobs.close();
fs.rmSync(layout.temporary, { recursive: true });
fs.rmSync(path.join(folder, ".gitignore")); // it would keep the golden store out of git
