import { describe, expect, test } from "vitest";
import { newRunId } from "../../../packages/core/src/ids/run-id.ts";
import type { ImportedRow, ImportedRun, ImportRuns } from "../../../packages/core/src/metadata/imported-run.ts";
import {
  artifactOf,
  blobOf,
  digestOf,
  environment,
  finished,
  finishedRun,
  names,
  newRun,
  noon,
  runner,
  started,
  tick,
} from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

const STORE = "0190f000-0000-4000-8000-000000000001";
const later = new Date(noon.getTime() + 60_000);
const error = { code: "FLOW_STEP_FAILED", name: "Error", message: "no" };

export function importedRun(changes: Partial<ImportedRun> = {}, rows: readonly ImportedRow[] = []): ImportedRun {
  return {
    id: newRunId(),
    flow: { project: "shop", name: "Train" },
    status: "succeeded",
    createdAt: noon,
    startedAt: noon,
    finishedAt: later,
    taskCount: 0,
    execution: 1,
    systemTags: [],
    parameters: {},
    secretParameters: [],
    environment,
    tags: [],
    imported: {
      store: STORE,
      run: "shop/Train/17",
      at: later,
      actor: "ann",
      host: "here",
      references: [],
      tagLogs: [],
    },
    rows: () => [execution, ...rows],
    ...changes,
  };
}

const execution: ImportedRow & { readonly kind: "execution" } = {
  kind: "execution",
  execution: {
    number: 1,
    runner,
    actor: "miller",
    command: ["flow"],
    options: { with: ["retry=3"] },
    startedAt: noon,
    heartbeatAt: later,
    endedAt: later,
    status: "succeeded",
  },
};

export function task(place: number, changes: Partial<(ImportedRow & { kind: "task" })["task"]> = {}): ImportedRow {
  return {
    kind: "task",
    task: {
      place,
      step: "start",
      path: "",
      attempt: 1,
      status: "succeeded",
      startedAt: noon,
      finishedAt: later,
      ...changes,
    },
  };
}

function batch(runs: readonly ImportedRun[], changes: Partial<ImportRuns> = {}): ImportRuns {
  return { runs, packages: [], blobs: () => [], ...changes };
}

