/** Upstreams from end to end: which run is taken, that it is pinned, and that what was read is recorded with its digest. */

import type { RunEvent } from "@millrace/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project, type Watched } from "../kit/project.ts";
import { flowText, observe } from "./observe.ts";

const project = new Project({
  "collect.ts": flowText(
    "Collect",
    `readonly n = param(z.number().default(1)); rows!: number[]; unread!: string; @step({ next: "end" }) start() { this.rows = [this.n, this.n * 2]; this.unread = "unread"; } @step() end() {}`,
  ),
  "train.ts": flowText(
    "Train",
    `readonly source = upstream(Collect); model!: { sum: number }; @step({ next: "end" }) start() { this.model = { sum: this.source.data.rows[0]! + this.source.data.rows[1]! }; } @step() end() {}`,
    `import Collect from "./collect.ts";`,
  ),
  "predict.ts": flowText(
    "Predict",
    `
    readonly channel = param(z.string().default("prod"));
    readonly model = upstream(Train, { tags: () => [this.channel + ":v1"], maxAge: "1d" });
    readonly source = upstream(Collect, { sameAs: this.model.upstreams.source });
    readonly previous = upstream(Predict, { optional: true });
    parts!: number[]; part!: number; answer!: unknown; before!: string;
    @step({ next: "work", foreach: "parts" }) start() { this.parts = [1, 2, 3]; }
    @step({ next: "end" }) work(part: number) { this.part = part * this.model.data.model.sum; this.source.data.rows.push(99); }
    @join() end(inputs: Inputs<Predict>) {
      const attempt = (read: () => unknown) => { try { return read() ?? "nothing"; } catch (error: any) { return [error.code, error.hint]; } };
      this.answer = {
        parts: inputs.map((input) => input.part), rows: this.source.data.rows, n: this.source.data.n, further: this.model.upstreams.source.data.rows,
        run: [this.model.run.flow, this.model.run.tags, this.model.run.createdAt instanceof Date], previous: attempt(() => (this.previous as any)?.data.part),
        wrong: attempt(() => (this.model.data as any).modle), change: attempt(() => { (this.model.data as any).model = 1; }),
      };
    }`,
    `import Collect from "./collect.ts"; import Train from "./train.ts";`,
  ),
  "stale.ts": flowText("Stale", `readonly rows = upstream("Collect", { maxAge: "1ms" }); @step() start() {}`),
});
afterAll(() => project[Symbol.asyncDispose]());

const told = (watched: Watched, kind: RunEvent["kind"]) => watched.events.filter((event) => event.kind === kind);
let collect2: Watched;
let train1: Watched;

beforeAll(async () => {
  await project.run("collect.ts");
  collect2 = await project.run("collect.ts", { params: { n: 10 }, tags: ["data:v1"] });
  train1 = await project.run("train.ts", { upstreams: { source: "Collect/1" }, tags: ["prod:v1"] });
  // A newer model on newer data, and newer data still: none of it may reach a prediction by prod:v1.
  await project.run("train.ts", { upstreams: { source: { tags: ["data:v1"] } }, tags: ["test:v1"] });
}, 60_000);

