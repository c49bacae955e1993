/**
 * Resuming, with the command, and one test of each kind with the real one: what is finished stays, the rest runs, and the end is that of a
 * run that nothing disturbed. Runs are stopped in every way there is: by a failure, by Ctrl-C, by kill -9 of the runner.
 */
import fs from "node:fs";
import { createRequire } from "node:module";
import { runRecord } from "@millrace/core/internal";
import { describe, expect, onTestFinished, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText, taskOf, tasksOf } from "./observe.ts";

interface TrainOptions {
  /** Code in the step of the items, before its work. */
  readonly work?: string;
  readonly gather?: string;
  readonly bonus?: string;
  readonly head?: string;
}

/** start ═▶ work (8 items) ─▶ gather ─▶ report ─▶ end; every execution of a step leaves a line in executed.log. */
const train = ({ work = "", gather = "", bonus = "return 1;", head = "" }: TrainOptions = {}): string =>
  flowText(
    "Train",
    `
  readonly count = param(z.number().int().default(8));
  readonly rate = param(z.number().default(2));
  readonly title = param(z.string().default("plain"));
  items!: number[]; weights!: Float64Array; history!: Map<string, number>; total!: number; text!: string;
  #bonus() { ${bonus} }
  @step({ next: "work", foreach: "items" })
  start() { ran("start"); this.items = Array.from({ length: this.count }, (_, n) => n); }
  @step({ next: "gather" })
  async work(item: number) {
    ran("work/" + item);
    ${work}
    this.weights = Float64Array.from({ length: 3_000 }, (_, n) => Math.sin(n * item) * this.rate);
    this.history = new Map([["item", item]]);
  }
  @join({ next: "report" })
  async gather(inputs: Inputs<Train>) {
    ran("gather");
    ${gather}
    this.total = inputs.reduce((sum, input) => sum + input.weights[1]!, 0) + this.#bonus();
  }
  @step({ next: "end" })
  report() { ran("report"); this.text = this.title + ": " + this.total.toFixed(6); }
  @step() end() { ran("end"); }`,
    `import { appendFileSync } from "node:fs";
const ran = (name: string) => appendFileSync(new URL("executed.log", import.meta.url), name + "\\n");
${head}`,
  );

/** Fails in item 3 until there is a file "mended.done". */
const FAILS = {
  work: 'if (item === 3 && !existsSync(new URL("mended.done", import.meta.url))) throw new Error("not yet");',
};

/** Fails in one item and finishes the others. One worker does it: what is said here is not said of order, and a start of two costs more. */
const FAILING = ["run", "train.ts", "--finish-siblings", "--max-workers", "1"];
/** Undisturbed, in one worker. */
const WHOLE = ["run", "train.ts", "--max-workers", "1"];

function projectOf(files: Readonly<Record<string, string>>): Project {
  const project = new Project(files);
  onTestFinished(() => project[Symbol.asyncDispose]());
  return project;
}

/** What was executed since the last look. */
function executed(project: Project): readonly string[] {
  const file = project.file("executed.log");
  if (!fs.existsSync(file)) return [];
  const lines = fs.readFileSync(file, "utf8").trim().split("\n");
  fs.rmSync(file);
  return lines.filter((line) => line !== "").toSorted();
}

/** What `flow show --json` prints. */
async function record(project: Project, run: string): Promise<any> {
  const { metadata } = await project.stores();
  const [name, number] = run.split("/") as [string, string];
  const [row] = await metadata.runByNumber({ name }, Number(number));
  return JSON.parse(JSON.stringify(await runRecord(metadata, row!)));
}

/** Digests of everything that a run left: of its end and of each of its tasks. */
async function artifactsOf(project: Project, run: string): Promise<unknown> {
  const { id, artifacts } = await record(project, run);
  const { metadata } = await project.stores();
  const tasks: Record<string, unknown> = {};
  for (const row of await tasksOf(project, id)) {
    if (row.status !== "succeeded") continue;
    const own = await metadata.visibleArtifacts(row.sequence);
    tasks[taskOf(row)] = own.map(({ name, digest }) => `${name} ${digest}`).toSorted();
  }
  return { artifacts: artifacts.map(({ name, digest }: any) => [name, digest]), tasks };
}

