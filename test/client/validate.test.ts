import { rmSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Digest } from "../../packages/core/src/artifact/artifact.ts";
import { ItemPageWriter } from "../../packages/core/src/artifact/item-pages.ts";
import { encodeValue } from "../../packages/core/src/artifact/value-codec.ts";
import { runRecord } from "../../packages/core/src/client/run-record.ts";
import type { ValidationCheck, ValidationReport } from "../../packages/core/src/client/validate/report.ts";
import { type ValidateOptions, validate } from "../../packages/core/src/client/validate/validate.ts";
import { FlowError } from "../../packages/core/src/errors/flow-error.ts";
import type { FlowDefinition, StepDefinition } from "../../packages/core/src/flow/definition.ts";
import { newRunId } from "../../packages/core/src/ids/run-id.ts";
import type { TaskPath } from "../../packages/core/src/ids/task-path.ts";
import type { RunRow } from "../../packages/core/src/metadata/metadata-store.ts";
import { digestOfFiles } from "../../packages/core/src/util/digest-of-files.ts";
import { definition, largeValue, WrittenStore } from "./written-store.ts";

let store: WrittenStore;
beforeEach(async () => {
  store = await WrittenStore.create();
});
afterEach(async () => await store.close());

const SOURCE = definition("source", "GenerateData");
const MODEL = definition("model", "Train");
const SAME_SOURCE = definition("source", "GenerateData", { sameAs: ["model", "source"] });

/** The whole story: data, a model that learned from it, a prediction by tag on the same data. */
async function writeStory(): Promise<{ readonly data: RunRow; readonly train: RunRow; readonly predict: RunRow }> {
  const data = await store.run("GenerateData", { artifacts: { rows: largeValue(1), names: ["a", "b"] } });
  const train = await store.run("Train", {
    upstreams: (await store.resolve([SOURCE])).upstreams,
    reads: { source: ["rows"] },
    tags: ["prod:v1"],
    items: 3,
    parameters: { configuration: "config" },
    artifacts: { modeler: largeValue(2), score: 0.5 },
  });
  const { upstreams } = await store.resolve([MODEL, SAME_SOURCE], { model: { tags: ["prod:v1"] } });
  const predict = await store.run("Predict", {
    upstreams,
    reads: { model: ["modeler"], source: ["rows", "names"] },
    artifacts: { predictions: new Float64Array([1, 2]) },
  });
  return { data, train, predict };
}

function check(options: ValidateOptions = {}): Promise<ValidationReport> {
  return validate(store.stores, options);
}

function failed(report: ValidationReport): readonly ValidationCheck[] {
  return report.checks.filter((each) => each.status === "fail");
}

function ids(checks: readonly ValidationCheck[]): readonly string[] {
  return [...new Set(checks.map((each) => each.id))].sort();
}

/** 32 bytes of a digest as the database keeps them. */
function bytes(digest: Digest): Buffer {
  return Buffer.from(digest, "hex");
}

test("an undamaged story passes every check, in one line of evidence each", async () => {
  await writeStory();
  const report = await check();
  expect(report.checks.filter((each) => each.status !== "pass")).toEqual([]);
  expect(report.ok).toBe(true);
  expect(report.runs.map((run) => run.run).sort()).toEqual(["Predict/1", "Train/1"]);
  expect(ids(report.checks)).toEqual([
    "V00",
    "V01",
    "V02",
    "V03",
    "V04",
    "V05",
    "V10",
    "V11",
    "V15",
    "V16",
    "V18",
    "V21",
  ]);
  const rows = report.checks.find(
    (each) => each.id === "V02" && each.subject.run === "Predict/1" && each.subject.artifact === "rows",
  );
  expect(rows).toMatchObject({
    kind: "integrity",
    subject: { run: "Predict/1", upstream: "source", artifact: "rows" },
  });
  expect(rows?.evidence).toContain(rows?.subject.digest);
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});

test("a bucket that does not answer says nothing of the values in it: that is told, and no check fails", async () => {
  await writeStory();
  const { metadata, artifacts } = store.stores;
  const gone = new FlowError("FLOW_STORAGE_UNAVAILABLE", { message: "no answer", context: { store: "s3://bucket" } });
  const unanswered = Object.assign(Object.create(artifacts) as typeof artifacts, {
    // biome-ignore lint/correctness/useYield: it fails before it has read anything.
    *examine() {
      throw gone;
    },
  });
  await expect(validate({ metadata, artifacts: unanswered }, {})).rejects.toBe(gone);
});