test("late tags, sameAs and an optional upstream that finds nothing", async () => {
  const watched = await project.run("predict.ts");
  if (watched.run === undefined) throw watched.error;
  const { values } = await observe(project, watched);
  expect(values.answer).toEqual({
    parts: [3, 6, 9],
    rows: [1, 2],
    n: 1,
    further: [1, 2],
    run: ["shop/Train", ["prod:v1"], true],
    previous: "nothing",
    wrong: ["FLOW_RUNNER_NO_ARTIFACT", 'Did you mean "model"?'],
    change: ["FLOW_RUNNER_READ_ONLY", expect.any(String)],
  });
  expect(
    told(watched, "run.upstream").map(
      (event) => event.kind === "run.upstream" && `${event.name} = ${event.run} (${event.selector})`,
    ),
  ).toEqual(["model = Train/1 (prod:v1)", "source = Collect/1 (same as model.source)"]);

  // Each read is recorded with the digest that the producer's own record has; what nobody read is not.
  const digestOf = (producer: Watched, name: string) =>
    producer.record.artifacts.find((artifact: { name: string }) => artifact.name === name).digest;
  const collect1 = (await project.here(["show", "Collect/1", "--json"])).lines[0];
  const edges = Object.fromEntries(watched.record.upstreams.map((edge: { name: string }) => [edge.name, edge]));
  expect(edges.model).toMatchObject({
    run: "Train/1",
    runId: train1.record.id,
    candidateCount: 1,
    selector: { kind: "tags", tags: ["prod:v1"] },
  });
  expect(edges.model.reads).toEqual([{ name: "model", codec: "cbor", digest: digestOf(train1, "model") }]);
  expect(edges.source.reads.map((read: { name: string; digest: string }) => [read.name, read.digest])).toEqual(
    ["n", "rows"].map((name) => [
      name,
      collect1.artifacts.find((artifact: { name: string }) => artifact.name === name).digest,
    ]),
  );
  expect(edges["model.upstreams.source"].reads).toMatchObject([{ name: "rows" }]);
  expect(edges.previous).toMatchObject({ candidateCount: 0, reads: [] });
  expect(edges.previous.run).toBeUndefined();

  const client = await project.client();
  const producer = await ((await client.run<any>("Predict/1")).upstreams as any).model;
  expect([producer.id, await (await producer.upstreams.source).data.rows]).toEqual([train1.record.id, [1, 2]]);
  const validated = await project.here(["validate", "Predict/1", "--json"]);
  expect([validated.code, validated.lines[0].ok]).toEqual([0, true]);
});

test("a flow can read an earlier run of itself; a run, tags and a run object can be asked for", async () => {
  const latest = await (await project.client()).runs<any>("Train").latest({ tags: ["test:v1"] });
  const watched = await project.run("predict.ts", { upstreams: { model: latest as never } });
  if (watched.run === undefined) throw watched.error;
  const { values } = await observe(project, watched);
  expect(values.answer).toMatchObject({
    parts: [30, 60, 90],
    rows: [10, 20],
    n: 10,
    previous: ["FLOW_RUNNER_NO_ARTIFACT", expect.any(String)],
  });
  expect(watched.record.upstreams.map((edge: { name: string; run?: string }) => `${edge.name} = ${edge.run}`)).toEqual(
    expect.arrayContaining(["model = Train/2", "source = Collect/2", "previous = Predict/1"]),
  );
  const onLine = await project.here(["run", "predict.ts", "--channel", "test", "--source-run", "Collect/1", "--json"]);
  expect(onLine.code).toBe(0);
  expect(
    onLine.lines
      .at(-1)
      .record.upstreams.slice(0, 3)
      .map((edge: { run?: string }) => edge.run)
      .toSorted(),
  ).toEqual(["Collect/1", "Predict/2", "Train/2"]);
});

test("what cannot be found or is too old is refused before anything runs, and writes nothing", async () => {
  const before = (await project.here(["runs", "--json"])).lines.length;
  const missing = await project.run("predict.ts", { params: { channel: "prd" } });
  expect(missing.error).toMatchObject({ code: "FLOW_LINEAGE_NO_RUN" });
  expect(JSON.stringify([String(missing.error), missing.error])).toContain("prod:v1");
  expect(missing.events).toEqual([]);
  expect((await project.run("stale.ts")).error).toMatchObject({
    code: expect.stringMatching(/^FLOW_LINEAGE_/),
    message: expect.stringContaining("Collect/2"),
  });
  expect((await project.here(["runs", "--json"])).lines).toHaveLength(before);
});

test("a tag that moves while a run reads it changes nothing for that run, and validate says so afterwards", async () => {
  const moved = await project.here(["tag", "add", "Train/2", "prod:v1", "--json"]);
  expect(moved.code).toBe(0);
  const several = await project.run("predict.ts");
  expect(told(several, "run.warning")).toMatchObject([
    { code: expect.stringMatching(/^FLOW_LINEAGE_/), message: expect.stringContaining("Train/1") },
  ]);
  expect(several.record.upstreams.find((edge: { name: string }) => edge.name === "model")).toMatchObject({
    run: "Train/2",
    candidateCount: 2,
  });
  const validated = await project.here(["validate", "Predict/1", "--current", "--json"]);
  expect(validated.code).toBe(1);
  expect(validated.lines[0].checks.filter((check: { status: string }) => check.status === "fail")).toMatchObject([
    { id: "V21", evidence: expect.stringContaining("Train/2") },
  ]);
  expect(collect2.record.tags).toEqual(["data:v1"]);
});
