import { afterEach, beforeEach, expect, test } from "vitest";
import { type FlowError, isFlowError } from "../../packages/core/src/errors/flow-error.ts";
import { definition, WrittenStore } from "./written-store.ts";

let store: WrittenStore;
beforeEach(async () => {
  store = await WrittenStore.create();
});
afterEach(async () => await store.close());

const MODEL = definition("model", "Train");
const SOURCE = definition("source", "GenerateData");
const SAME_SOURCE = definition("source", "GenerateData", { sameAs: ["model", "source"] });

async function failure(promise: Promise<unknown>): Promise<FlowError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isFlowError(error)) throw new Error(`expected a FlowError, got ${String(error)}`);
  return error;
}

/** Message and hint of a refusal, and of all its problems. */
async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await failure(promise);
  return [
    error.message,
    error.hint ?? "",
    ...error.problems.map((problem) => `${problem.code} ${problem.message} ${problem.hint ?? ""}`),
  ].join("\n");
}

test("without a request the newest successful run is taken, and several are no warning", async () => {
  await store.run("Train");
  const second = await store.run("Train");
  await store.run("Train", { status: "failed" });
  const { upstreams, warnings } = await store.resolve([MODEL]);
  expect(upstreams).toMatchObject([
    {
      name: "model",
      producer: second.id,
      selector: { kind: "newest" },
      candidateCount: 2,
      candidates: ["Train/2", "Train/1"],
      run: { number: 2 },
    },
  ]);
  expect(warnings).toEqual([]);
});

test("of many runs that fit, 1,000 are counted and 20 named", async () => {
  const newest = await store.run("Train", { tags: ["nightly"] });
  // Copies of the run, below it in the order of creation.
  const columns = [
    "flow",
    "project",
    "flow_name",
    "status",
    "created_at",
    "system_tags",
    "parameters",
    "secret_parameters",
    "environment",
  ];
  store.sql(`WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1100)
    INSERT INTO run (sequence, id, number, ${columns.join()}) SELECT -n, 'copy ' || n, 5000 - n, ${columns.join()} FROM n, run`);
  store.sql("INSERT INTO run_tag SELECT sequence, 'nightly', flow, status FROM run WHERE sequence < 0");
  const { upstreams, warnings } = await store.resolve([MODEL], { model: { tags: ["nightly"] } });
  expect(upstreams[0]).toMatchObject({ producer: newest.id, candidateCount: 1_000 });
  expect(upstreams[0]!.candidates).toHaveLength(20);
  expect(upstreams[0]!.candidates.slice(0, 3)).toEqual(["Train/1", "Train/4999", "Train/4998"]);
  expect(warnings[0]!.message).toMatch(
    /^.*1000 or more successful runs carry "nightly": Train\/1 is the newest, .* and 980 or more$/,
  );
});

test("newest means created last: tagging an old run does not make it newest", async () => {
  const first = await store.run("Train");
  const second = await store.run("Train");
  await store.move(first, { add: ["late"] });
  const { upstreams } = await store.resolve([MODEL]);
  expect(upstreams[0]?.producer).toBe(second.id);
});

test("all tags that are asked for must be held", async () => {
  const both = await store.run("Train", { tags: ["prod:v1", "eu"] });
  await store.run("Train", { tags: ["prod:v1"] });
  const { upstreams, warnings } = await store.resolve([MODEL], { model: { tags: ["prod:v1", "eu"] } });
  expect(upstreams[0]).toMatchObject({
    producer: both.id,
    selector: { kind: "tags", tags: ["eu", "prod:v1"] },
    candidateCount: 1,
  });
  expect(warnings).toEqual([]);
});

test("several runs with the tag give the newest and a warning that lists the others", async () => {
  await store.run("Train", { tags: ["prod:v1"] });
  await store.run("Train", { tags: ["prod:v1"] });
  const third = await store.run("Train", { tags: ["prod:v1"] });
  const { upstreams, warnings } = await store.resolve([MODEL], { model: { tags: ["prod:v1"] } });
  expect(upstreams[0]?.producer).toBe(third.id);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatchObject({ code: "FLOW_LINEAGE_SEVERAL_RUNS" });
  expect(warnings[0]?.message).toContain("Train/3 is the newest, the others are Train/2, Train/1");
});

