/**
 * The founding story on mock data: make rows, train for testing and for production, predict by tag, validate. Then what
 * must come to light, one fault after another, each in a copy of the store.
 */
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CommandResult } from "../kit/run-command.ts";
import { daysLater } from "./clock.ts";
import { Workplace } from "./workplace.ts";

const place = new Workplace("model-versioning");
afterAll(() => place[Symbol.dispose]());

/** Runs of the story, by their name. */
const told: Record<string, CommandResult> = {};
type Json = any;

beforeAll(async () => {
  for (const [run, command] of Object.entries({
    "GenerateData/1": "run generate-data.ts --configuration test_config",
    "Train/1": "run train.ts --configuration test_config --tag test:v1",
    "Train/2": "run train.ts --configuration test_config --tag prod:v1",
    "Predict/1": "run predict.ts --model-tag test:v1 --json",
    "Predict/2": "run predict.ts --model-tag prod:v1",
  }))
    told[run] = await place.expect(0, command);
}, 180_000);

/** The whole record of a run. */
async function record(selector: string, where = place): Promise<Json> {
  return (await where.here(`show ${selector} --json`)).lines[0];
}

async function digestOf(selector: string, artifact: string): Promise<string> {
  return (await record(selector)).artifacts.find(({ name }: Json) => name === artifact).digest;
}

describe("the story", () => {
  test("each run says what it did, and where its results are", () => {
    expect(told["GenerateData/1"]?.stderr).toContain("320 rows to learn from, 80 to predict for");
    for (const run of ["Train/1", "Train/2"]) {
      expect(told[run]?.stderr).toMatch(/best contender: \d \w+, mean R² 0\.\d+/);
      expect(told[run]?.stderr).not.toContain("left its worker changed");
      expect(told[run]?.stdout).toMatch(new RegExp(`✓ ${run} succeeded after .+: 21 tasks done`));
    }
    expect(told["Predict/2"]?.stderr).toContain("reads model ← Train/2 (prod:v1)");
    expect(told["Predict/2"]?.stderr).toContain("reads source ← GenerateData/1 (same as model.source)");
    expect(told["Predict/2"]?.stderr).toContain("model of Train/2, tagged prod:v1");
  });

  test("Predict has read the featureEngineer and the modeler that Train has left, and the data of that very run", async () => {
    for (const [predict, train] of [
      ["Predict/1", "Train/1"],
      ["Predict/2", "Train/2"],
    ] as const) {
      const [reader, producer, data] = await Promise.all([record(predict), record(train), record("GenerateData/1")]);
      const [model, source] = reader.upstreams;
      expect(model).toMatchObject({ name: "model", run: train, runId: producer.id });
      expect(model.reads.map(({ name }: Json) => name)).toEqual(["featureEngineer", "modeler"]);
      expect(producer.artifacts).toEqual(
        expect.arrayContaining(model.reads.map((read: Json) => expect.objectContaining(read))),
      );
      expect(source).toMatchObject({ name: "source", run: "GenerateData/1", runId: data.id });
      expect(data.artifacts).toEqual(
        expect.arrayContaining(source.reads.map((read: Json) => expect.objectContaining(read))),
      );
    }
  });

  test("equal inputs give equal models: each artifact of both trainings has one digest", async () => {
    const [first, second] = await Promise.all([record("Train/1"), record("Train/2")]);
    expect(first.artifacts.map(({ name }: Json) => name)).toContain("modeler");
    expect(second.artifacts).toEqual(first.artifacts);
    expect(second.id).not.toBe(first.id);
  });

  test("plots are artifacts and files with the same bytes", async () => {
    const plots = {
      "train-2/all-scores.svg": ["Train/2", "scoresPlot"],
      "train-2/predicted-vs-true.svg": ["Train/2", "predictedVsTrue"],
      "train-2/summary.txt": ["Train/2", "summary"],
      "predict-2/predicted-vs-true.svg": ["Predict/2", "predictedVsTrue"],
    } as const;
    for (const [name, [run, artifact]] of Object.entries(plots)) {
      const file = fs.readFileSync(place.file(`results/${name}`), "utf8");
      expect(await dumpText(`${run}.${artifact}`)).toBe(file.trimEnd());
      if (name.endsWith(".svg")) expect(file).toMatch(/^<svg [\s\S]*<\/svg>\s*$/);
    }
    const page = fs.readFileSync(place.file("results/train-2/report.html"), "utf8");
    expect(page).toContain(await dumpText("Train/2.scoresPlot"));
    expect(fs.readdirSync(place.file("results")).sort()).toEqual(["predict-1", "predict-2", "train-1", "train-2"]);
  });

  test("plots are pulled as files with the right names", async () => {
    await place.expect(0, "pull Train/2 -o plots/");
    const pulled = fs.readdirSync(place.file("plots")).sort();
    expect(pulled).toEqual(["predictedVsTrue.svg", "report.html", "scoresPlot.svg"]);
    expect(fs.readFileSync(place.file("plots/report.html"), "utf8")).toBe(
      fs.readFileSync(place.file("results/train-2/report.html"), "utf8"),
    );
  });

  test("validate finds nothing wrong, with one line of evidence a check", async () => {
    const [report] = (await place.expect(0, "validate --json")).lines;
    // V11 warns wherever the working tree has changes, as that of whoever works on these tests may.
    expect(report.checks.filter(({ id, status }: Json) => id !== "V11" && status !== "pass")).toEqual([]);
    expect(report).toMatchObject({ ok: true, totals: { fail: 0 } });
    expect(report.runs.map(({ run }: Json) => run).sort()).toEqual(["Predict/2", "Train/2"]);
    const ids = new Set(report.checks.map(({ id }: Json) => id));
    for (const id of ["V00", "V01", "V02", "V03", "V04", "V05", "V10", "V15", "V21"]) expect(ids).toContain(id);
    expect(report.checks).toContainEqual(
      expect.objectContaining({
        id: "V02",
        status: "pass",
        subject: {
          run: "Predict/2",
          upstream: "model",
          artifact: "modeler",
          digest: await digestOf("Train/2", "modeler"),
        },
      }),
    );
  });

  async function dumpText(selector: string): Promise<string> {
    return (await place.here(`dump ${selector} -o -`)).stdout.trimEnd();
  }
});