/** What a run of the same flow leaves that nothing disturbs: run once, for all tests. */
const undisturbedRuns = new Map<string, Promise<unknown>>();

function undisturbed(words: readonly string[] = []): Promise<unknown> {
  const key = words.join(" ");
  const run = undisturbedRuns.get(key) ?? runUndisturbed(words);
  undisturbedRuns.set(key, run);
  return run;
}

async function runUndisturbed(words: readonly string[]): Promise<unknown> {
  await using project = new Project({ "train.ts": train() });
  expect(await project.here(["run", "train.ts", ...words])).toMatchObject({ code: 0 });
  return await artifactsOf(project, "Train/1");
}

/** The records themselves, where a state is wanted that only a killed process or an old program leaves. */
function openDatabase(project: Project): { exec(sql: string): void; close(): void } {
  const require = createRequire(new URL("../../packages/core/package.json", import.meta.url));
  const Database = require("better-sqlite3") as new (file: string) => { exec(sql: string): void; close(): void };
  return new Database(`${project.store}/millrace.db`);
}

const mend = (project: Project): void => project.write({ "mended.done": "" });
const ALL = ["end", "gather", "report", "start", ...Array.from({ length: 8 }, (_, n) => `work/${n}`)];

describe("a run that was killed", () => {
  test.each([
    ["in its first step", { work: "" }, "start", 'ran("start");'],
    ["in the middle of a foreach", {}, "work/5", 'ran("work/" + item);'],
    ["in the join", {}, "gather", 'ran("gather");'],
    ["in its last step", {}, "end", 'ran("end");'],
  ])("%s is lost, and ends like one that nothing disturbed", async (_, options, held, at) => {
    const wait = `if (!existsSync(new URL("mended.done", import.meta.url))${held === "work/5" ? " && item === 5" : ""}) { console.log("held"); await until("mended"); }`;
    const isAsync = held === "start" || held === "end";
    const text = train(options).replace(at, `${at} ${wait}`);
    const project = projectOf({
      "train.ts": isAsync ? text.replace(`${held}() { ran`, `async ${held}() { ran`) : text,
    });
    const killed = await project.flow(["run", "train.ts", "--max-workers", "2"], {
      onOutput: (output, kill) => output.includes("held") && kill("SIGKILL"),
    });
    expect(killed.signal).toBe("SIGKILL");
    expect((await project.here(["runs", "--json"])).lines).toMatchObject([{ run: "Train/1", status: "lost" }]);
    const before = executed(project);

    mend(project);
    const resumed = await project.here(["resume"]);
    expect(resumed).toMatchObject({ code: 0 });
    expect(resumed.stdout).toContain("Train/1 succeeded");
    const after = executed(project);
    expect(after).toContain(held);
    expect([...new Set([...before, ...after])].toSorted()).toEqual(ALL.toSorted());
    expect(await artifactsOf(project, "Train/1")).toEqual(await undisturbed());
    expect(await record(project, "Train/1")).toMatchObject({
      status: "succeeded",
      execution: { number: 2 },
      tasks: { total: 12 },
    });
    const rows = await tasksOf(project, (await record(project, "Train/1")).id);
    const lost = rows.filter(({ status }) => status === "lost").map(taskOf);
    expect(rows.filter((row) => taskOf(row) === held).map(({ attempt, status }) => [attempt, status])).toEqual([
      ...(lost.includes(held) ? [[1, "lost"]] : []),
      [lost.includes(held) ? 2 : 1, "succeeded"],
    ]);
  });

  test("after its last task was recorded and before its end was, has only its end left", async () => {
    const project = projectOf({ "train.ts": train() });
    expect(await project.flow(WHOLE)).toMatchObject({ code: 0 }); // In a process that is gone.
    const whole = await artifactsOf(project, "Train/1");
    executed(project);
    // As a runner leaves it that was killed between the two commits.
    const database = openDatabase(project);
    database.exec("UPDATE run SET status = 'running', finished_at = NULL, end_task = NULL");
    database.exec("UPDATE run_tag SET status = 'running'");
    database.exec("UPDATE execution SET status = 'running', ended_at = NULL, end_digest = NULL, heartbeat_at = 0");
    database.close();
    expect((await record(project, "Train/1")).status).toBe("lost");
    expect(await project.here(["resume", "Train/1"])).toMatchObject({ code: 0 });
    expect(executed(project)).toEqual([]);
    expect(await artifactsOf(project, "Train/1")).toEqual(whole);
  });
});

