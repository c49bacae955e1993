/** Lineage of runs written through the records: what is found, in which order, and how far. */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Lineage } from "../../packages/core/src/events/lineage.ts";
import { newRunId, type RunId } from "../../packages/core/src/ids/run-id.ts";
import { deleteRuns, runCode } from "../../packages/core/src/internal.ts";
import { traceArtifact } from "../../packages/core/src/lineage/artifact-lineage.ts";
import { traceLineage } from "../../packages/core/src/lineage/trace-lineage.ts";
import type { MetadataStore, RunRow } from "../../packages/core/src/metadata/metadata-store.ts";
import { definition, WrittenStore } from "./written-store.ts";

let store: WrittenStore;
beforeEach(async () => {
  store = await WrittenStore.create();
});
afterEach(async () => await store.close());

const MODEL = definition("model", "Train");
const SOURCE = definition("source", "GenerateData");
const SAME_SOURCE = definition("source", "GenerateData", { sameAs: ["model", "source"] });

/** The story of a model: rows, a model of them, a prediction from both. */
async function story() {
  const rows = await store.run("GenerateData", { artifacts: { rows: [1], columns: ["a"] }, parameters: { seed: 7 } });
  const model = await store.run("Train", {
    tags: ["prod:v1"],
    artifacts: { modeler: "weights" },
    upstreams: (await store.resolve([SOURCE])).upstreams,
    reads: { source: ["rows"] },
  });
  const asked = await store.resolve([MODEL, SAME_SOURCE], { model: { tags: ["prod:v1"] } });
  const prediction = await store.run("Predict", {
    artifacts: { predictions: [2] },
    upstreams: asked.upstreams,
    reads: { model: ["modeler"], "model.upstreams.source": ["columns"] },
  });
  return { rows, model, prediction };
}

/** Links as `from -> to kind name: artifacts`. */
function linksOf(lineage: Lineage): readonly string[] {
  const nameOf = (id: string): string => lineage.runs.find((run) => run.id === id)?.run ?? "?";
  return lineage.links.map(({ from, to, kind, name, reads }) =>
    [nameOf(from), "->", nameOf(to), kind, name ?? "-", reads.map(({ artifact }) => artifact).join(",")]
      .join(" ")
      .trim(),
  );
}

const namesOf = ({ runs }: Lineage): readonly (string | undefined)[] => runs.map(({ run }) => run);

test("up tells what a run was made from: runs, artifacts with digests, tasks, parameters", async () => {
  const { rows, model, prediction } = await story();
  const lineage = await traceLineage(store.metadata, prediction);
  expect(lineage).toMatchObject({ schema: 1, direction: "up", root: prediction.id, isWhole: true });
  expect(lineage.runs.map(({ run, depth }) => [run, depth])).toEqual([
    ["Predict/1", 0],
    ["Train/1", 1],
    ["GenerateData/1", 1],
  ]);
  expect(linksOf(lineage).toSorted()).toEqual([
    "GenerateData/1 -> Predict/1 read model.upstreams.source columns",
    "GenerateData/1 -> Predict/1 upstream source",
    "GenerateData/1 -> Train/1 upstream source rows",
    "Train/1 -> Predict/1 upstream model modeler",
  ]);
  const link = lineage.links.find(({ from, to }) => from === model.id && to === prediction.id)!;
  expect(link.selector).toEqual({ kind: "tags", tags: ["prod:v1"] });
  const { codec, digest } = await store.artifact(model, "modeler");
  expect(link.reads).toEqual([{ artifact: "modeler", codec, digest, tasks: 1, steps: ["start"], task: "start" }]);
  expect(lineage.runs.find(({ id }) => id === rows.id)).toMatchObject({
    flow: "shop/GenerateData",
    isHere: true,
    status: "succeeded",
    parameters: { seed: 7 },
  });
});

test("down tells who consumed a run, and one artifact of it", async () => {
  const { rows } = await story();
  const lineage = await traceLineage(store.metadata, rows, { direction: "down" });
  expect(namesOf(lineage)).toEqual(["GenerateData/1", "Train/1", "Predict/1"]);
  expect(linksOf(lineage)).toContain("Train/1 -> Predict/1 upstream model modeler");
  // Only Predict read the columns, and nobody read from it.
  const columns = await traceArtifact(store.metadata, rows, "columns", { direction: "down" });
  expect(linksOf(columns)).toEqual(["GenerateData/1 -> Predict/1 read model.upstreams.source columns"]);
  expect(columns.artifact).toMatchObject({ name: "columns", task: "GenerateData/1/start" });
});

test("a read through the client inside a step is lineage in both directions", async () => {
  const rows = await store.run("GenerateData", { artifacts: { rows: [1] } });
  const artifact = await store.artifact(rows, "rows");
  const report = await store.run("Report", { clientReads: [{ producer: rows, artifact }] });
  const link = "GenerateData/1 -> Report/1 read - rows";
  expect(linksOf(await traceLineage(store.metadata, report))).toEqual([link]);
  const down = await traceLineage(store.metadata, rows, { direction: "down" });
  expect(linksOf(down)).toEqual([link]);
  expect(down.links[0]?.reads[0]?.digest).toBe(artifact.digest);
});

