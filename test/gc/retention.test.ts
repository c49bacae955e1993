/** Which runs go, which are kept and why, and what is still said of those that went. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { deleteRuns } from "../../packages/core/src/admin/gc/delete-runs.ts";
import { runRecord } from "../../packages/core/src/client/run-record.ts";
import { validate } from "../../packages/core/src/client/validate/validate.ts";
import { findRunByText } from "../../packages/core/src/lineage/find-run.ts";
import { verifyTagLog } from "../../packages/core/src/metadata/tag-chain.ts";
import { digestOf, newRun } from "../conformance/metadata-store/records.ts";
import { BY, DAY, type GcStore, gcStore, small, upstreamOf } from "./kit.ts";

let store: GcStore;
beforeEach(async () => {
  store = await gcStore();
});
afterEach(async () => {
  expect(store.damage()).toEqual([]);
  await store[Symbol.asyncDispose]();
});

const left = async (): Promise<readonly string[]> =>
  (await store.metadata.runs({ limit: 1_000 })).map((run) => `${run.flow.name}/${run.number}`).reverse();
const flow = (name: string) => ({ flow: { project: "shop", name } });
const old = { daysAgo: 100 };

describe("a policy", () => {
  test("without a condition lets no run go", async () => {
    await store.run({ x: 1 }, old);
    expect((await store.gc()).runs).toEqual({ count: 0, tasks: 0 });
    expect(await left()).toEqual(["Train/1"]);
  });

  test("lets go what all conditions select: age, number, status, flow", async () => {
    for (const end of ["succeeded", "failed", "failed", "succeeded", "failed"] as const)
      await store.run({}, { end, ...old });
    await store.run({}, { end: "failed", ...old, ...flow("Other") });
    await store.run({}, { end: "failed" });
    const policy = { olderThanMs: 90 * DAY, statuses: ["failed"], flow: flow("Train").flow } as const;
    expect((await store.gc({ ...policy, keepLast: 2, dryRun: true })).runs).toEqual({ count: 2, tasks: 2 });
    // The newest of those that status and flow select stay: 6 is one of them, though it is young.
    expect((await store.gc({ ...policy, keepLast: 2 })).runs.count).toBe(2);
    expect(await left()).toEqual(["Train/1", "Train/4", "Train/5", "Other/1", "Train/6"]);
    expect((await store.gc(policy)).runs.count).toBe(1);
    expect((await store.gc({ olderThanMs: 90 * DAY })).runs.count).toBe(3);
    expect(await left()).toEqual(["Train/6"]);
  });

  test("keeps the newest of each flow by number alone", async () => {
    for (const name of ["A", "B", "A", "B", "A"]) await store.run({}, flow(name));
    await store.gc({ keepLast: 1 });
    expect(await left()).toEqual(["B/2", "A/3"]);
  });

  test("takes runs that are lost only when they are named, and never one that is under way", async () => {
    const lost = await store.run({}, { end: undefined, ...old });
    store.here.processes.clear();
    store.here.processes.set(2, "2");
    const running = { runner: { ...store.here.self, pid: 2, startedAt: "2" }, command: [] };
    await store.run({}, { end: undefined, ...old, execution: running });
    expect((await store.gc({ olderThanMs: 1 })).runs.count).toBe(0);
    expect((await store.gc({ olderThanMs: 1, statuses: ["failed", "lost"] })).runs.count).toBe(1);
    expect(await left()).toEqual(["Train/2"]);
    expect(await store.metadata.deletedRun(lost.id)).toMatchObject({ number: 1, status: "lost" });
  });

  test("tags keep a run: all of them, or those that are named", async () => {
    await store.run({}, { ...old, tags: ["prod:v1"] });
    await store.run({}, { ...old, tags: ["test:v1"] });
    await store.run({}, { ...old, tags: ["test:v2", "prod:v2"] });
    await store.run({}, old);
    const report = await store.gc({ olderThanMs: DAY, dryRun: true });
    expect(report.runs.count).toBe(1);
    expect(
      report.kept.map(({ run, because }) => [run, ...because.map((each) => each.kind === "tag" && each.tag)]),
    ).toEqual([
      ["Train/3", "prod:v2", "test:v2"],
      ["Train/2", "test:v1"],
      ["Train/1", "prod:v1"],
    ]);
    expect((await store.gc({ tags: ["test:*"] })).runs.count).toBe(1);
    expect(await left()).toEqual(["Train/1", "Train/3", "Train/4"]);
    expect((await store.gc({ olderThanMs: DAY, keepTags: ["prod:v?"] })).runs.count).toBe(1);
    expect((await store.gc({ olderThanMs: DAY, keepTags: ["prod:v2"] })).runs.count).toBe(1);
    expect(await left()).toEqual(["Train/3"]);
    // That they are gone stands in the log, which is whole.
    const events = await store.metadata.tagEvents({});
    expect(verifyTagLog(events.toReversed())).toMatchObject({ kind: "whole" });
    expect(events.filter(({ verb }) => verb === "remove").map(({ tag, via }) => [tag, via])).toEqual([
      ["prod:v1", "test"],
      ["test:v1", "test"],
    ]);
  });
});

describe("what a kept run needs is kept", () => {
  test("the runs that it reads from, and those that they read from, with the reason", async () => {
    const one = await store.run({ x: small(1) }, { ...old, ...flow("Data") });
    const two = await store.run({ x: small(2) }, { ...old, ...flow("Train"), upstreams: [upstreamOf(one)] });
    await store.run({}, { ...flow("Predict"), upstreams: [upstreamOf(two)] });
    await store.run({}, { ...old, ...flow("Data") });
    const report = await store.gc({ olderThanMs: DAY });
    expect(await left()).toEqual(["Data/1", "Train/1", "Predict/1"]);
    expect(report.kept).toEqual([
      { run: "Train/1", runId: two.id, because: [{ kind: "read", by: "Predict/1" }] },
      { run: "Data/1", runId: one.id, because: [{ kind: "read", by: "Train/1" }] },
    ]);
    expect(await store.valuesOf(two)).toEqual({ x: small(2) });
    // When the last reader may go, so may all.
    store.here.time += 30 * DAY;
    expect((await store.gc({ olderThanMs: DAY })).runs.count).toBe(3);
  });

  test("its parent and its children, and what those need", async () => {
    const data = await store.run({}, { ...old, ...flow("Data") });
    const parent = await store.run({}, { ...old, ...flow("Parent"), upstreams: [upstreamOf(data)] });
    const call = (call: number) => ({
      run: parent.sequence,
      step: "start",
      path: "",
      call,
      inputsDigest: digestOf("x"),
    });
    await store.run({}, { ...old, ...flow("Child"), parent: call(0) });
    const tagged = await store.run({}, { ...old, ...flow("Child"), parent: call(1), tags: ["keep"] });
    const report = await store.gc({ olderThanMs: DAY });
    expect(await left()).toEqual(["Data/1", "Parent/1", "Child/1", "Child/2"]);
    expect(Object.fromEntries(report.kept.map(({ run, because }) => [run, because[0]]))).toEqual({
      "Data/1": { kind: "read", by: "Parent/1" },
      "Parent/1": { kind: "child", run: "Child/1" },
      "Child/1": { kind: "parent", run: "Parent/1" },
      "Child/2": { kind: "tag", tag: "keep" },
    });
    await store.metadata.moveTags({ run: tagged.sequence, add: [], remove: ["keep"], ...BY, at: new Date() });
    expect((await store.gc({ olderThanMs: DAY })).runs.count).toBe(4);
    expect(store.count("child_run")).toBe(0);
  });

  test("but not the run that it was forked from, nor those of its cached tasks: it has what it took", async () => {
    const origin = await store.run({ x: small("origin") }, { ...old, end: "failed" });
    const takeOver = { from: origin.sequence, exceptSteps: [] };
    const fork = await store.metadata.createRun(newRun({ origin: { run: origin.id, fromStep: "fit" }, takeOver }));
    const [task] = await store.metadata.tasks({ run: fork.sequence });
    const endTask = task!.sequence;
    await store.metadata.finishRun({
      run: fork.sequence,
      execution: 1,
      status: "succeeded",
      finishedAt: new Date(),
      endTask,
    });
    expect((await store.gc({ olderThanMs: DAY, graceMs: 0, by: { ...BY, reason: "too old" } })).runs.count).toBe(1);
    await store.gc({ graceMs: 0 });
    expect(await store.valuesOf(fork)).toEqual({ x: small("origin") });
    const record = await runRecord(store.metadata, (await store.metadata.run(fork.sequence))!);
    expect(record.origin).toEqual({
      run: "Train/1",
      runId: origin.id,
      fromStep: "fit",
      deleted: { at: new Date(store.here.time).toISOString(), ...BY, reason: "too old" },
    });
  });

  test("a chain of two hundred runs, each reading from the one before, is followed to its beginning", {
    timeout: 60_000,
  }, async () => {
    let last = await store.run({}, old);
    for (let at = 1; at < 200; at++) last = await store.run({}, { ...old, upstreams: [upstreamOf(last)] });
    await store.metadata.moveTags({ run: last.sequence, add: ["keep"], remove: [], ...BY, at: new Date() });
    const begin = performance.now();
    expect((await store.gc({ olderThanMs: DAY })).kept).toHaveLength(200);
    expect(performance.now() - begin).toBeLessThan(5_000);
  });
});

describe("a run that was deleted", () => {
  test("takes all of its rows along, leaves its name, and its number is not given again", async () => {
    const gone = await store.run({ x: small(1) }, { ...old, parameters: { a: 1 } });
    const kept = await store.run({ x: small(2) });
    const tables = ["task", "artifact", "log", "execution", "run_parameter"];
    expect(tables.map((table) => store.count(table))).toEqual([2, 2, 2, 2, 1]);
    const tooLong = { ...BY, at: new Date(store.here.time), reason: "x".repeat(256 * 1024 + 1) };
    await expect(deleteRuns(store.records, [gone.sequence], { by: tooLong })).rejects.toMatchObject({
      code: "FLOW_METADATA_BAD_ARGUMENT",
    });
    await deleteRuns(store.records, [gone.sequence], {
      by: { ...BY, at: new Date(store.here.time), reason: "held data" },
    });
    expect(tables.map((table) => store.count(table))).toEqual([1, 1, 1, 1, 0]);
    expect(await store.metadata.deletedRun(gone.id)).toEqual({
      id: gone.id,
      flow: gone.flow,
      number: 1,
      status: "succeeded",
      createdAt: gone.createdAt,
      deletedAt: new Date(store.here.time),
      ...BY,
      reason: "held data",
    });
    expect((await store.metadata.flows())[0]).toMatchObject({ runs: 1, newest: kept.sequence });
    await deleteRuns(store.records, [kept.sequence], { by: { ...BY, at: new Date() } });
    expect(await store.metadata.flows()).toEqual([]);
    expect((await store.run({})).number).toBe(3);
  });

  test("is named by when and by whom to whoever asks for it", async () => {
    const gone = await store.run({}, old);
    await deleteRuns(store.records, [gone.sequence], {
      by: { ...BY, at: new Date("2026-05-04T12:00:00Z"), reason: "why" },
    });
    const message = "Train/1 was deleted on 2026-05-04 12:00 UTC by ann on north (test: why)";
    for (const text of ["Train/1", gone.id])
      expect(await findRunByText(store.metadata, text)).toMatchObject({
        problem: { code: "FLOW_LINEAGE_RUN_DELETED", message },
      });
    expect(await findRunByText(store.metadata, "Train/2")).toMatchObject({ problem: { code: "FLOW_LINEAGE_NO_RUN" } });
  });

  test("is refused as an upstream of a run that chose it before", async () => {
    const gone = await store.run({}, old);
    await deleteRuns(store.records, [gone.sequence], { by: { ...BY, at: new Date() } });
    await expect(store.metadata.createRun(newRun({ upstreams: [upstreamOf(gone)] }))).rejects.toMatchObject({
      code: "FLOW_METADATA_RUN_DELETED",
    });
  });

  test("is a warning to whoever validates a run that read it through the client", async () => {
    const gone = await store.run({ x: 1 }, old);
    const reader = await store.run({ y: 2 }, flow("Reader"));
    const [task] = await store.metadata.tasks({ run: reader.sequence });
    const again = await store.metadata.createRun(newRun(flow("Reader")));
    const [own] = await store.metadata.ownArtifacts((await store.metadata.tasks({ run: gone.sequence }))[0]!.sequence);
    const sequence = await store.metadata.reserveTasks(1);
    await store.metadata.commitTick({
      run: again.sequence,
      execution: 1,
      started: [{ ...task!, sequence, run: again.sequence }],
      blobs: [],
      finished: [{ sequence, status: "succeeded", finishedAt: new Date(), artifacts: [], pages: [] }],
      reads: [{ task: sequence, producer: gone.id, artifact: "x", codec: own!.codec, digest: own!.digest }],
      logs: [],
    });
    await store.metadata.finishRun({
      run: again.sequence,
      execution: 1,
      status: "succeeded",
      finishedAt: new Date(),
      endTask: sequence,
    });
    await deleteRuns(store.records, [gone.sequence], { by: { ...BY, at: new Date() } });
    const report = await validate(store, { selector: "Reader/2" });
    const about = report.checks.filter(({ id }) => id === "V02");
    expect(about).toMatchObject([{ status: "warn", evidence: expect.stringContaining("Train/1 was deleted on") }]);
    expect(report.ok).toBe(true);
  });
});

describe("deleting by name", () => {
  const by = { ...BY, at: new Date() };

  test("refuses with every reason of every run, and the next command; nothing is deleted then", async () => {
    const data = await store.run({}, { ...flow("Data"), tags: ["a", "b"] });
    const train = await store.run({}, { ...flow("Train"), upstreams: [upstreamOf(data)] });
    const running = await store.run({}, { ...flow("Live"), end: undefined });
    const error: any = await deleteRuns(store.records, [data.sequence, running.sequence], { by }).catch(
      (thrown) => thrown,
    );
    expect(error.code).toBe("FLOW_GC_RUN_KEPT");
    expect(error.problems.map(({ message, hint }: { message: string; hint: string }) => [message, hint])).toEqual([
      ["Live/1 is running", "Wait until it has ended"],
      ['Data/1 holds the tag "a"', "Take the tag away with flow tag remove Data/1 a"],
      ['Data/1 holds the tag "b"', "Take the tag away with flow tag remove Data/1 b"],
      ["Data/1 is read by Train/1", "Delete both with flow runs delete Data/1 Train/1"],
    ]);
    expect(await left()).toHaveLength(3);
    await store.metadata.moveTags({ run: data.sequence, add: [], remove: ["a", "b"], ...by });
    expect(await deleteRuns(store.records, [data.sequence, train.sequence], { by })).toEqual({ runs: 2, tasks: 2 });
  });

  test("takes a lost run only when that is said", async () => {
    const run = await store.run({}, { end: undefined });
    store.here.processes.clear();
    await expect(deleteRuns(store.records, [run.sequence], { by })).rejects.toMatchObject({ code: "FLOW_GC_RUN_KEPT" });
    expect(await deleteRuns(store.records, [run.sequence], { by, withLost: true })).toEqual({ runs: 1, tasks: 1 });
  });

  test("leaves a run that was touched between the choice and the deletion, and what it needs", async () => {
    const data = await store.run({}, flow("Data"));
    const train = await store.run({}, { ...flow("Train"), end: "failed", upstreams: [upstreamOf(data)] });
    const choice = await store.records.choose({
      kind: "runs",
      runs: [data.sequence, train.sequence],
      withLost: false,
      protects: () => true,
    });
    expect(choice.going.size).toBe(2);
    await store.metadata.beginExecution({
      run: train.sequence,
      at: new Date(),
      runner: store.here.self,
      actor: "bo",
      command: [],
    });
    expect(await store.records.deleteRuns(choice, by, () => {})).toEqual({ runs: 0, tasks: 0, left: 2 });
    expect(await left()).toEqual(["Data/1", "Train/1"]);
  });
});