describe("looking at the runs", () => {
  test("the last line of run --json is the whole record, the same as show --json", async () => {
    const lines = told["Predict/1"]!.lines;
    expect(lines[0]).toMatchObject({ kind: "run.created", run: "Predict/1" });
    const last = lines.at(-1);
    expect(last).toMatchObject({ kind: "run.finished", status: "succeeded", durationMs: expect.any(Number) });
    expect(last.record).toMatchObject({
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/),
      run: "Predict/1",
      flow: { name: "Predict" },
      status: "succeeded",
      parameters: {},
      upstreams: [
        { name: "model", selector: { tags: ["test:v1"] }, candidates: ["Train/1"] },
        { name: "source", selector: { kind: "sameAs" } },
      ],
      artifacts: [{ name: "predictedVsTrue" }, { name: "predictions", codec: "float64" }, { name: "score" }],
      tasks: { total: 2, byStatus: { succeeded: 2 } },
      environment: { node: process.version, cwd: place.folder, command: expect.arrayContaining(["--model-tag"]) },
      codePackage: {
        digest: expect.stringMatching(/^[0-9a-f]{64}$/),
        entry: "flows/model-versioning/predict.ts",
      },
    });
    const digests = [last.record.artifacts, ...last.record.upstreams.map(({ reads }: Json) => reads)].flat();
    expect(digests).toHaveLength(7);
    for (const { digest } of digests) expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(await record("Predict/1")).toEqual(last.record);
  });

  test("runs: newest first, by flow and by tag, as a table and as JSON", async () => {
    const all = (await place.here("runs --json")).lines;
    expect(all.map(({ run }) => run)).toEqual(["Predict/2", "Predict/1", "Train/2", "Train/1", "GenerateData/1"]);
    expect(all[2]).toMatchObject({
      status: "succeeded",
      tags: ["prod:v1"],
      parameters: { configuration: "test_config" },
    });
    const tagged = (await place.here("runs Train --tag prod:v1")).stdout.split("\n");
    expect(tagged[0]).toMatch(/RUN +STATUS +TAGS +CREATED +TOOK +PARAMETERS/);
    expect(tagged[1]).toMatch(/^✓ Train\/2 +succeeded +prod:v1 .+ configuration=test_config$/);
    expect(tagged.slice(2)).toEqual([""]);
  });

  test("show: a run with what it read and who reads it, and the tasks of a step", async () => {
    const { stdout } = await place.here("show Train@prod:v1");
    expect(stdout).toMatch(/^✓ Train\/2 succeeded after /);
    expect(stdout).toMatch(/eachFold +8 +succeeded/);
    expect(stdout).toMatch(/modeler +artifact +cbor/);
    expect(stdout).toMatch(/scoresPlot +artifact +file:scoresPlot\.svg .+ SVG \d+ × \d+ "/);
    expect(stdout).toMatch(/report +artifact +file:report\.html .+ HTML page "Training: \d \w+ is best"/);
    expect(stdout).toContain("GenerateData/1");
    expect(stdout).toMatch(/read by +Predict\/2/);
    const tasks = (await place.here("show Train/2/eachFold --json")).lines;
    expect(tasks.map(({ task }) => task).sort()).toEqual(
      [0, 1, 2, 3].flatMap((contender) => [0, 1].map((fold) => `Train/2/eachFold/${contender}.${fold}`)),
    );
    for (const { status, attempt } of tasks) expect([status, attempt]).toEqual(["succeeded", 1]);
  });

  test("logs: what the tasks wrote, of a run and of a step", async () => {
    const { stdout } = await place.here("logs Train/2");
    expect(stdout).toMatch(/^Train\/2\/joinContenders │ best contender: /m);
    expect(stdout).toContain("Train/2/end │ wrote results/train-2/summary.txt\n");
    const [entry] = (await place.here("logs Train/2/end --json")).lines;
    expect(entry).toMatchObject({ task: "Train/2/end", attempt: 1, stream: "stdout", at: expect.any(String) });
    expect(entry.text).toContain(fs.readFileSync(place.file("results/train-2/summary.txt"), "utf8").trimEnd());
    expect(await place.here("logs Train/2/eachFold/0.1")).toMatchObject({
      stdout: "",
      stderr: "Train/2/eachFold/0.1 wrote nothing\n",
    });
  });

  test("dump: values, readable and as JSON, with notes on what JSON cannot hold", async () => {
    const dumped = Object.fromEntries(
      (await place.expect(0, "dump Predict/2 --json")).lines.map((line) => [line.name, line]),
    );
    expect(dumped.predictions).toMatchObject({ of: "Predict/2", codec: "float64", sizeBytes: 640 });
    expect(dumped.predictions.value).toHaveLength(80);
    expect(dumped.predictions.notInJson).toEqual([expect.objectContaining({ path: "$" })]);
    expect(dumped.score.value).toBeGreaterThan(0.1);
    const text = (await place.expect(0, "dump Train/2.modeler")).stdout;
    expect(text).toContain("millrace.Modeler@1");
    expect(text).toMatch(/mode: 'train'/);
    expect((await place.expect(0, "dump Predict/2")).stdout).toMatch(
      /^predictedVsTrue artifact, file:predictedVsTrue\.svg, [\s\S]+SVG \d+ × \d+ "[\s\S]+^predictions artifact, float64, 640 B\n {2}Float64Array\(80\)/m,
    );
  });
});

