/** `run()` and `runs()` from a program: what goes in, what comes out, and several runs at the same time. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type RunEvent, resume, run, runs, verifyStore } from "@millrace/core";
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "./observe.ts";

const project = new Project({
  "adds.ts": flowText(
    "Adds",
    `
    readonly a = param(z.number().default(1)); readonly from = upstream("Base", { optional: true });
    sum!: number; parts!: number[]; part!: number;
    @step({ next: "work", foreach: "parts" }) start() { this.parts = Array.from({ length: 40 }, (_, n) => n); }
    @step({ next: "end" }) work(part: number) { this.part = part * this.a; }
    @join() end(inputs: Inputs<Adds>) { this.sum = inputs.reduce((sum, input) => sum + input.part, ((this.from as any)?.data.base as number) ?? 0); }`,
  ),
  "base.ts": flowText(
    "Base",
    `readonly n = param(z.number().default(1000)); base!: number; @step() start() { this.base = this.n; }`,
  ),
  "endless.ts": flowText(
    "Endless",
    `@step() async start() { done("begun"); await wait(60_000, undefined, { signal: this.signal }); }`,
  ),
  "fails.ts": flowText("Fails", `@step() start() { throw new RangeError("no luck"); }`),
  "limited.ts": flowText(
    "Limited",
    `
    items!: number[]; most!: number; highest!: number;
    @step({ next: "work", foreach: "items" }) start() { this.items = Array.from({ length: 12 }, (_, n) => n); }
    @step({ next: "end", maxParallel: 1 }) async work(item: number) {
      const running = new URL("running", import.meta.url);
      writeFileSync(running, "", { flag: "wx" });   // fails when another task is in here
      await wait(3);
      unlinkSync(running);
    }
    @join() end() {}`,
    `import { unlinkSync } from "node:fs";`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

test("parameters, tags and upstreams go in; the run, its values and its events come out", async () => {
  await project.run("base.ts", { tags: ["b:v1"] });
  const newer = await project.run("base.ts", { params: { n: 5000 } });
  const running = run<any>(project.file("adds.ts"), {
    params: { a: 2 },
    tags: ["x", "y"],
    upstreams: { from: { tags: ["b:v1"] } },
  });
  const kinds = new Map<string, number>();
  const watching = (async () => {
    for await (const event of running) kinds.set(event.kind, (kinds.get(event.kind) ?? 0) + 1);
  })();
  const id = await running.id;
  const finished = await running;
  await watching;
  expect(finished).toMatchObject({ id, flow: "shop/Adds", status: "succeeded", tags: ["x", "y"] });
  expect([await finished.data.sum, await finished.data.a]).toEqual([780 * 2 + 1000, 2]);
  expect([
    kinds.get("run.created"),
    kinds.get("run.finished"),
    kinds.get("task.started"),
    kinds.get("task.succeeded"),
  ]).toEqual([1, 1, 42, 42]);

  const found = await runs<any>("Adds").latest({ tags: ["y"], params: { a: 2 } });
  expect([found.id, await found.data.sum]).toEqual([id, 2560]);
  expect(await (await run<any>(project.file("adds.ts"), { upstreams: { from: newer.run as never } })).data.sum).toBe(
    780 + 5000,
  );
  expect(
    await (await run<any>(new URL(`file://${project.file("adds.ts")}`), { upstreams: { from: "Base/1" } })).data.sum,
  ).toBe(780 + 1000);
  const listed: string[] = [];
  for await (const each of runs("Adds").where({ status: "succeeded", limit: 2 })) listed.push(each.id);
  expect(listed).toHaveLength(2);
  await expect(runs("Adds").get(99)).rejects.toMatchObject({ code: expect.stringMatching(/^FLOW_/) });
});

test("wrong parameters are refused before anything is written", async () => {
  const before = (await project.here(["runs", "--json"])).lines.length;
  const refused = await project.run("adds.ts", { params: { a: "x", b: 1 } });
  expect(refused.error).toMatchObject({
    problems: [{ code: "FLOW_PARAMETER_UNKNOWN" }, { code: "FLOW_PARAMETER_INVALID" }],
  });
  await expect(run(project.file("nowhere.ts"))).rejects.toMatchObject({ code: "FLOW_PACKAGE_FILE_MISSING" });
  await expect(run(project.file("nowhere.ts")).id).rejects.toMatchObject({ code: "FLOW_PACKAGE_FILE_MISSING" });
  expect((await project.here(["runs", "--json"])).lines).toHaveLength(before);
});

test("a failed run rejects with FLOW_RUN_FAILED and the step's error as its cause", async () => {
  const { error, record } = await project.run("fails.ts");
  expect(error).toMatchObject({ code: "FLOW_RUN_FAILED", context: { run: "Fails/1", task: "Fails/1/start" } });
  expect((error as Error).cause).toMatchObject({ name: "RangeError", message: "no luck" });
  expect(((error as Error).cause as Error).stack).toMatch(/fails\.ts:\d+:\d+/);
  expect(record.status).toBe("failed");
});

test("a signal cancels the run: the step is told, awaiting it rejects", async () => {
  const controller = new AbortController();
  const running = run(project.file("endless.ts"), { signal: controller.signal });
  const events: RunEvent[] = [];
  const watching = (async () => {
    for await (const event of running) {
      events.push(event);
      if (event.kind === "task.started") controller.abort();
    }
  })();
  // Whoever only watches must learn of the end as well: the events end with the same error.
  const [awaited, watched] = await Promise.allSettled([running, watching]);
  for (const ended of [awaited, watched])
    expect(ended).toMatchObject({
      status: "rejected",
      reason: { code: "FLOW_RUN_CANCELLED", context: { run: "Endless/1" } },
    });
  expect(events.at(-1)).toMatchObject({
    kind: "run.finished",
    status: "cancelled",
    record: { tasks: { byStatus: { cancelled: 1 } } },
  });
  const aborted = await project.run("base.ts", { signal: AbortSignal.abort() });
  expect(aborted.error).toMatchObject({ code: "FLOW_RUN_CANCELLED" });
});

test("maxParallel: 1 lets one task of a step run at a time", async () => {
  const { error, record } = await project.run("limited.ts");
  expect([error, record.tasks]).toEqual([undefined, { total: 14, attempts: 14, byStatus: { succeeded: 14 } }]);
});

test("a plain program runs several flows at once, cancels one, and keeps its own signal handlers", async () => {
  project.write({
    "program.mjs": `
      import { existsSync } from "node:fs";
      import { run } from "@millrace/core";
      const handlers = () => ["SIGINT", "SIGTERM", "SIGHUP", "uncaughtException", "unhandledRejection", "exit"].map((name) => process.listenerCount(name));
      const before = handlers();
      const stop = new AbortController();
      const started = [
        run(new URL("adds.ts", import.meta.url), { params: { a: 9 } }),
        run("./two.ts"),
        run("./endless.ts", { signal: stop.signal }),
        run("./inside.ts"),
      ];
      const during = new Set();
      for (const running of started) running.catch(() => {});
      for await (const event of started[3]) during.add(JSON.stringify(handlers()));
      stop.abort("enough");
      const ended = await Promise.allSettled(started);
      const data = await Promise.all([ended[0].value.data.sum, ended[1].value.data.two, ended[3].value.data.base]);
      console.log(JSON.stringify({ before, during: [...during].map((text) => JSON.parse(text)), after: handlers(), cancelled: ended[2].reason.code, data }));
    `,
    "two.ts": flowText(
      "Two",
      `readonly n = param(z.number().default(2)); two!: number; @step() start() { this.two = this.n; }`,
    ),
    "inside.ts": flowText(
      "Inside",
      `base!: number; @step() async start() { this.base = await (await run<any>("./two.ts", { params: { n: 3 } })).data.two; }`,
      `import { run } from "@millrace/core";`,
    ),
  });
  const { stdout } = await promisify(execFile)(process.execPath, ["program.mjs"], {
    cwd: project.folder,
    timeout: 50_000, // Nothing is left that would keep the program alive.
  });
  const { before, during, after, cancelled, data } = JSON.parse(stdout);
  expect([cancelled, data[1], data[2]]).toEqual(["FLOW_RUN_CANCELLED", 2, 3]);
  expect(during.length).toBeGreaterThan(0);
  for (const counts of during) expect(counts.slice(0, 3)).toEqual(before.slice(0, 3));
  expect(after.slice(0, 5)).toEqual(before.slice(0, 5));
});

test("two runs in one process, and four processes on one store, do not disturb each other", async () => {
  const [one, two, ...processes] = await Promise.all([
    project.run("adds.ts", { params: { a: 3 } }),
    project.run("adds.ts", { params: { a: 4 } }),
    ...[5, 6, 7, 8].map((a) => project.here(["run", "adds.ts", "--a", String(a), "--json"])),
  ]);
  expect(await Promise.all([one, two].map((each) => (each.run as any).data.sum))).toEqual([
    780 * 3 + 5000,
    780 * 4 + 5000,
  ]);
  for (const [index, { code, stderr, lines }] of processes.entries()) {
    expect([code, stderr]).toEqual([0, ""]);
    expect(lines.at(-1)).toMatchObject({
      kind: "run.finished",
      status: "succeeded",
      record: { parameters: { a: index + 5 }, tasks: { total: 42 } },
    });
  }
  const listed = (await project.here(["runs", "Adds", "--json"])).lines;
  expect(new Set(listed.map((line) => line.run)).size).toBe(listed.length);
  const numbers = listed.map((line) => Number(line.run.split("/")[1]));
  expect(numbers).toEqual(numbers.map((_, index) => numbers.length - index));
  const sums = await Promise.all(
    listed.slice(0, 6).map(async (line) => (await runs<any>("Adds").get(line.run)).data.sum),
  );
  expect(sums.toSorted((a, b) => a - b)).toEqual([3, 4, 5, 6, 7, 8].map((a) => 780 * a + 5000));
  const validated = await project.here(["validate", "--json"]);
  expect([validated.code, validated.lines[0].ok]).toEqual([0, true]);
});

test("what is misspelt or of another kind is refused: no run begins, no tag moves, and no other run is the answer", async () => {
  const { run: based } = await project.run("base.ts", { tags: ["held"] });
  await project.run("base.ts");
  const list = runs("Base") as any;
  const at = async (): Promise<readonly string[]> => {
    const names: string[] = [];
    for await (const one of runs("Base")) names.push(`${one.name} ${one.tags.join()}`);
    return names;
  };
  const before = await at();
  const base = project.file("base.ts");
  const [start, goOn, check] = [run as any, resume as any, verifyStore as any];
  const first = async (query: unknown): Promise<string> => {
    for await (const one of list.where(query)) return one.name;
    return "none";
  };
  const wrong: Readonly<Record<string, readonly [() => PromiseLike<unknown>, string, string]>> = {
    "run({ tag })": [() => start(base, { tag: "x" }), "FLOW_CLIENT_BAD_OPTION", 'no option "tag"'],
    "run({ tags: text })": [() => start(base, { tags: "x" }), "FLOW_CLIENT_BAD_OPTION", '"tags" is "x"'],
    "run(null)": [() => start(base, null), "FLOW_CLIENT_BAD_OPTION", "they are null"],
    "run of nothing": [() => start(undefined), "FLOW_FLOW_NO_SOURCE", "Cannot run undefined"],
    "resume({ form })": [() => goOn(based!.name, { form: "start" }), "FLOW_CLIENT_BAD_OPTION", 'no option "form"'],
    "resume of a number": [() => goOn(5), "FLOW_CLIENT_BAD_SELECTOR", "Cannot resume 5"],
    "latest({ tag })": [() => list.latest({ tag: "held" }), "FLOW_CLIENT_BAD_QUERY", 'no option "tag"'],
    "where({ tag })": [() => first({ tag: "held" }), "FLOW_CLIENT_BAD_QUERY", 'no option "tag"'],
    "where({ tags: text })": [() => first({ tags: "held" }), "FLOW_CLIENT_BAD_QUERY", '"tags" is "held"'],
    "where({ sort: { } })": [() => first({ sort: {} }), "FLOW_CLIENT_BAD_QUERY", "by one thing"],
    "where({ sort: both })": [
      () => first({ sort: { metric: "a", param: "n" } }),
      "FLOW_CLIENT_BAD_QUERY",
      "by one thing",
    ],
    "runs of nothing": [() => (runs as any)(5).latest(), "FLOW_CLIENT_BAD_SELECTOR", "5 is no flow"],
    "rollback({ too })": [() => list.rollback("held", { too: 1 }), "FLOW_CLIENT_BAD_OPTION", 'no option "too"'],
    "tagHistory({ At })": [() => list.tagHistory("held", { At: 1 }), "FLOW_CLIENT_BAD_OPTION", 'no option "At"'],
    "addTags(text)": [() => (based as any).addTags("ab"), "FLOW_CLIENT_BAD_OPTION", '"tags" is "ab"'],
    "promote({ expects })": [
      () => (based as any).promote("prod", { expects: "none" }),
      "FLOW_CLIENT_BAD_OPTION",
      'no option "expects"',
    ],
    "lineage({ way })": [() => (based as any).lineage({ way: "down" }), "FLOW_CLIENT_BAD_OPTION", 'no option "way"'],
    "lineage sideways": [() => (based as any).lineage({ direction: "side" }), "FLOW_CLIENT_BAD_QUERY", "direction"],
    "verifyStore({ readdata })": [() => check({ readdata: true }), "FLOW_CLIENT_BAD_OPTION", 'no option "readdata"'],
  };
  for (const [name, [call, code, says]] of Object.entries(wrong)) {
    const refusal = await Promise.resolve()
      .then(call)
      .then(
        (answer) => ({ answered: answer }),
        (error: unknown) => error,
      );
    expect([name, refusal]).toEqual([name, expect.objectContaining({ code, message: expect.stringContaining(says) })]);
  }
  expect(await at()).toEqual(before);
});