describe("a run that failed", () => {
  test("goes on as the same run: only the failed split of the foreach runs, and what comes after", async () => {
    const project = projectOf({ "train.ts": train(FAILS) });
    const failed = await project.flow(FAILING);
    expect(failed).toMatchObject({ code: 1 });
    expect(failed.stdout).toContain("flow resume Train/1");
    executed(project);

    mend(project);
    const resumed = await project.flow(["resume", "--tag", "late"]);
    expect(resumed).toMatchObject({ code: 0 });
    expect(executed(project)).toEqual(["end", "gather", "report", "work/3"]);
    expect(resumed.stderr).toContain("keeps      start, work (7 of 8)");
    expect(resumed.stdout).toContain("Train/1 succeeded");
    expect(await record(project, "Train/1")).toMatchObject({ tags: ["late"], execution: { number: 2 } });
    expect((await project.flow(["runs", "--json"])).lines.length).toBe(1);
  });

  test("the record of the resumed run, as events and as rows", async () => {
    const project = projectOf({ "train.ts": train(FAILS) });
    await project.here(FAILING);
    mend(project);
    const { lines } = await project.here(["resume", "Train/1", "--json"]);
    expect(lines[0]).toMatchObject({
      kind: "run.resumed",
      run: "Train/1",
      adopted: 8,
      execution: 2,
      kept: [
        { step: "start", tasks: 1, of: 1 },
        { step: "work", tasks: 7, of: 8 },
      ],
      again: [],
      changedParameters: [],
    });
    expect(lines.at(-1)).toMatchObject({ kind: "run.finished", record: { status: "succeeded" } });
    const rows = await tasksOf(project, lines.at(-1).record.id);
    expect(rows.filter((row) => taskOf(row) === "work/3").map(({ attempt, status }) => [attempt, status])).toEqual([
      [1, "failed"],
      [2, "succeeded"],
    ]);
  });

  test("fails again, and again goes on; an attempt is counted on", async () => {
    const project = projectOf({ "train.ts": train(FAILS) });
    await project.here(FAILING);
    for (let time = 2; time <= 3; time++) expect(await project.here(["resume"])).toMatchObject({ code: 1 });
    mend(project);
    expect(await project.here(["resume"])).toMatchObject({ code: 0 });
    const { id, execution } = await record(project, "Train/1");
    expect(execution.number).toBe(4);
    const attempts = (await tasksOf(project, id)).filter((row) => taskOf(row) === "work/3");
    expect(attempts.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
  });

  test("keeps how it was asked to run, and its retries begin anew", async () => {
    const project = projectOf({ "train.ts": train(FAILS) });
    await project.here([...FAILING, "--with", "retry=1"]);
    const resumed = await project.here(["resume", "--json"]);
    const retried = resumed.lines.filter(({ kind }) => kind === "task.retrying");
    expect(retried).toMatchObject([{ task: "Train/1/work/3", attempt: 3, nextAttempt: 4 }]);
  });
});

test("a run that was stopped by Ctrl-C goes on", async () => {
  const project = projectOf({
    "train.ts": train({
      work: 'if (item === 5 && !existsSync(new URL("mended.done", import.meta.url))) { console.log("held"); await new Promise((_, reject) => this.signal.addEventListener("abort", () => reject(new Error("stopped")))); }',
    }),
  });
  let isSent = false;
  const stopped = await project.flow(["run", "train.ts", "--max-workers", "2"], {
    onOutput: (output, kill) => {
      if (isSent || !output.includes("held")) return;
      isSent = true;
      kill("SIGINT");
    },
  });
  expect(stopped.code).toBe(130);
  expect(stopped.stdout).toContain("flow resume Train/1");
  mend(project);
  expect(await project.here(["resume"])).toMatchObject({ code: 0 });
  expect(await artifactsOf(project, "Train/1")).toEqual(await undisturbed());
});

test("of two resumes at once, one goes on and the other is told", async () => {
  const project = projectOf({
    "train.ts": train({
      ...FAILS,
      gather: 'if (existsSync(new URL("slow.done", import.meta.url))) await until("released");',
    }),
  });
  await project.flow(FAILING);
  mend(project);
  project.write({ "slow.done": "" });
  const both = [project.flow(["resume", "Train/1"]), project.flow(["resume", "Train/1"])];
  const refused = await Promise.race(both);
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toMatch(/FLOW_METADATA_RUN_ALIVE|FLOW_RESUME_RUNNING/);
  project.write({ "released.done": "" });
  const codes = (await Promise.all(both)).map(({ code }) => code);
  expect(codes.toSorted()).toEqual([0, 1]);
  expect(executed(project).filter((name) => name === "gather").length).toBe(1);
  expect(await record(project, "Train/1")).toMatchObject({ status: "succeeded", execution: { number: 2 } });
  const again = await project.flow(["resume", "Train/1"]);
  expect([again.code, again.stderr.includes("FLOW_RESUME_NOTHING_TO_DO")]).toEqual([2, true]);
});

describe("changed code", () => {
  test("makes a fork that keeps what is finished, and says which kept steps have other code now", async () => {
    const project = projectOf({ "train.ts": train(FAILS) });
    await project.flow([...FAILING, "--tag", "nightly"]);
    executed(project);
    project.write({ "train.ts": train().replace("Math.sin(n * item)", "Math.cos(n * item)") });
    const resumed = await project.flow(["resume"]);
    expect(resumed).toMatchObject({ code: 0 });
    expect(resumed.stderr).toContain("Train/2 goes on from Train/1");
    expect(resumed.stderr).toContain('The code of "work" changed; finished tasks are kept as the old code made them');
    expect(resumed.stderr).toContain("Run them again with --changed");
    expect(executed(project)).toEqual(["end", "gather", "report", "work/3"]);
    expect(await record(project, "Train/2")).toMatchObject({
      tags: ["nightly"],
      origin: { run: "Train/1", changedSteps: ["work"] },
    });
    expect((await record(project, "Train/1")).status).toBe("failed");
    const shown = (await project.flow(["show", "Train/2"])).stdout;
    expect(shown).toContain("fork of Train/1");
  });

  test("--changed runs just the changed steps again, and what depends on them", async () => {
    const project = projectOf({ "train.ts": train() });
    await project.here(WHOLE);
    executed(project);
    project.write({ "train.ts": train({ bonus: "return 100;" }) });
    const refused = await project.here(["resume", "Train/1"]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("--changed (gather)")]);
    const resumed = await project.here(["resume", "Train/1", "--changed"]);
    expect(resumed).toMatchObject({ code: 0 });
    expect(resumed.stderr).toContain("runs again gather (its code changed), report (after gather), end (after report)");
    expect(executed(project)).toEqual(["end", "gather", "report"]);
    const dumped = (await project.here(["dump", "Train/2", "total", "--json"])).lines[0].value;
    const before = (await project.here(["dump", "Train/1", "total", "--json"])).lines[0].value;
    expect(dumped - before).toBeCloseTo(99);
  });

  test("an edit that changes no code changes no step", async () => {
    const project = projectOf({ "train.ts": train(FAILS) });
    await project.here(FAILING);
    project.write({ "train.ts": `// A comment.\n${train(FAILS)}` });
    mend(project);
    const { lines } = await project.here(["resume", "--changed", "--json"]);
    expect(lines[0]).toMatchObject({ kind: "run.resumed", run: "Train/2", origin: "Train/1", again: [] });
    expect(lines.at(-1).record.origin.changedSteps ?? []).toEqual([]);
  });

  test("--same-code goes on as the same run with the code that it had", async () => {
    const project = projectOf({ "train.ts": train(FAILS) });
    await project.here(FAILING);
    project.write({ "train.ts": "this is no TypeScript (" });
    mend(project);
    expect(await project.here(["resume"])).toMatchObject({ code: 2 });
    const resumed = await project.here(["resume", "--same-code"]);
    expect(resumed).toMatchObject({ code: 0 });
    expect(resumed.stdout).toContain("Train/1 succeeded");
    expect(await artifactsOf(project, "Train/1")).toEqual(await undisturbed());
  });

  test("a new step in the middle runs, and what comes after it runs again", async () => {
    const project = projectOf({ "train.ts": train() });
    await project.here(WHOLE);
    executed(project);
    const text = train()
      .replace('@join({ next: "report" })', '@join({ next: "check" })')
      .replace(
        '@step({ next: "end" })',
        '@step({ next: "report" })\n  check() { ran("check"); this.total += 1; }\n  @step({ next: "end" })',
      );
    project.write({ "train.ts": text });
    const resumed = await project.here(["resume", "Train/1"]);
    expect(resumed.stderr).toContain("runs again check (it is new), report (it stands elsewhere in the graph)");
    expect(executed(project)).toEqual(["check", "end", "report"]);
  });
});

