import { afterEach, beforeEach, expect, test } from "vitest";
import { StoredInstance } from "../../packages/core/src/artifact/cbor/kept-values.ts";
import { defineCodec } from "../../packages/core/src/artifact/codecs/define-codec.ts";
import { digestOf } from "../../packages/core/src/artifact/digest.ts";
import { encodeValue } from "../../packages/core/src/artifact/value-codec.ts";
import { Client, type ClientOptions } from "../../packages/core/src/client/client.ts";
import { findRun } from "../../packages/core/src/client/find-run.ts";
import { readLogs } from "../../packages/core/src/client/logs.ts";
import { runRecord } from "../../packages/core/src/client/run-record.ts";
import { moveTags } from "../../packages/core/src/client/tags.ts";
import { type FlowError, isFlowError, type Problem } from "../../packages/core/src/errors/flow-error.ts";
import type { Flow } from "../../packages/core/src/flow/flow.ts";
import type { Upstream } from "../../packages/core/src/flow/public-types.ts";
import { definition, largeValue, WrittenStore } from "./written-store.ts";

/** What the written runs look like to the compiler. */
declare class GenerateData extends Flow {
  readonly seed: number;
  rows: number[];
  start(): void;
  end(): void;
}
declare class Train extends Flow {
  readonly source: Upstream<GenerateData>;
  readonly configuration: string;
  modeler: { weight: number };
  blob: Uint8Array;
  square: number;
  start(): void;
  work(): void;
  end(): void;
}

let store: WrittenStore;
let warnings: Problem[];
beforeEach(async () => {
  store = await WrittenStore.create();
  warnings = [];
});
afterEach(async () => await store.close());

function client(options: ClientOptions = {}): Client {
  return new Client(store.stores, {
    project: "shop",
    actor: "ana",
    host: "here",
    onWarning: (problem) => warnings.push(problem),
    ...options,
  });
}

async function failure(promise: Promise<unknown>): Promise<FlowError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isFlowError(error)) throw new Error(`expected a FlowError, got ${String(error)}`);
  return error;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function writeTraining() {
  const data = await store.run("GenerateData", { artifacts: { rows: [1, 2, 3] }, parameters: { seed: 7 } });
  const { upstreams } = await store.resolve([definition("source", "GenerateData")]);
  const train = await store.run("Train", {
    upstreams,
    reads: { source: ["rows"] },
    tags: ["prod:v1"],
    items: 3,
    artifacts: { modeler: { weight: 2 }, blob: largeValue(1) },
    parameters: { configuration: "config" },
  });
  return { data, train };
}

test("the newest run with a tag gives its artifacts, parameters and upstreams", async () => {
  const { data } = await writeTraining();
  const run = await client()
    .runs<Train>("Train")
    .latest({ tags: ["prod:v1"] });
  expect(await run.data.modeler).toEqual({ weight: 2 });
  expect(Buffer.from(await run.data.blob).equals(largeValue(1))).toBe(true);
  expect(await run.data.configuration).toBe("config");
  const source = await run.upstreams.source;
  expect(source.id).toBe(data.id);
  expect(await source.data.rows).toEqual([1, 2, 3]);
  expect(run).toMatchObject({ status: "succeeded", tags: ["prod:v1"], flow: "shop/Train" });
});

test("each read gives a value of its own", async () => {
  await writeTraining();
  const run = await client().runs<GenerateData>("GenerateData").latest();
  (await run.data.rows).push(99);
  expect(await run.data.rows).toEqual([1, 2, 3]);
});

test("a run with its data can be returned from an async function and looked at", async () => {
  await writeTraining();
  const run = await client().run<Train>("Train/1");
  const data = await (async () => run.data)();
  expect(await data.modeler).toEqual({ weight: 2 });
  expect((run.data as { readonly then?: unknown }).then).toBeUndefined();
  expect(() => Object.assign(run.data, { modeler: 1 })).toThrow("read-only");
});

test("a name that is not there is an error with the nearest name", async () => {
  await writeTraining();
  const run = await client().run<Train>("Train/1");
  const data = run.data as unknown as Record<string, Promise<unknown>>;
  expect(await failure(data.modeller!)).toMatchObject({
    code: "FLOW_CLIENT_NO_ARTIFACT",
    hint: 'Did you mean "modeler"?',
  });
  expect((await failure(data.source!)).hint).toContain("run.upstreams.source");
  const upstreams = run.upstreams as unknown as Record<string, Promise<unknown>>;
  expect(await failure(upstreams.sauce!)).toMatchObject({
    code: "FLOW_CLIENT_NO_UPSTREAM",
    hint: 'Did you mean "source"?',
  });
});