test("several runs with the tag are an error when strict", async () => {
  await store.run("Train", { tags: ["prod:v1"] });
  await store.run("Train", { tags: ["prod:v1"] });
  const error = await failure(store.resolve([MODEL], { model: { tags: ["prod:v1"] } }, { strict: true }));
  expect(error.code).toBe("FLOW_LINEAGE_SEVERAL_RUNS");
  expect(error.message).toContain("Train/2");
});

test("a failed run with the tag is named as a near miss", async () => {
  await store.run("Train");
  await store.run("Train", { status: "failed", tags: ["prod:v1"] });
  const text = await refusal(store.resolve([MODEL], { model: { tags: ["prod:v1"] } }));
  expect(text).toContain('no successful run of Train carries "prod:v1"');
  expect(text).toContain("Train/2 carries it but failed");
});

test("the same flow in another project is named as a near miss", async () => {
  await store.run("Train");
  await store.run("Train", { project: "lab", tags: ["prod:v1"] });
  const text = await refusal(store.resolve([MODEL], { model: { tags: ["prod:v1"] } }));
  expect(text).toContain('lab/Train/1 fits, but is of project "lab"');
});

test("a tag that looks alike is named as a near miss", async () => {
  await store.run("Train", { tags: ["prod:v1"] });
  const text = await refusal(store.resolve([MODEL], { model: { tags: ["Prod:v2"] } }));
  expect(text).toContain('Did you mean "prod:v1" (Train/1)?');
});

test("a tag that is in use is not taken for a mistyped one, however many stand before it", async () => {
  for (let day = 100; day < 220; day++) await store.run("Train", { tags: [`day:${day}`] });
  const text = await refusal(store.resolve([MODEL], { model: { tags: ["day:210", "europe"] } }));
  expect(text).not.toContain("Did you mean");
});

test("a run that holds only some of the tags is named as a near miss", async () => {
  await store.run("Train", { tags: ["prod:v1"] });
  const text = await refusal(store.resolve([MODEL], { model: { tags: ["prod:v1", "europe"] } }));
  expect(text).toContain('Train/1 carries "prod:v1" but not "europe"');
});

test("a flow without any run names the flow that was perhaps meant", async () => {
  await store.run("Trains");
  const text = await refusal(store.resolve([MODEL]));
  expect(text).toContain("there is no successful run of Train");
  expect(text).toContain("but of Trains");
});

test("a run is given as Train/17, as a number, as an id or by tag", async () => {
  const first = await store.run("Train", { tags: ["prod:v1"] });
  await store.run("Train");
  for (const run of ["Train/1", "1", "shop/Train/1", first.id, "Train@prod:v1"]) {
    const { upstreams } = await store.resolve([MODEL], { model: { run } });
    expect(upstreams[0]?.producer, run).toBe(first.id);
  }
  expect((await store.resolve([MODEL], { model: { runId: first.id } })).upstreams[0]?.producer).toBe(first.id);
  const byNumber = await store.resolve([MODEL], { model: { run: "Train/1" } });
  expect(byNumber.upstreams[0]?.selector).toEqual({ kind: "run", run: "Train/1" });
  const byTag = await store.resolve([MODEL], { model: { run: "Train@prod:v1" } });
  expect(byTag.upstreams[0]?.selector).toEqual({ kind: "tags", tags: ["prod:v1"] });
});

test("a run that did not succeed is refused by name", async () => {
  await store.run("Train", { status: "failed" });
  await store.run("Train", { status: "running" });
  expect(await refusal(store.resolve([MODEL], { model: { run: "Train/1" } }))).toContain("Train/1 failed");
  const running = await failure(store.resolve([MODEL], { model: { run: "2" } }));
  expect(running.code).toBe("FLOW_LINEAGE_NOT_SUCCEEDED");
  expect(running.message).toContain("Train/2 is running");
});