describe("the code that is not there any more", () => {
  test("a run goes on without its sources, as the same run", async () => {
    const project = projectOf({ "train.ts": train(FAILS) });
    await project.flow(FAILING);
    fs.rmSync(project.file("train.ts"));
    fs.rmSync(project.file("node_modules/.cache"), { recursive: true });
    mend(project);
    const resumed = await project.flow(["resume"]);
    expect(resumed).toMatchObject({ code: 0 });
    expect(resumed.stdout).toContain("Train/1 succeeded");
    expect(await artifactsOf(project, "Train/1")).toEqual(await undisturbed());
  });

  test("without the packages that it needs it is refused, and they are named", async () => {
    const project = projectOf({
      "train.ts": train({ ...FAILS, head: 'import { version } from "dep"; export const used = version;' }),
      "node_modules/dep/package.json": '{ "name": "dep", "version": "1.0.0", "main": "index.js" }',
      "node_modules/dep/index.js": 'exports.version = "1.0.0";',
    });
    await project.here(FAILING);
    fs.rmSync(project.file("train.ts"));
    fs.rmSync(project.file("node_modules/dep"), { recursive: true });
    const refused = await project.here(["resume"]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('"dep@1.0.0" is not installed');
    expect(refused.stderr).toContain("FLOW_PACKAGE_EXTERNAL_MISSING");
  });

  test("a run whose package is not in its store cannot go on", async () => {
    const project = projectOf({ "train.ts": train(FAILS) });
    await project.here(WHOLE);
    const database = openDatabase(project);
    database.exec("UPDATE run SET package_digest = NULL");
    database.close();
    const refused = await project.here(["resume"]);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("FLOW_RESUME_NO_PACKAGE")]);
  });
});