test("a value that several runs hold is hashed once", async () => {
  const { data, train } = await writeStory();
  const report = await check();
  const distinct = new Map<string, number>();
  for (const run of [data, train, (await store.metadata.runByNumber({ name: "Predict" }, 1))[0]!]) {
    for (const artifact of await store.metadata.visibleArtifacts(run.endTask!))
      distinct.set(artifact.digest, artifact.sizeBytes);
    for (const value of await store.metadata.runValues(run.sequence)) distinct.set(value.digest, value.sizeBytes);
  }
  const sum = [...distinct.values()].reduce((bytes, size) => bytes + size, 0);
  expect(report.hashed).toEqual({ blobs: distinct.size, bytes: sum });
});

test("V03: one flipped bit in a blob file fails, naming run, artifact and digest", async () => {
  const { data } = await writeStory();
  const { digest } = await store.artifact(data, "rows");
  store.flipByte(digest);
  const report = await check({ selector: "Predict/1" });
  expect(report.ok).toBe(false);
  expect(ids(failed(report))).toEqual(["V03"]);
  const read = failed(report).find((each) => each.subject.artifact === "rows")!;
  expect(read.subject).toEqual({ run: "Predict/1", upstream: "source", artifact: "rows", digest });
  expect(read.evidence).toContain("GenerateData/1");
  expect(read.evidence).toContain("not those that were written");
  store.flipByte(digest); // back again
  expect((await check({ selector: "Predict/1" })).ok).toBe(true);
});

test("V03: a wrong byte in a blob inside the database fails", async () => {
  const { data } = await writeStory();
  const { digest } = await store.artifact(data, "names");
  const before = await store.metadata.blob(digest);
  const changed = Buffer.from(before!.stored!);
  changed[changed.length - 1]! ^= 1;
  expect(store.sql("UPDATE blob SET stored = ? WHERE digest = ?", changed, bytes(digest))).toBe(1);
  const report = await check({ selector: "Predict" });
  expect(ids(failed(report))).toEqual(["V03"]);
  expect(failed(report)[0]?.subject).toMatchObject({ artifact: "names", digest });
});

test("V03: a blob file that is gone fails", async () => {
  const { train } = await writeStory();
  const { digest } = await store.artifact(train, "modeler");
  rmSync(store.blobFile(digest));
  const report = await check({ selector: "Predict" });
  expect(ids(failed(report))).toEqual(["V03"]);
  expect(failed(report)[0]?.evidence).toContain("is not there");
});

test("V03: a blob whose record is gone fails", async () => {
  const { train } = await writeStory();
  const { digest } = await store.artifact(train, "modeler");
  expect(store.sql("DELETE FROM blob WHERE digest = ?", bytes(digest))).toBe(1);
  expect(failed(await check({ selector: "Predict" }))[0]?.evidence).toContain("no record of these bytes");
});

test("V03: damage to an artifact that nobody read fails as well", async () => {
  const { predict } = await writeStory();
  const { digest } = await store.artifact(predict, "predictions");
  store.sql("UPDATE blob SET stored = zeroblob(length(stored)) WHERE digest = ?", bytes(digest));
  expect(failed(await check({ selector: "Predict" })).map((each) => each.subject)).toEqual([
    { run: "Predict/1", artifact: "predictions", digest },
  ]);
});

test("V03: a value in the middle of a run is looked at when the run is named", async () => {
  const { train } = await writeStory();
  const [work] = await store.metadata.tasks({ run: train.sequence, step: "work", path: "2" as TaskPath });
  const [square] = await store.metadata.ownArtifacts(work!.sequence);
  store.sql("UPDATE blob SET stored = zeroblob(length(stored)) WHERE digest = ?", bytes(square!.digest));
  const report = await check({ selector: "Train/1" });
  expect(failed(report)).toMatchObject([
    { id: "V03", subject: { run: "Train/1", artifact: "square", digest: square!.digest } },
  ]);
  expect(failed(report)[0]?.evidence).toContain('"square" of Train/1/work/2 (');
  expect(report.checks.map((each) => each.evidence)).toContain(
    "3 further values of the tasks of Train/1 are there and hash to their digests",
  );
  expect((await check()).ok).toBe(true);
});