test("a run that failed or still runs says so, and gives its parameters all the same", async () => {
  await store.run("Train", {
    status: "failed",
    parameters: { configuration: "config" },
    artifacts: { modeler: { weight: 2 } },
  });
  await store.run("Train", { status: "running" });
  const runs = client().runs<Train>("Train");
  const failed = await runs.get(1);
  const error = await failure(failed.data.modeler);
  expect(error.code).toBe("FLOW_CLIENT_NOT_FINISHED");
  expect(error.message).toContain("Train/1: the run failed");
  expect(await failed.data.configuration).toBe("config");
  expect((await failure((await runs.get("2")).data.modeler)).message).toContain("the run is running");
});

test("a run that reached its end and did not succeed all the same gives no end result", async () => {
  const { train } = await writeTraining();
  store.sql("UPDATE run SET status = 'failed' WHERE sequence = ?", train.sequence);
  const error = await failure((await client().runs<Train>("Train").get(1)).data.modeler);
  expect(error.code).toBe("FLOW_CLIENT_NOT_FINISHED");
});

test("tasks of a step come in the order of their start, page by page, each with its artifacts", async () => {
  await store.run("Train", { items: 1_203, artifacts: { modeler: { weight: 2 } } });
  const run = await client().run<Train>("Train/1");
  const tasks = await all(run.step("work").tasks);
  expect(tasks).toHaveLength(1_203);
  expect(tasks[1_202]?.id).toBe("Train/1/work/1202");
  expect(await tasks[7]?.data.square).toBe(49);
  expect(await tasks[7]?.data.modeler).toEqual({ weight: 2 });
  expect(await all(run.step("nowhere" as "work").tasks)).toEqual([]);
});

test("damage is an error that names run, task, artifact and digest, never a value", async () => {
  const { train } = await writeTraining();
  const { digest } = await store.artifact(train, "blob");
  store.flipByte(digest);
  const error = await failure((await client().run<Train>("Train/1")).data.blob);
  expect(error.code).toBe("FLOW_ARTIFACT_DAMAGED");
  expect(error.message).toContain('"blob" of Train/1/end');
  expect(error.message).toContain(digest);
  expect(error.context).toMatchObject({ run: train.id, artifact: "blob", digest });
});

test("an instance of a class that is not loaded is readable, and refused inside a step", async () => {
  class Modeler {
    weight = 3;
  }
  defineCodec({
    name: "client-test.Modeler",
    class: Modeler,
    encode: (modeler) => ({ weight: modeler.weight }),
    decode: (data) => Object.assign(new Modeler(), data),
  });
  await store.run("Train", { artifacts: { modeler: new Modeler() } });
  expect(await (await client().run<Train>("Train/1")).data.modeler).toBeInstanceOf(Modeler);
  // The same bytes under a name that nobody registered are what a program without the class sees.
  const bytes = Buffer.concat(encodeValue(new Modeler()).chunks);
  Buffer.from("Unknown").copy(bytes, bytes.indexOf("Modeler"));
  await store.run("Train", {
    encoded: { modeler: { codec: "cbor", digest: digestOf([bytes]), sizeBytes: bytes.byteLength, chunks: [bytes] } },
  });
  const foreign = await (await client().run<Train>("Train/2")).data.modeler;
  expect(foreign).toBeInstanceOf(StoredInstance);
  expect(foreign).toMatchObject({ name: "client-test.Unknown@1", data: { weight: 3 } });
  const error = await failure((await client({ unknownClasses: "refuse" }).run<Train>("Train/2")).data.modeler);
  expect(error.code).toBe("FLOW_ARTIFACT_UNKNOWN_CLASS");
  expect(error.message).toContain('"modeler" of Train/2/end');
});