test("a run of another flow is refused, by name and by id", async () => {
  const data = await store.run("GenerateData");
  await store.run("Train");
  expect((await failure(store.resolve([MODEL], { model: { run: "GenerateData/1" } }))).code).toBe(
    "FLOW_LINEAGE_WRONG_FLOW",
  );
  expect((await failure(store.resolve([MODEL], { model: { runId: data.id } }))).code).toBe("FLOW_LINEAGE_WRONG_FLOW");
});

test("a run that does not exist names the newest that does", async () => {
  await store.run("Train");
  const text = await refusal(store.resolve([MODEL], { model: { run: "Train/7" } }));
  expect(text).toContain("there is no run Train/7");
  expect(text).toContain("newest is Train/1");
});

test("sameAs follows the recorded edge of the other upstream's producer", async () => {
  const data = await store.run("GenerateData");
  const { upstreams } = await store.resolve([SOURCE]);
  await store.run("Train", { upstreams });
  await store.run("GenerateData"); // newer: the trap that sameAs removes
  const answer = await store.resolve([SAME_SOURCE, MODEL]); // declared order does not matter
  expect(answer.upstreams.map((upstream) => upstream.name)).toEqual(["source", "model"]);
  expect(answer.upstreams[0]).toMatchObject({
    producer: data.id,
    selector: { kind: "sameAs", path: ["model", "source"] },
    candidateCount: 1,
  });
});

test("a request goes before sameAs", async () => {
  await store.run("GenerateData");
  await store.run("Train", { upstreams: (await store.resolve([SOURCE])).upstreams });
  const fresh = await store.run("GenerateData", { tags: ["fresh"] });
  expect((await store.resolve([MODEL, SAME_SOURCE], { source: { tags: ["fresh"] } })).upstreams[1]?.producer).toBe(
    fresh.id,
  );
  expect((await store.resolve([MODEL, SAME_SOURCE], { source: { run: "2" } })).upstreams[1]?.producer).toBe(fresh.id);
});

test("sameAs of a run that recorded no such upstream says which it recorded", async () => {
  await store.run("GenerateData");
  await store.run("Train", { upstreams: (await store.resolve([definition("rows", "GenerateData")])).upstreams });
  const error = await failure(store.resolve([MODEL, SAME_SOURCE]));
  expect(error.code).toBe("FLOW_LINEAGE_NO_EDGE");
  expect(error.message).toContain('Train/1 recorded no upstream "source": it recorded rows');
});

test("sameAs that leads to another flow is refused", async () => {
  await store.run("Other");
  await store.run("Train", { upstreams: (await store.resolve([definition("source", "Other")])).upstreams });
  expect((await failure(store.resolve([MODEL, SAME_SOURCE]))).code).toBe("FLOW_LINEAGE_WRONG_FLOW");
});

test("when what sameAs follows cannot be resolved, only that is reported", async () => {
  const error = await failure(store.resolve([MODEL, SAME_SOURCE]));
  expect(error.problems).toHaveLength(1);
  expect(error.message).toContain('upstream "model"');
});

test("maxAge names age, limit and run, counted from the run's beginning", async () => {
  const now = new Date("2026-11-21T12:00:00Z");
  await store.run("Train", { createdAt: new Date("2026-11-19T11:00:00Z") });
  const fresh = definition("model", "Train", { maxAge: "1d" });
  const error = await failure(store.resolve([fresh], {}, { now }));
  expect(error.code).toBe("FLOW_LINEAGE_TOO_OLD");
  expect(error.message).toContain("Train/1 is 2 d 1 h old, the limit is 1d");
  const generous = definition("model", "Train", { maxAge: "3d" });
  expect((await store.resolve([generous], {}, { now })).upstreams[0]?.run?.number).toBe(1);
});