test("V03: each page of the items of a foreach is looked at when the run is named", async () => {
  const writer = new ItemPageWriter();
  const pages = Array.from({ length: 2_500 }, (_, index) => writer.add(index)).flat();
  pages.push(...writer.finish());
  const run = await store.run("Split", { pages });
  expect(pages.map((page) => page.first)).toEqual([0, 1_000, 2_000]);
  const { digest } = pages[1]!.encoded;
  const bytesFailed = (report: ValidationReport) => failed(report).filter((each) => each.id === "V03");
  expect(bytesFailed(await check({ selector: "Split" }))).toEqual([]);
  store.sql("UPDATE blob SET stored = zeroblob(length(stored)) WHERE digest = ?", bytes(digest));
  const report = await check({ selector: "Split" });
  expect(bytesFailed(report)).toMatchObject([{ subject: { run: `Split/${run.number}`, digest } }]);
  expect(bytesFailed(report)[0]?.evidence).toContain("the items 1000 to 1999 of Split/1/start");
});

test("V02: a digest that differs between consumer and producer fails", async () => {
  const { data, train } = await writeStory();
  const names = await store.artifact(data, "names");
  const score = await store.artifact(train, "score");
  expect(store.sql("UPDATE upstream_read SET digest = ? WHERE artifact = 'names'", bytes(score.digest))).toBe(1);
  const report = await check({ selector: "Predict" });
  expect(ids(failed(report))).toEqual(["V00", "V02"]);
  expect(failed(report)[0]?.evidence).toContain(score.digest);
  expect(failed(report)[0]?.evidence).toContain(names.digest);
});

test("V02: an artifact that the producer replaced fails", async () => {
  const { data, train } = await writeStory();
  const names = await store.artifact(data, "names");
  const score = await store.artifact(train, "score");
  expect(store.sql("UPDATE artifact SET digest = ? WHERE digest = ?", bytes(score.digest), bytes(names.digest))).toBe(
    1,
  );
  expect(ids(failed(await check({ selector: "Predict" })))).toContain("V02");
});

test("V02: the same bytes under another codec are another artifact", async () => {
  await writeStory();
  store.sql("UPDATE upstream_read SET codec = 'bytes' WHERE artifact = 'names'");
  expect(ids(failed(await check({ selector: "Predict" })))).toEqual(["V00", "V02"]);
});

test("V02: a read from another run than the pinned one fails", async () => {
  const { data } = await writeStory();
  const other = await store.run("GenerateData", { artifacts: { rows: largeValue(1), names: ["a", "b"] } });
  expect(store.sql("UPDATE upstream_read SET producer = ? WHERE artifact = 'names'", other.id)).toBe(1);
  const fault = failed(await check({ selector: "Predict" }))[0];
  expect(fault?.id).toBe("V02");
  expect(fault?.evidence).toContain(data.id);
});

test("V02: a read of a run further up is compared with the run that is pinned there", async () => {
  await writeStory();
  const { upstreams } = await store.resolve([MODEL]);
  const report = await store.run("Report", { upstreams, reads: { "model.upstreams.source": ["names"] } });
  expect((await check({ selector: "Report" })).checks.filter((each) => each.status !== "pass")).toEqual([]);
  const other = await store.run("GenerateData", { artifacts: { names: ["a", "b"] } });
  store.sql("UPDATE upstream_read SET producer = ? WHERE run = ?", other.id, report.sequence);
  expect(ids(failed(await check({ selector: "Report" })))).toEqual(["V00", "V02"]);
});

test("V02: a read through the client may be of any task of the producer", async () => {
  const { train } = await writeStory();
  const [first] = await store.metadata.tasks({ run: train.sequence, step: "work" });
  const square = (await store.metadata.ownArtifacts(first!.sequence))[0]!;
  await store.run("Report", { clientReads: [{ producer: train, artifact: square }] });
  expect((await check({ selector: "Report" })).ok).toBe(true);
  const elsewhere = { ...square, digest: (await store.artifact(train, "score")).digest };
  await store.run("Report", { clientReads: [{ producer: train, artifact: elsewhere }] });
  expect(ids(failed(await check({ selector: "Report/2" })))).toEqual(["V02"]);
});

