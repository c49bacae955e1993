/** What a step may ask for besides its transitions: retry, timeout, catch, environment, secrets, decorators and hooks. */
import fs from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { Project, type Watched } from "../kit/project.ts";
import { flowText, observe, taskOf, tasksOf } from "./observe.ts";

const project = new Project({
  "retry.ts": flowText(
    "Retry",
    `
    readonly times = param(z.coerce.number().int().default(2));
    list!: number[];
    attempts!: number;
    drawn!: number;
    @step({ next: "work" }) start() { this.list = [1]; }
    @step({ next: "end", retry: { times: 2, delay: "1ms" } })
    work() {
      this.list.push(2);
      this.drawn = current.random();
      this.attempts = current.attempt;
      console.log("attempt " + current.attempt);
      if (current.attempt < 3) throw new Error("not yet");
    }
    @step({ next: "last", retry: (flow) => flow.times }) end() {}
    @step() last() {}`,
  ),
  "condition.ts": flowText(
    "Condition",
    `@step({ next: "end", retry: { times: 5, delay: "1ms", when: (failure) => failure.message !== "broken" } })
     start() { throw new Error(current.attempt === 1 ? "busy" : "broken"); }
     @step() end() {}`,
  ),
  "bad-condition.ts": flowText(
    "BadCondition",
    `@step({ next: "end", retry: { times: 5, when: () => { throw new Error("my condition"); } } })
     start() { throw new Error("broken"); }
     @step() end() {}`,
  ),
  "timeout.ts": flowText(
    "Timeout",
    `
    readonly how = param(z.enum(["waits", "obeys", "loops", "returns"]));
    @step({ next: "end", timeout: "150ms" })
    async start() {
      console.log("began");
      if (this.how === "waits") await wait(60_000);
      if (this.how === "obeys") await wait(60_000, undefined, { signal: this.signal });
      if (this.how === "returns") await new Promise((resolve) => this.signal.addEventListener("abort", resolve));
      if (this.how === "loops") for (;;);
    }
    @step() end() {}`,
  ),
  "caught.ts": flowText(
    "Caught",
    `
    items!: number[];
    failure?: TaskFailure;
    failures!: (string | undefined)[];
    kept!: string;
    half!: string;
    @step({ next: "work", foreach: "items" }) start() { this.items = [0, 1, 2, 3]; this.kept = "from before"; }
    @step({ next: "gather", catch: "failure", retry: { times: 1, delay: "1ms" } })
    work(item: number) {
      this.half = "lost with the failure";
      if (item === 1) throw new TypeError("one is wrong");
      if (item === 2) process.exit(0);
    }
    @join({ next: "end" })
    gather(inputs: Inputs<Caught>) {
      this.failures = inputs.map((input) => input.failure && input.failure.code + " after " + input.failure.attempts);
      this.kept = inputs[1]!.kept + ", " + String(inputs[1]!.half);
    }
    @step() end() {}`,
  ),
  "caught-split.ts": flowText(
    "CaughtSplit",
    `
    readonly given = param(z.stringbool().default(false));
    items!: number[];
    verdict!: "a" | "b";
    failure?: TaskFailure;
    count!: number;
    way!: string;
    @step({ next: "fan" }) start() { if (this.given) { this.items = [7, 8]; this.verdict = "b"; } }
    @step({ next: "work", foreach: "items", catch: "failure" }) fan() { this.items = [1, 2, 3]; throw new Error("no split"); }
    @step({ next: "gather" }) work(item: number) {}
    @join({ next: "pick" }) gather(inputs: Inputs<CaughtSplit>) {
      this.count = inputs.length;
      if (this.given) this.verdict = inputs.before.verdict;
    }
    @choose({ on: "verdict", next: { a: "a", b: "b" }, catch: "failure" }) pick() { this.verdict = "a"; throw new Error("no choice"); }
    @step({ next: "end" }) a() { this.way = "a"; }
    @step({ next: "end" }) b() { this.way = "b"; }
    @step() end() {}`,
  ),
  "siblings.ts": flowText(
    "Siblings",
    `
    readonly holds = param(z.stringbool().default(false));
    @step({ next: ["bad", "good"] }) start() {}
    @step({ next: "meet" }) async bad() { await until("good"); throw new Error("one branch fails"); }
    @step({ next: "better" }) async good() {
      done("good");
      if (this.holds) await wait(60_000, undefined, { signal: this.signal });
    }
    @step({ next: "meet" }) better() {}
    @join({ next: "end" }) meet() {}
    @step() end() {}`,
  ),
  "secrets.ts": flowText(
    "Secrets",
    `
    seen!: unknown;
    @step({ next: "end", environment: { GREETING: "hello" }, secrets: { TOKEN: { env: "PROD_TOKEN" }, KEY: { file: "key.txt" } } })
    start() {
      this.seen = [process.env.GREETING, process.env.TOKEN!.length, process.env.KEY!.length];
      console.log("the token is " + process.env.TOKEN);
      process.stdout.write("split " + process.env.KEY!.slice(0, 5));
      process.stdout.write(process.env.KEY!.slice(5) + "\\n");
      if (process.env.FAIL) throw new Error("with " + process.env.TOKEN);
    }
    @step() end() { console.log("outside: " + process.env.GREETING); }`,
  ),
  "around.ts": flowText(
    "Around",
    `
    said!: string[];
    @step({ next: "work" }) start() { this.said = []; }
    @saying @step({ next: "not" }) work() { this.said.push("step"); }
    @unless @step({ next: "end" }) not() { this.said.push("never"); }
    @step() end() {}`,
    `import { around } from "@millrace/core";
     const saying = around<Around>(async (task, proceed) => {
       task.flow.said.push("before " + task.step);
       await proceed();
       task.flow.said.push("after");
     });
     const unless = around((task) => task.skip("there is nothing to do"));`,
  ),
  "hooks.ts": flowText(
    "Hooks",
    `
    static override readonly onSuccess = async (run: Run<Hooks>) => {
      if (await run.data.fails === "hook") throw new Error("my hook");
      writeFileSync(new URL("success.txt", import.meta.url), run.name + " " + run.status + " " + (await run.data.answer));
    };
    static override readonly onError = (run: Run<Hooks>) =>
      writeFileSync(new URL("error.txt", import.meta.url), run.name + " " + run.status);
    readonly fails = param(z.enum(["no", "step", "hook"]).default("no"));
    answer!: number;
    @step() start() { this.answer = 42; if (this.fails === "step") throw new Error("no"); }`,
    `import type { Run } from "@millrace/core";`,
  ),
  // A task that looks at nothing: its worker, and all others, are ended before the run is over.
  "late-hook.ts": flowText(
    "LateHook",
    `
    static override readonly onError = (run: Run<LateHook>) =>
      writeFileSync(new URL("late.txt", import.meta.url), run.name + " " + run.status);
    items = [0, 1];
    @step({ next: "work", foreach: "items" }) start() {}
    @step({ next: "gather" }) async work(item: number) {
      if (item === 0) { await new Promise((resolve) => setTimeout(resolve, 500)); throw new Error("no"); }
      for (;;) {}
    }
    @join({ next: "end" }) gather() {} @step() end() {}`,
    `import type { Run } from "@millrace/core";`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

async function attemptsOf(watched: Watched): Promise<readonly string[]> {
  const rows = await tasksOf(project, watched.record.id);
  return rows.map((row) => `${taskOf(row)}#${row.attempt} ${row.status}`).sort();
}

const kinds = (watched: Watched, kind: string) => watched.events.filter((event) => event.kind === kind);

describe("retry", () => {
  test("begins anew from clean inputs, with the same random numbers, and keeps every attempt", async () => {
    const watched = await project.run("retry.ts");
    const { values } = await observe(project, watched);
    expect(values).toMatchObject({ list: [1, 2], attempts: 3 });
    expect(await attemptsOf(watched)).toEqual([
      "end#1 succeeded",
      "last#1 succeeded",
      "start#1 succeeded",
      "work#1 failed",
      "work#2 failed",
      "work#3 succeeded",
    ]);
    expect(kinds(watched, "task.retrying")).toMatchObject([
      { attempt: 1, nextAttempt: 2, attempts: 3, error: { message: "not yet" } },
      { attempt: 2, nextAttempt: 3, attempts: 3 },
    ]);
    expect(kinds(watched, "task.output").map((event) => "text" in event && event.text)).toEqual([
      "attempt 1\n",
      "attempt 2\n",
      "attempt 3\n",
    ]);
    expect(watched.record.tasks.total).toBe(4);
  });

  test("a condition says which failures are worth it", async () => {
    const watched = await project.run("condition.ts");
    expect(watched.record.failure.error.message).toBe("broken");
    expect(await attemptsOf(watched)).toEqual(["start#1 failed", "start#2 failed"]);
  });

  test("a condition that throws is said, and the failure stands", async () => {
    const watched = await project.run("bad-condition.ts");
    expect(watched.record.failure.error.message).toBe("broken");
    expect(kinds(watched, "run.warning")).toMatchObject([{ code: "FLOW_RUNNER_RETRY_CONDITION" }]);
  });

  test("a function of the parameters that gives no number refuses the run", async () => {
    const watched = await project.run("retry.ts", { params: { times: -1 } });
    expect(watched.error).toMatchObject({ code: "FLOW_DEFINITION_BAD_LATE_RETRY" });
  });
});

describe("timeout", () => {
  test.each(["waits", "obeys", "loops", "returns"])("a step that %s is ended in time, and by name", async (how) => {
    const begin = performance.now();
    const watched = await project.run("timeout.ts", { params: { how } });
    expect(watched.record).toMatchObject({
      status: "failed",
      failure: { task: expect.stringMatching(/start$/), error: { code: "FLOW_RUNNER_TIMEOUT" } },
    });
    expect(watched.record.failure.error.message).toBe('Step "start" took longer than its timeout of 150 ms');
    expect(performance.now() - begin).toBeLessThan(10_000);
    expect(kinds(watched, "task.output")).toMatchObject([{ text: "began\n" }]);
  });
});

describe("catch", () => {
  test("puts the failure into its field, whatever ended the attempts", async () => {
    const watched = await project.run("caught.ts");
    const { values } = await observe(project, watched);
    expect(values).toMatchObject({
      failures: [undefined, "FLOW_STEP_FAILED after 2", "FLOW_RUNNER_WORKER_ENDED after 2", undefined],
      kept: "from before, undefined",
    });
    expect(await attemptsOf(watched)).toEqual([
      "end#1 succeeded",
      "gather#1 succeeded",
      "start#1 succeeded",
      "work/0#1 succeeded",
      "work/1#1 failed",
      "work/1#2 caught",
      "work/2#1 failed",
      "work/2#2 caught",
      "work/3#1 succeeded",
    ]);
    expect(kinds(watched, "task.caught")).toHaveLength(2);
    expect(watched.record).toMatchObject({ status: "succeeded", tasks: { byStatus: { caught: 2, succeeded: 5 } } });
  });

  test("on a split and a choice goes on with what was set before", async () => {
    const watched = await project.run("caught-split.ts", { params: { given: true } });
    expect((await observe(project, watched)).values).toMatchObject({ count: 2, way: "b" });
  });

  test("a split without items has none; a choice without a value fails and says what to do", async () => {
    const watched = await project.run("caught-split.ts");
    expect(watched.record.failure).toMatchObject({
      task: expect.stringMatching(/pick$/),
      error: { code: "FLOW_RUNNER_NO_CASE", hint: expect.stringContaining("in a step before it") },
    });
    const rows = await tasksOf(project, watched.record.id);
    expect(rows.find(({ step }) => step === "fan")).toMatchObject({ status: "caught", fanOut: 0 });
  });
});

describe("siblings of a failure", () => {
  test("are left alone when they shall finish", async () => {
    const result = await project.here(["run", "siblings.ts", "--finish-siblings", "--json"]);
    expect(result.code).toBe(1);
    const record = result.lines.at(-1).record;
    expect(record).toMatchObject({ status: "failed", tasks: { byStatus: { failed: 1, succeeded: 3 } } });
  });

  test("are cancelled otherwise, and say because of whom", async () => {
    const watched = await project.run("siblings.ts", { params: { holds: true } });
    const rows = await tasksOf(project, watched.record.id);
    const good = rows.find(({ step }) => step === "good")!;
    expect([good.status, good.cancelledBy]).toEqual(["cancelled", `${watched.record.run}/bad failed`]);
  });
});

describe("--with", () => {
  test("gives a behaviour to all steps that lack it", async () => {
    const result = await project.here(["run", "siblings.ts", "--with", "retry:times=1,delay=1ms", "--json"]);
    expect(result.lines.filter((line) => line.kind === "task.retrying")).toMatchObject([{ step: "bad", attempts: 2 }]);
  });

  test("says all that is wrong with it, before anything is written", async () => {
    const result = await project.here(["run", "siblings.ts", "--with", "retyr=1", "--with", "timeout=soon"]);
    expect(result.code).toBe(2);
    expect(result.stderr).toContain('Did you mean "retry"?');
    expect(result.stderr).toContain('"timeout" is "soon" instead of a duration');
  });
});

describe("environment and secrets", () => {
  const environment = { PROD_TOKEN: "tok-1234567890", FAIL: "" };

  test("a step sees them, nobody else does, and no secret is kept or shown", async () => {
    project.write({ "key.txt": "key-0987654321\n" });
    const result = await project.here(["run", "secrets.ts", "--json"], { env: environment });
    expect(result.code).toBe(0);
    const out = result.lines.filter((line) => line.kind === "task.output").map((line) => line.text);
    expect(out.join("")).toBe("the token is ***\nsplit ***\noutside: undefined\n");
    for (const secret of ["tok-1234567890", "key-0987654321"]) {
      expect(result.stdout + result.stderr).not.toContain(secret);
      expect(project.storeHolds(secret)).toBe(false);
    }
    const { values } = await observe(project, { record: result.lines.at(-1).record } as Watched);
    expect(values.seen).toEqual(["hello", 14, 14]);
  });

  test("an error that names a secret is masked", async () => {
    const result = await project.flow(["run", "secrets.ts", "--json"], { env: { ...environment, FAIL: "1" } });
    expect(result.lines.at(-1).record.failure.error.message).toBe("with ***");
    expect(result.stdout + result.stderr).not.toContain("tok-1234567890");
  });

  test("one that is missing refuses the run, and names all that are", async () => {
    fs.rmSync(project.file("key.txt"), { force: true });
    const result = await project.here(["run", "secrets.ts"]);
    expect(result.code).toBe(2);
    expect(result.stderr).toContain("FLOW_RUNNER_NO_SECRET");
    expect(result.stderr).toContain("the environment variable PROD_TOKEN is not set");
    expect(result.stderr).toContain("key.txt");
  });
});

describe("decorators and hooks of users", () => {
  test("run around a step, and may skip it", async () => {
    const watched = await project.run("around.ts");
    expect((await observe(project, watched)).values.said).toEqual(["before work", "step", "after"]);
    expect(await attemptsOf(watched)).toContain("not#1 skipped");
    expect(kinds(watched, "task.skipped")).toMatchObject([{ step: "not", reason: "there is nothing to do" }]);
  });

  test("are called with the finished run", async () => {
    const succeeded = await project.run("hooks.ts");
    expect(fs.readFileSync(project.file("success.txt"), "utf8")).toBe(`${succeeded.record.run} succeeded 42`);
    const failed = await project.run("hooks.ts", { params: { fails: "step" } });
    expect(fs.readFileSync(project.file("error.txt"), "utf8")).toBe(`${failed.record.run} failed`);
  });

  test("the hook of a failure is called although a task had to be ended with its worker", {
    timeout: 60_000,
  }, async () => {
    const { record } = await project.run("late-hook.ts");
    expect([record.status, fs.readFileSync(project.file("late.txt"), "utf8")]).toEqual(["failed", "LateHook/1 failed"]);
  });

  test("one that throws is a warning", async () => {
    const watched = await project.run("hooks.ts", { params: { fails: "hook" } });
    expect(watched.record.status).toBe("succeeded");
    expect(kinds(watched, "run.warning")).toMatchObject([
      { code: "FLOW_RUNNER_HOOK_FAILED", message: expect.stringContaining("my hook") },
    ]);
  });
});