describe("parameters", () => {
  test("may change when no finished task read them", async () => {
    const project = projectOf({ "train.ts": train(FAILS) });
    await project.here([...FAILING, "--rate", "3"]);
    executed(project);
    mend(project);
    const resumed = await project.here(["resume", "--title", "other"]);
    expect(resumed).toMatchObject({ code: 0 });
    expect(executed(project)).toEqual(["end", "gather", "report", "work/3"]);
    expect(await record(project, "Train/2")).toMatchObject({
      parameters: { count: 8, rate: 3, title: "other" },
      origin: { run: "Train/1", changedParameters: ["title"] },
    });
    expect((await project.here(["dump", "Train/2", "text", "--json"])).lines[0].value).toMatch(/^other: /);
  });

  test("that finished tasks read are refused with the readers and the way out", async () => {
    const project = projectOf({ "train.ts": train(FAILS) });
    await project.here(FAILING);
    executed(project);
    mend(project);
    const refused = await project.here(["resume", "--rate", "5"]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('"rate" is not what it was, and finished tasks of "work" read it');
    expect(refused.stderr).toContain("--from work");
    expect(refused.stderr).toContain("FLOW_RESUME_VALUE_READ");
    expect((await project.here(["runs", "--json"])).lines.length).toBe(1);
    const resumed = await project.here(["resume", "--rate", "5", "--from", "work"]);
    expect(resumed).toMatchObject({ code: 0 });
    expect(executed(project).filter((name) => name.startsWith("work")).length).toBe(8);
    expect(await artifactsOf(project, "Train/2")).toEqual(await undisturbed(["--rate", "5"]));
  });

  test("are what the run recorded, whatever defaults, environment and files say now", async () => {
    const text = (fallback: number): string =>
      train(FAILS)
        .replace("default(2)", `default(${fallback})`)
        .replace(
          "items!:",
          'readonly conf = config(z.object({ add: z.number() }), { default: "conf.json" }); readonly note = includeFile({ encoding: "utf8", default: "note.txt" }); sum!: number;\n  items!:',
        )
        .replace('ran("gather");', 'ran("gather"); this.sum = this.conf.add + this.note.length;');
    const project = projectOf({ "train.ts": text(2), "conf.json": '{ "add": 1 }', "note.txt": "four" });
    await project.here(FAILING);
    mend(project);
    project.write({ "train.ts": text(7), "conf.json": '{ "add": 100 }' });
    fs.rmSync(project.file("note.txt"));
    const resumed = await project.flow(["resume"], { env: { MILLRACE_PARAM_TITLE: "elsewhere" } });
    expect(resumed).toMatchObject({ code: 0 });
    expect((await record(project, "Train/2")).parameters).toEqual({ count: 8, rate: 2, title: "plain" });
    expect((await project.here(["dump", "Train/2", "sum", "--json"])).lines[0].value).toBe(5);
    // A file that is given is read, and what read it before is named.
    project.write({ "note.txt": "longer" });
    const refused = await project.here(["resume", "Train/2", "--note", "note.txt"]);
    expect(refused.stderr).toContain('"note" is not what it was, and finished tasks of "gather" read it');
  });

  test("that are secret come from the environment again", async () => {
    const project = projectOf({
      "train.ts": train(FAILS)
        .replace("items!:", "readonly key = param(z.string(), { secret: true }); length!: number;\n  items!:")
        .replace('ran("gather");', 'ran("gather"); this.length = this.key.length;'),
    });
    const env = { MILLRACE_PARAM_KEY: "hush-hush" };
    await project.here(FAILING, { env });
    mend(project);
    const refused = await project.here(["resume"]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("MILLRACE_PARAM_KEY")]);
    expect(await project.here(["resume"], { env })).toMatchObject({ code: 0 });
    expect((await project.here(["dump", "Train/1", "length", "--json"])).lines[0].value).toBe(9);
    expect(project.storeHolds("hush-hush")).toBe(false);
  });
});