test("V05: a wrong size in the records fails", async () => {
  const { data } = await writeStory();
  const { digest } = await store.artifact(data, "names");
  expect(store.sql("UPDATE artifact SET size_bytes = size_bytes + 1 WHERE digest = ?", bytes(digest))).toBe(1);
  const report = await check({ selector: "Predict" });
  expect(ids(failed(report))).toEqual(["V05"]);
  expect(failed(report)[0]?.subject.artifact).toBe("names");
});

test("V05: a size that two records agree on and the bytes do not have fails", async () => {
  const { data } = await writeStory();
  const { digest } = await store.artifact(data, "names");
  store.sql("UPDATE artifact SET size_bytes = size_bytes + 1 WHERE digest = ?", bytes(digest));
  store.sql("UPDATE blob SET size_bytes = size_bytes + 1 WHERE digest = ?", bytes(digest));
  expect(ids(failed(await check({ selector: "Predict" })))).toEqual(["V05"]);
});

test("V01: a tag that fitted several runs warns, and fails when strict", async () => {
  await store.run("Train", { tags: ["prod:v1"] });
  await store.run("Train", { tags: ["prod:v1"] });
  await store.run("Predict", { upstreams: (await store.resolve([MODEL], { model: { tags: ["prod:v1"] } })).upstreams });
  const report = await check({ selector: "Predict" });
  expect(report.ok).toBe(true);
  expect(report.checks.filter((each) => each.status === "warn").map((each) => each.id)).toEqual(["V01"]);
  expect(report.checks.find((each) => each.status === "warn")?.evidence).toContain(
    "Train/2 was taken as the newest, the others were Train/1",
  );
  expect(ids(failed(await check({ selector: "Predict", strict: true })))).toEqual(["V01"]);
});

test("V01: the selector of the command itself counts too", async () => {
  await store.run("Predict", { tags: ["daily"] });
  await store.run("Predict", { tags: ["daily"] });
  const report = await check({ selector: "Predict@daily" });
  expect(report.runs.map((run) => run.run)).toEqual(["Predict/2"]);
  expect(report.checks.filter((each) => each.status === "warn").map((each) => each.id)).toEqual(["V01"]);
});

test("V10: predicting on other data than the model learned from warns", async () => {
  const { data } = await writeStory();
  await store.run("GenerateData", { artifacts: { rows: largeValue(3) } });
  const { upstreams } = await store.resolve([MODEL, SOURCE]); // both take the newest: the trap
  await store.run("Predict", { upstreams });
  const report = await check({ selector: "Predict" });
  const warning = report.checks.find((each) => each.status === "warn");
  expect(warning?.id).toBe("V10");
  expect(warning?.evidence).toContain("source is GenerateData/2");
  expect(warning?.evidence).toContain(`model.source is GenerateData/${data.number}`);
  expect(ids(failed(await check({ selector: "Predict", strict: true })))).toEqual(["V10"]);
});

test("V10: other data that was asked for is no warning", async () => {
  await writeStory();
  await store.run("GenerateData", { tags: ["fresh"] });
  const { upstreams } = await store.resolve([MODEL, SAME_SOURCE], { source: { tags: ["fresh"] } });
  await store.run("Predict", { upstreams });
  const report = await check({ selector: "Predict" });
  expect(report.checks.filter((each) => each.id === "V10").map((each) => each.status)).toEqual(["pass"]);
});

test("V10: a flow that goes on from its own last run is no warning", async () => {
  const previous = definition("previous", "Grow", { optional: true });
  for (let index = 0; index < 3; index++) {
    await store.run("GenerateData");
    await store.run("Grow", { upstreams: (await store.resolve([previous, SOURCE])).upstreams });
  }
  const report = await check({ selector: "Grow" });
  expect(report.checks.filter((each) => each.id === "V10")).toEqual([]);
  expect(report.ok).toBe(true);
});

test("V15: a producer that is not in the store, or did not succeed, fails, also further up", async () => {
  const { data } = await writeStory();
  store.sql("UPDATE run SET status = 'failed' WHERE id = ?", data.id);
  const report = await check({ selector: "Predict" });
  expect(ids(failed(report))).toContain("V15");
  expect(failed(report).find((each) => each.id === "V15")?.evidence).toContain("GenerateData/1");
  store.sql("UPDATE upstream SET producer = '01900000-0000-7000-8000-000000000000' WHERE name = 'source'");
  expect(
    failed(await check({ selector: "Predict" }))
      .filter((each) => each.id === "V15")
      .map((each) => each.evidence)[0],
  ).toContain("not in this store");
});