test("an optional upstream that finds nothing is recorded without a run", async () => {
  const optional = definition("previous", "Train", { optional: true });
  const { upstreams, warnings } = await store.resolve([optional]);
  expect(upstreams).toMatchObject([{ name: "previous", candidateCount: 0, candidates: [] }]);
  expect(upstreams[0]).not.toHaveProperty("producer");
  expect(warnings).toEqual([]);
});

test("an optional upstream that is asked for by hand must be there", async () => {
  await store.run("Train");
  const optional = definition("previous", "Train", { optional: true });
  expect((await failure(store.resolve([optional], { previous: { tags: ["prdo"] } }))).code).toBe("FLOW_LINEAGE_NO_RUN");
});

test("an optional upstream that is too old is left out with a warning", async () => {
  await store.run("Train", { createdAt: new Date("2026-11-01T00:00:00Z") });
  const optional = definition("previous", "Train", { optional: true, maxAge: "1d" });
  const { upstreams, warnings } = await store.resolve([optional], {}, { now: new Date("2026-11-21T00:00:00Z") });
  expect(upstreams[0]?.producer).toBeUndefined();
  expect(warnings.map((warning) => warning.code)).toEqual(["FLOW_LINEAGE_TOO_OLD"]);
});

test("a flow named without project means the own project first, then the only other, and is never guessed", async () => {
  const byName = definition("model", "Train", { flow: { name: "Train" } });
  const lab = await store.run("Train", { project: "lab" });
  expect((await store.resolve([byName])).upstreams[0]?.producer).toBe(lab.id);
  await store.run("Train", { project: "den" });
  const error = await failure(store.resolve([byName]));
  expect(error.code).toBe("FLOW_LINEAGE_AMBIGUOUS_FLOW");
  expect(error.message).toContain("den/Train, lab/Train");
  expect((await failure(store.resolve([byName], { model: { run: "Train/1" } }))).code).toBe(
    "FLOW_LINEAGE_AMBIGUOUS_FLOW",
  );
  expect((await store.resolve([byName], { model: { run: "lab/Train/1" } })).upstreams[0]?.producer).toBe(lab.id);
  const own = await store.run("Train");
  expect((await store.resolve([byName])).upstreams[0]?.producer).toBe(own.id);
});

test("late tags replace declared ones", async () => {
  const first = await store.run("Train", { tags: ["blue:v1"] });
  await store.run("Train");
  const late = definition("model", "Train", { hasLateTags: true });
  const { upstreams } = await store.resolve([late], {}, { lateTags: { model: ["blue:v1"] } });
  expect(upstreams[0]?.producer).toBe(first.id);
});

test("tags given in another Unicode form are the same tags", async () => {
  const run = await store.run("Train", { tags: ["caf\u00e9"] });
  expect((await store.resolve([MODEL], { model: { tags: ["cafe\u0301"] } })).upstreams[0]?.producer).toBe(run.id);
});

test("all problems are reported at once", async () => {
  await store.run("Train", { status: "failed" });
  const text = await refusal(store.resolve([MODEL, SOURCE], { model: { run: "1" }, sauce: { tags: ["x"] } }));
  expect(text).toContain('"sauce" is no upstream of this flow Did you mean "source"?');
  expect(text).toContain("FLOW_LINEAGE_UNKNOWN_UPSTREAM");
  expect(text).toContain("Train/1 failed");
  expect(text).toContain("there is no successful run of GenerateData");
});

test("tags and a run for one upstream exclude each other", async () => {
  await store.run("Train", { tags: ["a"] });
  expect((await failure(store.resolve([MODEL], { model: { run: "1", tags: ["a"] } }))).code).toBe(
    "FLOW_LINEAGE_CONFLICT",
  );
});

test("a flow that was renamed keeps its history", async () => {
  const old = await store.run("Learn");
  await store.run("Train", { formerly: ["Learn"] });
  const { upstreams } = await store.resolve([MODEL], { model: { runId: old.id } });
  expect(upstreams[0]?.producer).toBe(old.id);
  expect((await store.resolve([MODEL], { model: { run: "1" } })).upstreams[0]?.producer).toBe(old.id);
});