test("an artifact that a task set itself names that task, and what is not recorded is said so", async () => {
  const { prediction } = await story();
  const { artifact } = await traceArtifact(store.metadata, prediction, "predictions");
  expect(artifact).toMatchObject({ kind: "artifact", task: "Predict/1/start", basis: "before", inputs: [] });
  expect(artifact).not.toHaveProperty("values");
  await expect(traceArtifact(store.metadata, prediction, "prediction")).rejects.toMatchObject({
    code: "FLOW_CLIENT_NO_ARTIFACT",
    hint: 'Did you mean "predictions"?',
  });
});

test("a deleted run is shown as deleted, by whom and when; one of another store as not here", async () => {
  const rows = await store.run("GenerateData", { artifacts: { rows: [1] } });
  const artifact = await store.artifact(rows, "rows");
  const report = await store.run("Report", { clientReads: [{ producer: rows, artifact }] });
  const by = { actor: "bob", host: "mill", via: "flow runs delete", reason: "too old", at: new Date() };
  await deleteRuns(store.stores, [rows.sequence], { by });
  const lineage = await traceLineage(store.metadata, report);
  expect(lineage.runs[1]).toMatchObject({
    run: "GenerateData/1",
    isHere: false,
    deleted: { actor: "bob", host: "mill", via: "flow runs delete", reason: "too old" },
  });
  // What was read of it is still known.
  expect(lineage.links[0]?.reads).toMatchObject([{ artifact: "rows", digest: artifact.digest }]);

  const foreign = newRunId();
  await store.run("GenerateData");
  const [edge] = (await store.resolve([SOURCE])).upstreams;
  const { run: _, ...elsewhere } = { ...edge!, producer: foreign };
  const reader = await store.run("Train", { upstreams: [elsewhere as never] });
  const far = (await traceLineage(store.metadata, reader)).runs[1];
  expect(far).toEqual({ id: foreign, isHere: false, depth: 1 });
});

test("depth and number of runs are bounded, and what is left out is counted where it is", async () => {
  const { rows, prediction } = await story();
  const none = await traceLineage(store.metadata, prediction, { depth: 0 });
  expect([none.isWhole, none.links, none.runs.map(({ run, more }) => [run, more])]).toEqual([
    false,
    [],
    [["Predict/1", 2]],
  ]);
  const one = await traceLineage(store.metadata, rows, { direction: "down", limit: 2 });
  expect(one.runs).toHaveLength(2);
  expect(one.isWhole).toBe(false);
  for (const options of [{ depth: -1 }, { depth: 1.5 }, { limit: 0 }])
    await expect(traceLineage(store.metadata, rows, options)).rejects.toMatchObject({ code: "FLOW_CLIENT_BAD_QUERY" });
});

/** Runs without tasks, each reading from those before it. */
async function writeRuns(count: number, producersOf: (index: number, ids: readonly RunId[]) => readonly RunId[]) {
  const first = await store.run("Chain");
  const ids: RunId[] = [first.id];
  store.many((insert) => {
    for (let index = 1; index < count; index++) {
      const id = newRunId();
      insert(id, index, producersOf(index, ids));
      ids.push(id);
    }
  }, first);
  return { ids, first };
}

async function byId(metadata: MetadataStore, id: RunId): Promise<RunRow> {
  return (await metadata.runById(id))!;
}

test("a circle of runs, as only a damaged store has it, ends", async () => {
  const { ids, first } = await writeRuns(3, (index, known) => [known[index - 1]!]);
  store.sql(
    "INSERT INTO upstream SELECT ?, name, flow_project, flow_name, selector, ?, 1, '[]', 0 FROM upstream LIMIT 1",
    first.sequence,
    ids[2],
  );
  const lineage = await traceLineage(store.metadata, await byId(store.metadata, ids[2]!));
  expect(lineage.runs.map(({ depth }) => depth)).toEqual([0, 1, 2]);
  expect(lineage.links).toHaveLength(3);
  expect(lineage.isWhole).toBe(true);
});

test("ten thousand runs, as a chain and as a fan with diamonds, answer in seconds", async () => {
  const chain = await writeRuns(5_000, (index, known) => [known[index - 1]!]);
  const fan = await writeRuns(5_000, (index, known) => [...new Set([known[0]!, known[index >> 1]!])]);
  const started = performance.now();
  const last = await byId(store.metadata, chain.ids.at(-1)!);
  const up = await traceLineage(store.metadata, last, { depth: 10_000, limit: 10_000 });
  expect([up.runs.length, up.links.length, up.isWhole]).toEqual([5_000, 4_999, true]);
  const down = await traceLineage(store.metadata, fan.first, { direction: "down", depth: 50, limit: 10_000 });
  expect([down.runs.length, down.isWhole]).toEqual([5_000, true]);
  const elapsed = performance.now() - started;
  expect(elapsed, `${elapsed} ms`).toBeLessThan(20_000); // 3 s on a busy machine; a walk of the tables for each run takes minutes.
  // As it is asked by default, it is cut and says so.
  const cut = await traceLineage(store.metadata, last);
  expect([cut.runs.length, cut.isWhole, cut.runs.at(-1)?.more]).toEqual([6, false, 1]);
}, 120_000);

test("a run without a code package has no code to give back, and says so", async () => {
  await expect(runCode(store.stores, await store.run("Train"))).rejects.toMatchObject({
    code: "FLOW_PACKAGE_NOT_KEPT",
  });
});