test("runs come newest first, over several pages, with limit and conditions", async () => {
  for (let index = 0; index < 53; index++)
    await store.run(
      "Train",
      index % 10 === 0 ? { tags: ["tenth"], parameters: { configuration: "test" } } : { status: "failed" },
    );
  const runs = client().runs<Train>("Train");
  const numbers = (await all(runs)).map((run) => Number((run as unknown as { number: number }).number));
  expect(numbers).toEqual(Array.from({ length: 53 }, (_, index) => 53 - index));
  expect(await all(runs.where({ limit: 3 }))).toHaveLength(3);
  expect(await all(runs.where({ tags: ["tenth"] }))).toHaveLength(6);
  expect(await all(runs.where({ status: "failed" }).where({ limit: 60 }))).toHaveLength(47);
  expect(await all(runs.where({ params: { configuration: "test" } }))).toHaveLength(6);
  expect(await all(runs.where({ params: { configuration: "other" } }))).toEqual([]);
  expect((await runs.latest({ params: { configuration: "test" } })).id).toBe((await runs.get(51)).id);
  expect((await runs.latest({ status: "failed" })).id).toBe((await runs.get(53)).id);
});

test("a query that cannot be answered is refused", async () => {
  await store.run("Train");
  const runs = client().runs<Train>("Train");
  expect((await failure(all(runs.where({ status: "done" as "failed" })))).code).toBe("FLOW_CLIENT_BAD_QUERY");
  expect((await failure(all(runs.where({ limit: -1 })))).code).toBe("FLOW_CLIENT_BAD_QUERY");
  expect((await failure(all(runs.where({ params: { configuration: new Date() as unknown as string } })))).code).toBe(
    "FLOW_CLIENT_BAD_QUERY",
  );
});

test("several runs on a tag give the newest and a warning; none gives near misses", async () => {
  await store.run("Train", { tags: ["prod:v1"] });
  await store.run("Train", { tags: ["prod:v1"] });
  const runs = client().runs<Train>("Train");
  expect((await runs.latest({ tags: ["prod:v1"] })).id).toBe((await runs.get(2)).id);
  expect(warnings.map((warning) => warning.code)).toEqual(["FLOW_LINEAGE_SEVERAL_RUNS"]);
  const error = await failure(runs.latest({ tags: ["prod:v2"] }));
  expect(error.code).toBe("FLOW_LINEAGE_NO_RUN");
  expect(error.hint).toContain('"prod:v1"');
});

test("a run is found by number, name, id and class", async () => {
  const first = await store.run("Train");
  await store.run("Train");
  const byClass = { Train: class {} as unknown as typeof Train };
  for (const key of [1, "1", "Train/1", "shop/Train/1", first.id])
    expect((await client().runs<Train>("Train").get(key)).id).toBe(first.id);
  expect((await client().runs(byClass.Train).get(1)).id).toBe(first.id);
  expect((await client().runs<Train>("shop/Train").get(1)).id).toBe(first.id);
  expect((await failure(client().runs<Train>("Train").get("Other/1"))).code).toBe("FLOW_LINEAGE_WRONG_FLOW");
  expect((await failure(client().runs<Train>("Train").get("Train/x/y/z"))).code).toBe("FLOW_CLIENT_BAD_SELECTOR");
  expect(() => client().runs("not a flow")).toThrow("cannot be the name of a flow");
  expect((await failure(client().runs<Train>("Train").get(9))).hint).toContain("Train/2");
});

test("reads are told to the hook, with producer and digest", async () => {
  const { train } = await writeTraining();
  const reads: unknown[] = [];
  const run = await client({ onRead: (read) => reads.push(read) }).run<Train>("Train/1");
  await run.data.modeler;
  const { codec, digest } = await store.artifact(train, "modeler");
  expect(reads).toEqual([{ producer: train.id, artifact: "modeler", codec, digest }]);
});

test("tags are added and removed with who and why, and any run may be tagged", async () => {
  await store.run("Train", { status: "failed" });
  const handle = client().handle(await store.metadata.runByNumber({ name: "Train" }, 1).then(([row]) => row!));
  const tagged = await handle.addTags(["b", "a", "a"], { reason: "to look at" });
  expect(tagged.tags).toEqual(["a", "b"]);
  expect((await tagged.removeTags(["a", "never"])).tags).toEqual(["b"]);
  expect((await handle.tagEvents()).map(({ verb, tag, actor, via }) => ({ verb, tag, actor, via }))).toEqual([
    { verb: "remove", tag: "a", actor: "ana", via: "client" },
    { verb: "add", tag: "b", actor: "ana", via: "client" },
    { verb: "add", tag: "a", actor: "ana", via: "client" },
  ]);
});