describe("a run that succeeded", () => {
  test("forks with --from; the fork is not the newest before it has succeeded, and has the same tags", async () => {
    const project = projectOf({ "train.ts": train(FAILS) });
    mend(project);
    await project.flow([...WHOLE, "--tag", "good"]);
    const client = await project.client();
    const origin = await client.runs("Train").latest();
    executed(project);
    fs.rmSync(project.file("mended.done"));
    const failed = await project.flow(["resume", "Train/1", "--from", "work"]);
    expect(failed).toMatchObject({ code: 1 });
    expect((await client.runs("Train").latest()).id).toBe(origin.id);
    expect((await client.runs("Train").latest({ tags: ["good"] })).id).toBe(origin.id);
    // `flow show Train` means the newest of any state, which is what one looks at after a failure.
    expect(JSON.parse((await project.flow(["show", "Train", "--json"])).stdout).run).toBe("Train/2");
    executed(project);

    mend(project);
    expect(await project.flow(["resume"])).toMatchObject({ code: 0 });
    expect(executed(project)).not.toContain("start");
    const newest = await client.runs("Train").latest({ tags: ["good"] });
    expect([newest.name, await record(project, "Train/2")]).toMatchObject([
      "Train/2",
      { tags: ["good"], origin: { run: "Train/1", fromStep: "work" }, execution: { number: 2 } },
    ]);
    expect(await artifactsOf(project, "Train/2")).toEqual(await artifactsOf(project, "Train/1"));
    // The run that it forked from had been the newest that stopped, had it failed: nothing is left to resume.
    expect((await project.flow(["resume"])).stderr).toContain("FLOW_RESUME_NO_RUN");
  });

  test("--from a step that is none names the nearest", async () => {
    const project = projectOf({ "train.ts": train() });
    await project.here(WHOLE);
    const refused = await project.here(["resume", "Train/1", "--from", "gahter"]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('Did you mean "gather"?')]);
    expect(refused.stderr).toContain("FLOW_RESUME_UNKNOWN_STEP");
  });

  test("what its failed forerunner left is not resumed by the way", async () => {
    const project = projectOf({ "train.ts": train(FAILS) });
    await project.here(FAILING);
    mend(project);
    await project.here(["resume", "--title", "other"]);
    expect((await project.here(["resume"])).stderr).toContain("FLOW_RESUME_NO_RUN");
    expect(await project.here(["resume", "Train/1"])).toMatchObject({ code: 0 });
  });
});