test("V00: a run without success, without an end or with a task that did not succeed fails", async () => {
  await store.run("Hello", { status: "failed" });
  expect(failed(await check({ selector: "Hello/1" })).map((each) => each.evidence)).toEqual([
    "Hello/1 failed: it has no result to rely on",
  ]);
  const whole = await store.run("Hello", { items: 3 });
  expect((await check({ selector: "Hello/2" })).ok).toBe(true);
  store.sql("UPDATE task SET status = 'lost' WHERE run = ? AND step = 'work' AND path = '1'", whole.sequence);
  expect(failed(await check({ selector: "Hello/2" }))[0]?.evidence).toContain("Hello/2/work/1 is lost");
  store.sql("UPDATE task SET status = 'succeeded' WHERE run = ?", whole.sequence);
  store.sql("DELETE FROM task WHERE run = ? AND step = 'work' AND path = '1'", whole.sequence);
  expect(failed(await check({ selector: "Hello/2" }))[0]?.evidence).toContain(
    "1 of the 3 items of Hello/2/start have no task",
  );
  store.sql("UPDATE run SET end_task = NULL WHERE sequence = ?", whole.sequence);
  expect(failed(await check({ selector: "Hello/2" })).some((each) => each.evidence.includes("no end task"))).toBe(true);
});

test("V00: an older attempt that failed is no fault; of a task that ended otherwise than it could, the end is said", async () => {
  const whole = await store.run("Hello", { items: 4 });
  const attempt = (path: string, status: string, number: number) => `
    INSERT INTO task (sequence, run, step, path, attempt, status, started_at, inherits)
    SELECT next_task, run, step, path, ${number}, '${status}', started_at, inherits FROM task, store
    WHERE run = ${whole.sequence} AND step = 'work' AND path = '${path}' AND attempt = 1`;
  store.forgetDigests(); // What is done by hand here is what a run would have done.
  const tryAgain = async (path: string, status: string, number: number) => {
    store.sql(attempt(path, status, number));
    await store.metadata.reserveTasks(1);
  };
  store.sql("UPDATE task SET status = 'failed' WHERE run = ? AND step = 'work' AND path = '0'", whole.sequence);
  await tryAgain("0", "lost", 2);
  await tryAgain("0", "succeeded", 3);
  store.sql("UPDATE task SET status = 'skipped' WHERE run = ? AND path = '1'", whole.sequence);
  store.sql("UPDATE task SET status = 'caught' WHERE run = ? AND path = '2'", whole.sequence);
  const report = await check({ selector: "Hello/1" });
  expect(failed(report)).toEqual([]);
  expect(report.checks.find((each) => each.id === "V00")?.evidence).toContain(
    "all 6 tasks of Hello/1 succeeded (1 caught, 1 skipped)",
  );
  await tryAgain("3", "failed", 2); // the newest attempt is what a task is
  expect(failed(await check({ selector: "Hello/1" }))[0]?.evidence).toContain("Hello/1/work/3 failed");
});

test("V00: tasks that a fork took over are its own", async () => {
  const from = await store.run("Hello", { items: 3, artifacts: { rows: largeValue(1) } });
  const { id, flow, environment } = from;
  const to = await store.metadata.createRun({
    ...{ id: newRunId(), flow, formerly: [], createdAt: new Date(), tags: [], systemTags: [], parameters: {} },
    ...{ secretParameters: [], values: [], environment, upstreams: [], blobs: [], actor: "ana", host: "here" },
    execution: { runner: { host: "here", pid: 1 }, command: [] },
    origin: { run: id, changedSteps: ["end"] },
    takeOver: { from: from.sequence, exceptSteps: [] },
  });
  expect(await store.metadata.tasks({ run: to.sequence })).toHaveLength(5);
  const endTask = (await store.metadata.tasks({ run: to.sequence, step: "end" }))[0]!.sequence;
  const end = { run: to.sequence, execution: 1, status: "succeeded" as const, finishedAt: new Date(), endTask };
  const finished = await store.metadata.finishRun(end);
  const report = await check({ selector: "Hello/2" });
  expect(failed(report)).toEqual([]);
  expect(report.checks.find((each) => each.id === "V00")?.evidence).toContain("all 5 tasks of Hello/2 succeeded");
  const record = await runRecord(store.metadata, finished);
  expect(record).toMatchObject({
    origin: { run: "Hello/1", runId: id, changedSteps: ["end"] },
    tasks: { attempts: 5 },
  });
  expect(record.artifacts.map((artifact) => artifact.name)).toEqual(["rows"]);
});