test("tags that cannot be given are refused all at once, and nothing is moved", async () => {
  const run = await store.run("Train");
  const by = { actor: "ana", host: "here", at: new Date(), via: "test" };
  const error = await failure(moveTags(store, run, { add: ["good", "user:bob", " blank", ""] }, by));
  expect(error.code).toBe("FLOW_LINEAGE_BAD_TAG");
  expect(error.problems).toHaveLength(3);
  expect((await store.metadata.run(run.sequence))?.tags).toEqual([]);
  expect((await failure(moveTags(store, run, { add: ["x"], remove: ["x"] }, by))).message).toContain("both give");
  expect((await failure(moveTags(store, run, { remove: ["user:ana"] }, by))).code).toBe("FLOW_LINEAGE_BAD_TAG");
});

test("a selector finds the newest run of any state, or the newest successful one", async () => {
  await store.run("Train", { tags: ["prod:v1"] });
  await store.run("Train", { status: "failed" });
  const number = async (text: string, successfulOnly: boolean) =>
    (await findRun(store.metadata, text, { successfulOnly })).run.number;
  expect(await number("Train", false)).toBe(2);
  expect(await number("Train", true)).toBe(1);
  expect(await number("Train@prod:v1", false)).toBe(1);
  expect((await findRun(store.metadata, "Train/2/evaluate/3.score")).selector).toMatchObject({
    step: "evaluate",
    path: "3",
    artifact: "score",
  });
  expect((await failure(findRun(store.metadata, "Trian"))).hint).toContain("Train");
});

test("logs come by task, and a step that is not there names the nearest", async () => {
  const run = await store.run("Train", { items: 2 });
  expect(await all(readLogs(store.metadata, run))).toMatchObject([
    { task: "Train/1/start", stream: "stdout", text: "hello from Train\n" },
  ]);
  expect(await all(readLogs(store.metadata, run, { step: "start", stream: "stderr" }))).toEqual([]);
  expect(await failure(all(readLogs(store.metadata, run, { step: "strat" })))).toMatchObject({
    code: "FLOW_CLIENT_NO_TASK",
    hint: 'Did you mean "start"?',
  });
  expect((await failure(all(readLogs(store.metadata, run, { step: "work", path: "7" })))).code).toBe(
    "FLOW_CLIENT_NO_TASK",
  );
});

test("the record of a run holds upstreams with digests, artifacts and tasks, and is plain JSON", async () => {
  const { data, train } = await writeTraining();
  const record = await runRecord(store.metadata, train);
  const rows = await store.artifact(data, "rows");
  expect(record).toMatchObject({
    schema: 1,
    id: train.id,
    run: "Train/1",
    flow: { project: "shop", name: "Train" },
    status: "succeeded",
    tags: ["prod:v1"],
    parameters: { configuration: "config" },
    tasks: { total: 5, byStatus: { succeeded: 5 } },
    upstreams: [
      {
        name: "source",
        flow: "shop/GenerateData",
        selector: { kind: "newest" },
        run: "GenerateData/1",
        runId: data.id,
        candidateCount: 1,
        reads: [{ name: "rows", codec: rows.codec, digest: rows.digest }],
      },
    ],
  });
  expect(record.artifacts.map(({ name, kind }) => `${kind} ${name}`)).toEqual([
    "artifact blob",
    "parameter configuration",
    "artifact modeler",
  ]);
  expect(JSON.parse(JSON.stringify(record))).toEqual(record);
  expect((await runRecord(store.metadata, await store.run("Train", { status: "failed" }))).failure).toMatchObject({
    task: "end",
  });
});

test("the record also names what was read from runs further up", async () => {
  const { data } = await writeTraining();
  const { upstreams } = await store.resolve([definition("model", "Train")]);
  const report = await store.run("Report", { upstreams, reads: { "model.upstreams.source": ["rows"] } });
  const rows = await store.artifact(data, "rows");
  expect((await runRecord(store.metadata, report)).upstreams).toMatchObject([
    { name: "model", run: "Train/1", reads: [] },
    {
      name: "model.upstreams.source",
      flow: "shop/GenerateData",
      selector: { kind: "sameAs", path: ["model", "source"] },
      run: "GenerateData/1",
      candidates: ["GenerateData/1"],
      reads: [{ name: "rows", digest: rows.digest }],
    },
  ]);
});