describe("fresh rows", () => {
  test("score-daily refuses rows and models that are too old, and works with fresh ones", async () => {
    using copy = place.copy();
    expect((await copy.expect(1, "run score-daily.ts")).stderr).toContain("no successful run of Collect");
    await copy.expect(0, "run collect.ts --rows 50");
    const scored = await copy.expect(0, "run score-daily.ts");
    expect(scored.stderr).toContain("reads model ← Train/2 (prod:v1)");
    expect(scored.stderr).toContain("50 of 50 fresh rows scored");

    const stale = await copy.expect(1, "run score-daily.ts", { node: daysLater(2) });
    expect(stale.stderr).toMatch(/"rows".*Collect\/1.*old/);
    expect(stale.stderr).toContain("FLOW_LINEAGE_TOO_OLD");
    const collected = await copy.expect(0, "run collect.ts --rows 60", { node: daysLater(2) });
    expect(collected.stdout).toContain("Collect/2 succeeded");
    expect((await copy.expect(0, "run score-daily.ts", { node: daysLater(2) })).stderr).toContain(
      "60 of 60 fresh rows scored",
    );

    const worn = await copy.expect(1, "run score-daily.ts", { node: daysLater(40) });
    expect(worn.stderr).toMatch(/"model".*Train\/2.*old/); // Both are too old by now, and both are told.
    expect(worn.stderr).toMatch(/"rows".*Collect\/2.*old/);
    const runs = (await copy.here("runs ScoreDaily --json")).lines;
    expect(runs.map(({ run }) => run)).toEqual(["ScoreDaily/2", "ScoreDaily/1"]);
  });
});