test("V00: with the recorded graph, a step that had to run and did not fails", async () => {
  const step = (name: string, more: Partial<StepDefinition>): StepDefinition => ({
    name,
    kind: "step",
    isJoin: false,
    next: [],
    behaviour: {},
    arity: 0,
    ...more,
  });
  const steps = [
    step("start", { next: ["work"], foreach: "items" }),
    step("work", { next: ["gather"] }),
    step("gather", { kind: "join", isJoin: true, next: ["end"] }),
    step("end", {}),
  ];
  const flow: Partial<FlowDefinition> = { project: "shop", name: "Wide", steps };
  const digest = encodeValue("package").digest;
  await store.metadata.putPackage({
    digest,
    manifest: JSON.stringify({ schema: 1, entry: "wide.ts", flows: [{ exportName: "default", definition: flow }] }),
    blobs: [],
  });
  const run = await store.run("Wide", { items: 2, packageDigest: digest });
  const fault = failed(await check({ selector: "Wide" }))[0];
  expect(fault?.id).toBe("V00");
  expect(fault?.evidence).toContain("Wide/1/work/0 leads to gather, but gather is not recorded");
  const [end] = await store.metadata.tasks({ run: run.sequence, step: "end" });
  const gather = await store.metadata.reserveTasks(1);
  store.forgetDigests();
  store.sql(
    "INSERT INTO task (sequence, run, step, path, attempt, status, started_at) SELECT ?, run, 'gather', '', 1, 'succeeded', started_at FROM task WHERE sequence = ?",
    gather,
    end!.sequence,
  );
  const report = await check({ selector: "Wide" });
  expect(failed(report)).toEqual([]);
  expect(report.checks.find((each) => each.id === "V00")?.evidence).toContain("along the recorded graph");
});

test("V03: a file of the code package that is damaged fails", async () => {
  const source = encodeValue(Buffer.from("export default 1;"));
  const files = [{ name: "flow.mjs", digest: source.digest, sizeBytes: source.sizeBytes }];
  const digest = digestOfFiles(files) as typeof source.digest;
  const manifest = JSON.stringify({ schema: 1, entry: "a.ts", files });
  await store.metadata.putPackage({ digest, manifest, blobs: [store.stores.artifacts.storeSync(source)] });
  await store.run("Hello", { packageDigest: digest });
  expect((await check({ selector: "Hello" })).ok).toBe(true);
  store.sql("UPDATE blob SET stored = zeroblob(length(stored)) WHERE digest = ?", bytes(source.digest));
  expect(failed(await check({ selector: "Hello" }))[0]?.evidence).toContain(
    '"flow.mjs" of the code package of Hello/1',
  );
});

test("V04: a changed, a missing and an unlogged tag move fail", async () => {
  const { train } = await writeStory();
  await store.move(train, { add: ["extra"] });
  await store.move(train, { remove: ["extra"] });
  expect((await check({ selector: "Train" })).ok).toBe(true);
  store.sql(
    "INSERT INTO run_tag (run, tag, flow, status) SELECT run, 'smuggled', flow, status FROM run_tag WHERE run = ? LIMIT 1",
    train.sequence,
  );
  expect(failed(await check({ selector: "Train" }))[0]?.evidence).toContain('Train/1 holds "smuggled"');
  store.sql("DELETE FROM run_tag WHERE tag = 'smuggled'");
  store.dropTriggers("tag_event");
  store.sql("UPDATE tag_event SET actor = 'eve' WHERE tag = 'extra' AND verb = 'add'");
  expect(failed(await check({ selector: "Train" }))[0]?.evidence).toContain("changed after it was written");
  store.sql("DELETE FROM tag_event WHERE tag = 'extra' AND verb = 'add'");
  expect(ids(failed(await check({ selector: "Train" })))).toEqual(["V04"]);
});