describe("upstreams", () => {
  const base = flowText(
    "Base",
    "readonly n = param(z.number().default(1)); value!: number; @step() start() { this.value = this.n; }",
  );
  const reader = flowText(
    "Reader",
    `readonly source = upstream("Base"); first!: number; second!: number;
    @step({ next: "fail" }) start() { this.first = (this.source as any).data.value; }
    @step({ next: "end" }) fail() { if (!existsSync(new URL("mended.done", import.meta.url))) throw new Error("not yet"); this.second = (this.source as any).data.value; }
    @step() end() {}`,
  );

  test("stay those of the run, in a fork too, whatever is the newest now", async () => {
    const project = projectOf({ "base.ts": base, "reader.ts": reader });
    await project.flow(["run", "base.ts"]);
    expect(await project.flow(["run", "reader.ts"])).toMatchObject({ code: 1 });
    await project.flow(["run", "base.ts", "--n", "2"]);
    mend(project);
    project.write({ "reader.ts": `${reader}// edited` });
    expect(await project.flow(["resume"])).toMatchObject({ code: 0 });
    const { upstreams } = await record(project, "Reader/2");
    expect(upstreams).toMatchObject([{ name: "source", run: "Base/1", selector: { kind: "newest" } }]);
    expect(
      (await project.flow(["dump", "Reader/2", "first", "second", "--json"])).lines.map(({ value }) => value),
    ).toEqual([1, 1]);
  });

  test("that are asked otherwise are refused while finished tasks have read from them", async () => {
    const project = projectOf({ "base.ts": base, "reader.ts": reader });
    await project.here(["run", "base.ts"]);
    await project.here(["run", "reader.ts"]);
    await project.here(["run", "base.ts", "--n", "2", "--tag", "b:v2"]);
    mend(project);
    const refused = await project.here(["resume", "--source-tag", "b:v2"]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('finished tasks of "start" read it')]);
    const forked = await project.here(["resume", "--source-tag", "b:v2", "--from", "start"]);
    expect(forked).toMatchObject({ code: 0 });
    expect(
      (await project.here(["dump", "Reader/2", "first", "second", "--json"])).lines.map(({ value }) => value),
    ).toEqual([2, 2]);
  });
});
