/** Metrics of real runs: what is kept, of which attempts, and who is read by whom. */
import { afterAll, describe, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "./observe.ts";

const project = new Project({
  "train.ts": flowText(
    "Train",
    `
    readonly rate = param(z.coerce.number().default(0.1));
    readonly broken = param(z.stringbool().default(false));
    folds!: number[]; score!: number; failure?: TaskFailure;
    @step({ next: "fold", foreach: "folds" }) start() { this.folds = [0, 1, 2]; }
    @step({ next: "gather" }) fold(fold: number) {
      this.score = fold * this.rate;
      this.log.metric("r2", this.score, { step: fold });
    }
    @join({ next: "apart" }) gather(inputs: Inputs<Train>) { note("r2", Math.max(...inputs.map((input) => input.score))); }
    @step({ next: "tries", isolate: "process" }) apart() {
      for (const step of [0, 1, 2]) this.log.metric("val/loss", step === 1 ? Number.NaN : 1 / step, { step });
    }
    @step({ next: "caught", retry: { times: 1, delay: "1ms" } }) tries() {
      this.log.metric("tries", current.attempt);
      if (current.attempt === 1) { this.log.metric("lost", 1); throw new Error("the first one fails"); }
    }
    @step({ next: "end", catch: "failure" }) caught() { this.log.metric("caught", 1); throw new Error("never kept"); }
    @step() end() { if (this.broken) throw new Error("broken"); this.log.metric("end", -0.5); }`,
    `import { current } from "@millrace/core";
     function note(name: string, value: number) { current.log.metric(name, value); }`,
  ),
  "cached.ts": flowText(
    "Cached",
    `
    rows!: number[];
    @step({ next: "end", cache: true }) start() { this.rows = [1]; for (const loss of [3, 2, 1]) this.log.metric("loss", loss); }
    @step() end() {}`,
  ),
  "wide.ts": flowText(
    "Wide",
    `
    @step({ next: "end" }) start() { for (let at = 0; at < 100_000; at++) this.log.metric(at % 2 === 0 ? "even" : "odd", at, { step: at }); }
    @step() end() {}`,
  ),
  "bad.ts": flowText(
    "Bad",
    `
    @step({ next: "end" }) start() {}
    @step() end() { this.log.metric("good", 1); this.log.metric("bad name", 1); }`,
  ),
  "taken.ts": flowText("Taken", `log!: string[]; @step({ next: "end" }) start() { this.log = []; } @step() end() {}`),
});
afterAll(() => project[Symbol.asyncDispose]());

const last = { r2: 0.2, "val/loss": 0.5, tries: 2, end: -0.5 };

describe("metrics", () => {
  test("are kept of tasks that ended well, from threads, processes and helpers; of failed attempts nothing is", async () => {
    const { run, record } = await project.run("train.ts");
    expect(await run!.metrics()).toEqual(last);
    expect(record.metrics).toEqual([
      { name: "end", value: -0.5 },
      { name: "r2", value: 0.2 },
      { name: "tries", value: 2 },
      { name: "val/loss", value: 0.5, step: 2 },
    ]);
    const values = await run!.metricValues("r2");
    expect(new Set(values.map(({ value, step, task }) => `${task} ${value} ${step}`))).toEqual(
      new Set(["Train/1/fold/0 0 0", "Train/1/fold/1 0.1 1", "Train/1/fold/2 0.2 2", "Train/1/gather 0.2 undefined"]),
    );
    expect(values.at(-1)).toEqual({ value: 0.2, task: "Train/1/gather" });
    expect((await run!.metricValues("val/loss")).map(({ value }) => value)).toEqual([Infinity, Number.NaN, 0.5]);
    expect(await run!.metricValues("none")).toEqual([]);
  });

  test("of a run that failed and goes on, and of a fork, are those of their tasks", async () => {
    const failed = await project.here(["run", "train.ts", "--broken", "--json"]);
    expect(failed.code).toBe(1);
    const record = failed.lines.at(-1).record;
    expect(record.metrics.map(({ name }: { name: string }) => name)).toEqual(["r2", "tries", "val/loss"]);
    const forked = await project.here(["resume", record.run, "--no-broken", "--json"]);
    expect(forked.lines.at(-1).record).toMatchObject({ status: "succeeded", origin: { runId: record.id } });
    const client = await project.client();
    const fork = await client.run(forked.lines.at(-1).record.run);
    expect(await fork.metrics()).toEqual(last);
    expect((await fork.metricValues("r2")).map(({ task }) => task)).toContain(`${fork.name}/fold/1`);
  });

  test("come with what the step cache has", async () => {
    await project.run("cached.ts");
    const { run, record } = await project.run("cached.ts");
    expect(record.tasks.cached).toBe(1);
    expect(await run!.metricValues("loss")).toEqual([3, 2, 1].map((value) => ({ value, task: "Cached/2/start" })));
  });

  test("may be 100,000 in one step", { timeout: 60_000 }, async () => {
    const { run } = await project.run("wide.ts");
    expect(await run!.metrics()).toEqual({ even: 99_998, odd: 99_999 });
    const odd = await run!.metricValues("odd");
    expect(odd.length).toBe(50_000);
    expect(odd.every(({ value, step }, at) => value === 2 * at + 1 && step === value)).toBe(true);
  });

  test("are refused with a reason: their name cannot be one", async () => {
    const { error, record } = await project.run("bad.ts");
    expect(record.failure.error).toMatchObject({ code: "FLOW_RUNNER_BAD_METRIC" });
    expect(String((error as Error).message)).toContain('Cannot record the metric "bad name"');
  });

  test("take a name from flows: a field or step that is called log is refused", async () => {
    const { error } = await project.run("taken.ts");
    expect(error).toMatchObject({ message: expect.stringContaining('"log" cannot name a field') });
  });

  test("go with their run", async () => {
    const { run } = await project.run("cached.ts");
    expect((await project.here(["runs", "delete", run!.name])).code).toBe(0);
    const { metadata } = await project.stores();
    expect(await metadata.metricValues({ run: (run as any).row.sequence, name: "loss" })).toEqual([]);
    expect(await metadata.runMetrics((run as any).row.sequence)).toEqual([]);
    const verified = await project.here(["store", "verify"]);
    expect([verified.code, verified.stdout]).toEqual([0, expect.stringContaining("Whole")]);
  });
});