export function importRunsVerb(under: MetadataStoreUnderTest): void {
  describe("importRuns", () => {
    test("refuses a run that is there, and then takes over none", async () => {
      const there = await finishedRun(under.store);
      const other = importedRun();
      await expect(
        under.store.importRuns(batch([other, importedRun({ id: there.id })], { blobs: () => [blobOf("x")] })),
      ).rejects.toMatchObject({ code: "FLOW_METADATA_CONFLICT" });
      expect(await under.store.runById(other.id)).toBeUndefined();
      expect(await under.store.blob(digestOf("x"))).toBeUndefined();
      expect((await under.store.createRun(newRun())).number).toBe(2);
    });
    test("refuses a value that is not stored, by name", async () => {
      const run = importedRun({ taskCount: 1 }, [
        task(0),
        { kind: "artifact", task: 0, artifact: artifactOf("model", "x") },
      ]);
      await expect(under.store.importRuns(batch([run]))).rejects.toMatchObject({
        code: "FLOW_METADATA_MISSING_BLOB",
        message: expect.stringContaining('"model"'),
      });
      expect(await under.store.runs({})).toEqual([]);
    });
    test("refuses rows of tasks that the run has not", async () => {
      const run = importedRun({ taskCount: 1 }, [task(0), task(1, { step: "end" })]);
      await expect(under.store.importRuns(batch([run]))).rejects.toMatchObject({ code: "FLOW_METADATA_BAD_ARGUMENT" });
    });
    test("refuses what its rows throw, and then takes over none", async () => {
      const run = importedRun({
        rows: function* () {
          yield execution;
          throw Object.assign(new Error("torn"), { code: "TORN" });
        },
      });
      await expect(under.store.importRuns(batch([run]))).rejects.toThrow(/torn/);
      expect(await under.store.runs({})).toEqual([]);
    });

    test("gives every row back as it was handed over", async () => {
      await under.store.reserveTasks(5); // The store's numbers are others than the places.
      const producer = newRunId();
      const rows: readonly ImportedRow[] = [
        { kind: "value", value: { ...artifactOf("seed", "7"), kind: "parameter" } },
        {
          kind: "upstream",
          upstream: {
            name: "source",
            flow: { project: "shop", name: "Data" },
            selector: { kind: "newest" },
            producer,
            candidateCount: 2,
            candidates: ["Data/4"],
            resolvedAt: noon,
          },
        },
        task(0, { fanOut: 3, valueReads: ["seed"], durationMs: 1.5 }),
        {
          kind: "page",
          task: 0,
          page: { first: 0, count: 3, codec: "item-page", digest: digestOf("page"), sizeBytes: 4 },
        },
        task(1, { step: "fit", path: "0", status: "failed", error, inherits: 0 }),
        task(2, { step: "fit", path: "0", attempt: 2, inherits: 0 }),
        { kind: "artifact", task: 2, artifact: artifactOf("model", "m") },
        {
          kind: "read",
          task: 2,
          read: { upstream: "source", producer, artifact: "rows", codec: "text", digest: digestOf("rows") },
        },
        { kind: "log", task: 2, chunk: { attempt: 2, stream: "stdout", at: noon, text: "hello" } },
        { kind: "log", task: 1, chunk: { attempt: 1, stream: "stderr", at: noon, text: "oh" } },
      ];
      const given = importedRun({ taskCount: 3, endTask: 2, parameters: { seed: 7 } }, rows);
      const [run] = await under.store.importRuns(batch([given], { blobs: () => ["7", "page", "m"].map(blobOf) }));
      const tasks = await under.store.tasks({ run: run!.sequence });
      const [start, failed, fit] = tasks;
      expect(run).toMatchObject({
        id: given.id,
        number: 1,
        status: "succeeded",
        createdAt: noon,
        finishedAt: later,
        endTask: fit!.sequence,
        parameters: { seed: 7 },
        environment,
        imported: given.imported,
      });
      expect(run).not.toHaveProperty("origin");
      expect(await under.store.runs({ parameters: { seed: 7 } })).toEqual([run]);
      expect(await under.store.executions(run!.sequence)).toEqual([
        { run: run!.sequence, ...(execution as { execution: object }).execution },
      ]);
      expect(tasks).toMatchObject([
        { step: "start", fanOut: 3, valueReads: ["seed"], durationMs: 1.5 },
        { step: "fit", attempt: 1, status: "failed", error, inherits: start!.sequence },
        { step: "fit", attempt: 2, status: "succeeded", inherits: start!.sequence },
      ]);
      expect(await under.store.itemPage(start!.sequence, 2)).toMatchObject({ first: 0, count: 3 });
      expect(await under.store.visibleArtifacts(fit!.sequence)).toEqual([artifactOf("model", "m")]);
      expect(await under.store.runValues(run!.sequence)).toMatchObject([{ name: "seed", kind: "parameter" }]);
      expect(await under.store.upstreams(run!.sequence)).toMatchObject([{ name: "source", producer }]);
      expect(await under.store.reads(run!.sequence)).toMatchObject([{ task: fit!.sequence, artifact: "rows" }]);
      const { rows: logs } = await under.store.runLogs({ run: run!.sequence, after: 0 as never, limit: 9 });
      expect(logs).toMatchObject([
        { task: fit!.sequence, text: "hello" },
        { task: failed!.sequence, text: "oh" },
      ]);
      expect((await under.store.consumers(producer)).map(({ id }) => id)).toEqual([given.id]);
    });

    test("is older than every run that is there, and of several the later one is the newer", async () => {
      const own = await finishedRun(under.store, { tags: ["prod:v1"] });
      const tags = ["prod:v1"];
      await under.store.importRuns(batch([importedRun({ tags }), importedRun({ tags })]));
      await under.store.importRuns(batch([importedRun({ tags })]));
      const flow = { name: "Train" };
      expect(names(await under.store.runs({ flow }))).toEqual(["Train/1", "Train/3", "Train/2", "Train/4"]);
      expect(names(await under.store.runs({ flow, tags, status: "succeeded", limit: 1 }))).toEqual(["Train/1"]);
      expect(await under.store.flows()).toMatchObject([{ runs: 4, newest: own.sequence }]);
      const next = await finishedRun(under.store);
      expect(next.number).toBe(5);
      expect(names(await under.store.runs({ flow, limit: 1 }))).toEqual(["Train/5"]);
      expect(names(await under.store.runs({ flow, before: own.sequence, limit: 2 }))).toEqual(["Train/3", "Train/2"]);
    });

    test("makes a flow that was not known, and the first own run is newer", async () => {
      const [first, second] = await under.store.importRuns(batch([importedRun(), importedRun()]));
      expect(await under.store.flows()).toMatchObject([{ runs: 2, newest: second!.sequence }]);
      expect(second!.sequence).toBeGreaterThan(first!.sequence);
      const own = await under.store.createRun(newRun());
      expect([own.number, own.sequence > second!.sequence, own.sequence > 0]).toEqual([3, true, true]);
      expect(await under.store.flows()).toMatchObject([{ runs: 3, newest: own.sequence }]);
    });

    test("gives tags through the log of this store", async () => {
      const [run] = await under.store.importRuns(batch([importedRun({ tags: ["a", "b"] })]));
      expect(run!.tags).toEqual(["a", "b"]);
      const events = await under.store.tagEvents({ run: run!.id });
      expect(events).toMatchObject([
        { tag: "b", verb: "add", actor: "ann", host: "here", at: later, via: "flow import" },
        { tag: "a", verb: "add", reason: `held by shop/Train/17 in the store ${STORE}` },
      ]);
    });

    test("keeps the moves of tags in other stores", async () => {
      const event = {
        sequence: 4,
        at: noon,
        actor: "bob",
        host: "there",
        verb: "add" as const,
        tag: "x",
        run: newRunId(),
        via: "run",
        previous: digestOf("before"),
        digest: digestOf("this"),
      };
      const base = importedRun();
      const imported = { ...base.imported, tagLogs: [{ store: STORE, events: [event] }] };
      const [run] = await under.store.importRuns(batch([{ ...base, imported }]));
      expect(run!.imported).toEqual(imported);
      expect((await under.store.run(run!.sequence))!.imported).toEqual(imported);
    });

    test("keeps a package that is there, and stores one that is not", async () => {
      const pack = { digest: digestOf("pack"), manifest: '{"entry":"a.ts"}', blobs: [digestOf("code")] };
      const blobs = () => [blobOf("code")];
      await under.store.importRuns(batch([importedRun({ packageDigest: pack.digest })], { packages: [pack], blobs }));
      expect(await under.store.package(pack.digest)).toMatchObject({ manifest: pack.manifest });
      const forged = { ...pack, manifest: '{"entry":"evil.ts"}' };
      await under.store.importRuns(batch([importedRun()], { packages: [forged], blobs }));
      expect(await under.store.package(pack.digest)).toMatchObject({ manifest: pack.manifest });
    });

    test("ties tasks to those that they were taken over from, where these are", async () => {
      const first = importedRun({ taskCount: 1 }, [task(0)]);
      const second = importedRun({ taskCount: 2 }, [
        task(0, { takenFrom: "resume" }),
        task(1, { step: "end", takenFrom: "cache" }),
        { kind: "origin", task: 0, origin: { run: first.id, step: "start", path: "", attempt: 1 } },
        { kind: "origin", task: 1, origin: { run: newRunId(), step: "end", path: "", attempt: 1 } },
      ]);
      const [a, b] = await under.store.importRuns(batch([first, second]));
      const [source] = await under.store.tasks({ run: a!.sequence });
      const [taken, cached] = await under.store.tasks({ run: b!.sequence });
      expect(taken!.origin).toEqual({ kind: "resume", task: source!.sequence });
      expect(cached!.origin!.kind).toBe("cache");
      expect(await under.store.task(cached!.origin!.task)).toBeUndefined();
    });

    test("ties a run to the call that started it, where the run of that step is", async () => {
      const parent = importedRun({ taskCount: 1 }, [task(0)]);
      const call = { step: "start", path: "", call: 0 };
      const child = importedRun({ parent: { run: parent.id, ...call }, callInputs: digestOf("inputs") });
      const orphan = importedRun({ parent: { run: newRunId(), ...call }, callInputs: digestOf("inputs") });
      const [up, down, alone] = await under.store.importRuns(batch([parent, child, orphan]));
      const key = { run: up!.sequence, ...call, inputsDigest: digestOf("inputs") };
      expect((await under.store.childRun(key))?.id).toBe(child.id);
      expect(await under.store.childCall(down!.sequence)).toEqual(key);
      expect(down!.parent).toEqual({ run: parent.id, ...call });
      expect(await under.store.childCall(alone!.sequence)).toBeUndefined();
    });

    test("digests come along, and a run whose rows do not fit them is refused as a whole", async () => {
      const own = await under.store.createRun(newRun({ parameters: { seed: 7 } }));
      const task = await under.store.reserveTasks(1);
      await under.store.commitTick(
        tick({
          run: own.sequence,
          started: [started(own, task)],
          blobs: [blobOf("m")],
          finished: [finished(task, { artifacts: [artifactOf("model", "m")] })],
        }),
      );
      await under.store.finishRun({
        run: own.sequence,
        execution: 1,
        status: "succeeded",
        finishedAt: later,
        endTask: task,
      });
      expect(await under.store.recordFaults(own.sequence)).toEqual([]);
      const { start, end, tasks } = await under.store.recordDigests(own.sequence);
      expect([start, end, tasks.get(task)?.digest]).toEqual([
        expect.stringMatching(/^[0-9a-f]{64}$/),
        expect.stringMatching(/^[0-9a-f]{64}$/),
        expect.stringMatching(/^[0-9a-f]{64}$/),
      ]);
      const other = importedRun({ startDigest: start!, endDigest: end! });
      await expect(under.store.importRuns(batch([other]))).rejects.toMatchObject({
        code: "FLOW_METADATA_CHANGED_RECORDS",
        problems: [
          { message: expect.stringContaining("was given something else than its records say") },
          { message: expect.stringContaining("ended otherwise than its records say") },
        ],
      });
      expect(await under.store.runById(other.id)).toBeUndefined();
    });

    test("a run that failed may go on here", async () => {
      const failed = { ...execution, execution: { ...execution.execution, status: "failed" as const } };
      const [run] = await under.store.importRuns(batch([importedRun({ status: "failed", rows: () => [failed] })]));
      expect(await under.store.beginExecution({ run: run!.sequence, runner, actor: "a", command: [], at: later })).toBe(
        2,
      );
      expect(await under.store.run(run!.sequence)).toMatchObject({
        execution: { number: 2 },
        imported: { store: STORE },
      });
    });
  });
}