describe("planted faults", () => {
  test("one flipped byte of a stored model is found, with run, artifact and digest, and is never a value", async () => {
    using copy = place.copy();
    const digest = await digestOf("Train/2", "modeler");
    flipByte(blobFile(copy, digest));

    const [report] = (await copy.expect(1, "validate --json")).lines;
    expect(report.ok).toBe(false);
    expect(failures(report)).toContainEqual({
      id: "V03",
      run: "Predict/2",
      upstream: "model",
      artifact: "modeler",
      digest,
    });
    const text = (await copy.expect(1, "validate Predict/2")).stdout;
    expect(text).toContain(`"modeler" of Train/2, read by Predict/2 (cbor, ${digest})`);
    expect(text).toMatch(/✗ V03 integrity/);

    for (const command of ["run predict.ts --model-tag prod:v1", "dump Train/2.modeler"]) {
      const { stderr } = await copy.expect(1, command);
      expect(stderr).toContain("FLOW_ARTIFACT_DAMAGED");
      expect(stderr).toContain(digest);
      expect(stderr).toContain("Restore the blob");
    }
  });

  test("a flipped byte of a small value inside the database is found as well", async () => {
    using copy = place.copy();
    const file = path.join(copy.store, "millrace.db");
    const bytes = fs.readFileSync(file);
    const at = bytes.indexOf("millrace.FeatureEngineer@1");
    expect(at, "the value is in the database as it is").toBeGreaterThan(0);
    bytes[at]! ^= 1;
    fs.writeFileSync(file, bytes);
    const [report] = (await copy.expect(1, "validate --json")).lines;
    expect(failures(report)).toContainEqual({
      id: "V03",
      run: "Predict/2",
      upstream: "model",
      artifact: "featureEngineer",
      digest: await digestOf("Train/2", "featureEngineer"),
    });
  });

  test("a blob that is gone is found, and named", async () => {
    using copy = place.copy();
    const digest = await digestOf("Train/2", "modeler");
    fs.rmSync(blobFile(copy, digest));
    const [report] = (await copy.expect(1, "validate --json")).lines;
    expect(failures(report)).toContainEqual({
      id: "V03",
      run: "Predict/2",
      upstream: "model",
      artifact: "modeler",
      digest,
    });
    const { stderr } = await copy.expect(1, "run predict.ts --model-tag prod:v1");
    expect(stderr).toContain("FLOW_ARTIFACT_MISSING");
    expect(stderr).toContain('artifact "modeler" of Train/2');
  });

  test("two runs with one tag: the newest is taken with a warning, --strict refuses and names both", async () => {
    using copy = place.copy();
    await copy.expect(0, "tag add Train/1 prod:v1"); // Given later, and to the older one.
    const warned = await copy.expect(0, "run predict.ts --model-tag prod:v1 --json");
    expect(warned.lines.find(({ kind }) => kind === "run.warning")).toMatchObject({
      code: "FLOW_LINEAGE_SEVERAL_RUNS",
      message: expect.stringMatching(/2 successful runs carry "prod:v1".*Train\/2.*Train\/1/),
      hint: expect.stringContaining("flow tag remove"),
    });
    expect(warned.lines.at(-1).record.upstreams[0]).toMatchObject({
      run: "Train/2",
      candidateCount: 2,
      candidates: ["Train/2", "Train/1"],
    });
    const { stderr } = await copy.expect(1, "run predict.ts --model-tag prod:v1 --strict");
    expect(stderr).toMatch(/Train\/2 .*Train\/1/);
    expect(stderr).toContain("FLOW_LINEAGE_SEVERAL_RUNS");
    expect((await copy.here("runs Predict --json")).lines).toHaveLength(3);

    const [report] = (await copy.expect(0, "validate --json")).lines;
    expect(report).toMatchObject({ ok: true, totals: { fail: 0 } });
    expect(report.checks).toContainEqual(
      expect.objectContaining({
        id: "V01",
        status: "warn",
        subject: { run: "Predict/3", upstream: "model" },
        evidence: expect.stringMatching(/Train\/2 .*Train\/1/),
      }),
    );
    await copy.expect(1, "validate --strict");
  });

  test("a moved tag: the log says who, when and why; validate warns, --current fails", async () => {
    using copy = place.copy();
    const ana = { env: { MILLRACE_USER: "ana" } };
    const [added] = (await copy.expect(0, 'tag add Train/1 prod:v1 --reason "better on the holdout" --json', ana))
      .lines;
    expect(added).toMatchObject({
      run: "Train/1",
      tags: ["prod:v1", "test:v1"],
      moves: [{ verb: "add", tag: "prod:v1", actor: "ana", reason: "better on the holdout" }],
    });
    const removed = await copy.expect(0, 'tag remove Train/2 prod:v1 --reason "overfitted"', ana);
    expect(removed.stdout).toBe("✓ Train/2 no longer tagged prod:v1; it holds no tags\n");

    const warned = await copy.expect(0, "validate");
    expect(warned.stdout).toMatch(/! V21 currency/);
    expect(warned.stdout).toMatch(
      /"prod:v1" moved from Train\/2 to Train\/1 on \d{4}-\d\d-\d\d \d\d:\d\d UTC by ana \(.+\)/,
    );
    const [report] = (await copy.expect(1, "validate --current --json")).lines;
    expect(failures(report)).toEqual([
      { id: "V21", run: "Predict/2", upstream: "model", artifact: undefined, digest: undefined },
    ]);

    expect((await copy.here("tag list --json")).lines).toEqual([
      { tag: "prod:v1", runs: 1, newest: "Train/1" },
      { tag: "test:v1", runs: 1, newest: "Train/1" },
    ]);
    expect((await copy.here("tag list Train")).stdout).toMatch(/TAG +RUNS +NEWEST\nprod:v1 +1 +Train\/1\n/);
    const [log] = (await copy.here("tag list Train/2 --json")).lines;
    expect(log.tags).toEqual([]);
    expect(log.moves).toMatchObject([
      { verb: "remove", tag: "prod:v1", actor: "ana", via: "flow tag", reason: "overfitted" },
      { verb: "add", tag: "prod:v1", via: "run" },
    ]);
    expect(log.moves[0].at).toMatch(/^\d{4}-.*Z$/);
    expect((await copy.here("tag list Train/2")).stdout).toMatch(
      /^Train\/2 holds no tags\nWHEN .*\n[\d: -]+ +removed +prod:v1 +ana +flow tag +overfitted\n/,
    );
    expect((await copy.expect(0, "run predict.ts --model-tag prod:v1")).stderr).toContain("Train/1 (prod:v1)");
  });
});