test("V21: a moved tag warns with when and who, and fails when currency is asked for", async () => {
  const { train } = await writeStory();
  const second = await store.run("Train", { upstreams: (await store.resolve([SOURCE])).upstreams });
  await store.move(train, { remove: ["prod:v1"] }, "bob");
  await store.move(second, { add: ["prod:v1"] }, "bob");
  const report = await check({ selector: "Predict" });
  expect(report.ok).toBe(true);
  const moved = report.checks.filter((each) => each.status === "warn");
  expect(moved).toHaveLength(1);
  expect(moved[0]).toMatchObject({ id: "V21", kind: "currency", subject: { run: "Predict/1", upstream: "model" } });
  expect(moved[0]?.evidence).toMatch(
    /^"model" \(tagged "prod:v1"\): "prod:v1" moved from Train\/1 to Train\/2 on \d{4}-\d\d-\d\d \d\d:\d\d UTC by bob$/,
  );
  const strictly = await check({ selector: "Predict", current: true });
  expect(strictly.ok).toBe(false);
  expect(ids(failed(strictly))).toEqual(["V21"]);
  expect(ids(failed(await check({ selector: "Predict", strict: true })))).toEqual(["V21"]);
});

test("V21: a second run with the tag, no run with it, and a newer run are told apart", async () => {
  const { train } = await writeStory();
  const evidence = async (selector: string) =>
    (await check({ selector })).checks.filter((each) => each.status === "warn").map((each) => each.evidence);
  const second = await store.run("Train", { tags: ["prod:v1"], upstreams: (await store.resolve([SOURCE])).upstreams });
  expect((await evidence("Predict"))[0]).toContain('"prod:v1" is now also on Train/2');
  await store.move(train, { remove: ["prod:v1"] });
  await store.move(second, { remove: ["prod:v1"] });
  expect((await evidence("Predict"))[0]).toContain(
    'no successful run carries "prod:v1" any more: "prod:v1" was taken from Train/1',
  );
  await store.run("GenerateData");
  expect((await evidence("Train/1"))[0]).toContain("GenerateData/2 of");
});

test("V21: a flow that reads from itself is current while no run came between", async () => {
  const previous = definition("previous", "Daily", { optional: true });
  const run = async () => await store.run("Daily", { upstreams: (await store.resolve([previous])).upstreams });
  const currency = async (selector: string) =>
    (await check({ selector })).checks.filter((each) => each.id === "V21").map((each) => [each.status, each.evidence]);
  await run();
  await run();
  expect(await currency("Daily/2")).toEqual([["pass", '"previous" (the newest) is still Daily/1']]);
  await run();
  expect(await currency("Daily/2")).toEqual([["pass", '"previous" (the newest) is still Daily/1']]);
  expect(await currency("Daily/3")).toEqual([["pass", '"previous" (the newest) is still Daily/2']]);
  const other = await store.run("Other");
  expect(await currency(`Other/${other.number}`)).toEqual([]);
});

test("V21: names the upstream, so that two of one flow can be told apart", async () => {
  await store.run("GenerateData");
  const upstreams = (await store.resolve([SOURCE, definition("again", "GenerateData")])).upstreams;
  await store.run("Train", { upstreams });
  await store.run("GenerateData");
  const lines = (await check({ selector: "Train" })).checks
    .filter((each) => each.id === "V21")
    .map((each) => each.evidence)
    .sort();
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/^"again" \(the newest\): GenerateData\/2 of .* is newer than GenerateData\/1 of /);
  expect(lines[1]).toMatch(/^"source" \(the newest\): GenerateData\/2 of .* is newer than GenerateData\/1 of /);
});

test("a store in which no flow reads from another is checked all the same", async () => {
  const run = await store.run("Hello", { artifacts: { greeting: "hello" } });
  expect((await check()).runs.map((each) => each.run)).toEqual(["Hello/1"]);
  store.sql(
    "UPDATE blob SET stored = zeroblob(length(stored)) WHERE digest = ?",
    bytes((await store.artifact(run, "greeting")).digest),
  );
  expect((await check()).ok).toBe(false);
});

test("a selector that names no run is an error", async () => {
  await expect(check({ selector: "Nothing/1" })).rejects.toMatchObject({ code: "FLOW_LINEAGE_NO_RUN" });
});