test("real flights: generate, train and predict on 500 rows", async () => {
  using flights = new Workplace("model-versioning");
  const made = await flights.expect(
    0,
    "run generate-data.ts --dataset flights --rows 500 --configuration test_config --tag dataset:flights",
  );
  expect(made.stderr).toContain("flights: 400 rows to learn from, 100 to predict for");
  await flights.expect(0, "run train.ts --dataset flights --configuration test_config --tag prod:v1");
  const predicted = await flights.expect(0, "run predict.ts --model-tag prod:v1");
  expect(predicted.stderr).toMatch(/100 predictions, mean -?\d/);
  const train = await record("Train/1", flights);
  expect(train.parameters).toEqual({ configuration: "test_config", dataset: "flights" });
  expect(train.upstreams).toMatchObject([{ run: "GenerateData/1", selector: { tags: ["dataset:flights"] } }]);
  const [rows] = (await flights.here("dump GenerateData/1 trainRows --json")).lines;
  expect(Object.keys(rows.value)).toEqual(expect.arrayContaining(["delay", "distance", "weekday"]));
  expect(new Set(rows.value.distance).size).toBeGreaterThan(50); // Distances between real airports, not one number.
  await flights.expect(0, "validate");
});

/** Failed checks, as what they are about. */
function failures(report: Json): readonly Record<string, string | undefined>[] {
  return report.checks
    .filter(({ status }: Json) => status === "fail")
    .map(({ id, subject: { run, upstream, artifact, digest } }: Json) => ({ id, run, upstream, artifact, digest }));
}

/** The file of a stored value, compressed or not. */
function blobFile(where: Workplace, digest: string): string {
  const folder = path.join(where.store, "blobs/sha256", digest.slice(0, 2));
  const name = fs.readdirSync(folder).find((file) => file.startsWith(digest));
  if (name === undefined) throw new Error(`no file holds ${digest}`);
  return path.join(folder, name);
}

function flipByte(file: string): void {
  const bytes = fs.readFileSync(file);
  bytes[bytes.length >> 1]! ^= 1;
  fs.writeFileSync(file, bytes);
}
