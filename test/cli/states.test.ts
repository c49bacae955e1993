/** How runs, tasks and attempts are shown that did not simply succeed: real runs of the real command. */
import { afterAll, describe, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "../scenarios/observe.ts";

const project = new Project({
  "flaky.ts": flowText(
    "Flaky",
    `
    items!: number[];
    failure?: TaskFailure;
    @step({ next: "work", foreach: "items" }) start() { this.items = [0, 1, 2]; }
    @step({ next: "gather", retry: { times: 2, delay: "1ms" }, catch: "failure" })
    work(item: number) {
      console.log("try " + current.attempt);
      if (item === 1 && current.attempt < 3) throw new RangeError("busy");
      if (item === 2) throw new Error("broken\\nfor good");
    }
    @join({ next: "end" }) gather(inputs: Inputs<Flaky>) {}
    @step() end() {}`,
    `import type { TaskFailure } from "@millrace/core";`,
  ),
  "collateral.ts": flowText(
    "Collateral",
    `
    items!: number[];
    @step({ next: "work", foreach: "items" }) start() { this.items = [0, 1, 2, 3]; }
    @step({ next: "gather" })
    async work(item: number) {
      done("begun-" + item);
      if (item > 0) await wait(60_000, undefined, { signal: this.signal });
      for (const other of [1, 2, 3]) await until("begun-" + other);
      throw new Error("the cause");
    }
    @join({ next: "end" }) gather(inputs: Inputs<Collateral>) {}
    @step() end() {}`,
  ),
  "siblings.ts": flowText(
    "Siblings",
    `
    @step({ next: ["bad", "good"] }) start() {}
    @step({ next: "meet" }) bad() { throw new Error("one branch fails"); }
    @step({ next: "better" }) async good() { await wait(50); }
    @step({ next: "meet" }) better() { done("better"); }
    @join({ next: "end" }) meet() {}
    @step() end() {}`,
  ),
  "once.ts": flowText(
    "Once",
    `@step({ next: "end" }) start() { if (current.attempt < 3) throw new Error("not yet"); } @step() end() {}`,
  ),
  "loop.ts": flowText(
    "Loop",
    `
    rounds = 0; way!: "again" | "out"; count!: number;
    @step({ next: "turn" }) start() { this.count = 0; }
    @choose({ on: "way", next: { again: "turn", out: "end" } }) turn() { this.count++; this.way = "again"; }
    @step() end() {}`,
  ),
  "hangs.ts": flowText(
    "Hangs",
    `
    @step({ next: "stays" }) start() {}
    @step({ next: "end" }) async stays() { for (let n = 0; ; n++) { console.log("still here " + n); await wait(20); } }
    @step() end() {}`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

describe("attempts", () => {
  test("are said in plain lines, listed by flow show and counted for the run", async () => {
    const run = await project.flow(["run", "flaky.ts"]);
    expect(run.code).toBe(0);
    expect(run.stderr).toMatch(/ Flaky\/1\/work\/1 {2}failed {2}busy\n/);
    expect(run.stderr).toMatch(/ Flaky\/1\/work\/1 {2}retry {2}attempt 3 of 3 (in|now)/);
    expect(run.stderr).toMatch(/ Flaky\/1\/work\/2 {2}caught {2}broken \(in this\.failure\)\n/);
    expect(run.stdout).toMatch(/^✓ Flaky\/1 succeeded after .*: 5 tasks done, 1 caught\n/);

    const table = (await project.flow(["show", "Flaky/1/work"])).stdout;
    expect(table).toMatch(/✓ Flaky\/1\/work\/0 {2}succeeded {2}/);
    expect(table).toMatch(/✓ Flaky\/1\/work\/1 {2}succeeded +3 /);
    expect(table).toMatch(/■ Flaky\/1\/work\/2 {2}caught +3 .* broken\n/);
    const one = (await project.flow(["show", "Flaky/1/work/1"])).stdout;
    expect(one).toMatch(/Attempts\n.*\n✗ 1 +failed .* busy\n✗ 2 +failed .* busy\n✓ 3 +succeeded /);
    const caught = (await project.flow(["show", "Flaky/1/work/2"])).stdout;
    expect(caught).toContain("✗ Flaky/1/work/2 failed and was caught: broken");
    expect((await project.flow(["show", "Flaky/1"])).stdout).toMatch(/work +3 +7 +1 caught, 2 succeeded/);
  });

  test("are the same in JSON as in the records", async () => {
    const [json] = (await project.flow(["show", "Flaky/1/work/1", "--json"])).lines;
    expect(json).toMatchObject({ task: "Flaky/1/work/1", status: "succeeded", attempt: 3 });
    expect(json.attempts.map((each: any) => [each.attempt, each.status, each.error?.message])).toEqual([
      [1, "failed", "busy"],
      [2, "failed", "busy"],
      [3, "succeeded", undefined],
    ]);
    const events = (await project.flow(["run", "flaky.ts", "--json"])).lines;
    const of = (kind: string) => events.filter((event) => event.kind === kind);
    expect(of("task.retrying")).toHaveLength(4);
    expect(of("task.retrying")[0]).toMatchObject({ nextAttempt: 2, attempts: 3, delayMs: expect.any(Number) });
    expect(of("task.caught")).toMatchObject([{ task: "Flaky/2/work/2", attempt: 3, field: "failure" }]);
    expect(
      of("run.progress")
        .at(-1)
        .steps.find((each: any) => each.step === "work"),
    ).toMatchObject({
      total: 3,
      succeeded: 2,
      caught: 1,
      failed: 0,
      waiting: 0,
    });
  });

  test("come from --with where a step says nothing, and bad words are refused", async () => {
    expect((await project.flow(["run", "once.ts"])).code).toBe(1);
    const run = await project.flow(["run", "once.ts", "--with", "retry:times=2,delay=1ms", "--with", "timeout=1m"]);
    expect([run.code, run.stderr]).toEqual([0, expect.stringContaining("retry  attempt 3 of 3")]);
    expect((await project.flow(["logs", "Flaky/1/work/1"])).stdout).toBe(
      "── attempt 1 ──\ntry 1\n── attempt 2 ──\ntry 2\n── attempt 3 ──\ntry 3\n",
    );
    const bad = await project.flow(["run", "once.ts", "--with", "retyr=3"]);
    expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining('Did you mean "retry"?')]);
    const loop = await project.flow(["run", "loop.ts", "--max-rounds", "3"]);
    expect([loop.code, loop.stderr]).toEqual([1, expect.stringContaining("after 3 rounds")]);
  });
});

describe("one failure", () => {
  test("is the cause, and what was cancelled because of it is counted", async () => {
    const run = await project.flow(["run", "collateral.ts", "--max-workers", "4"]);
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(/ Collateral\/1 {2}cancelled {2}3 tasks: Collateral\/1\/work\/0 failed\n/);
    expect(run.stderr.match(/✗ .* failed: /g)).toEqual(["✗ Collateral/1/work/0 failed: "]);
    expect(run.stdout).toMatch(/: 1 task done, 1 failed, 3 cancelled because of it, 2 not started\n/);
    expect(run.stdout).toContain(
      "flow logs Collateral/1/work/0     flow resume Collateral/1     flow show Collateral/1",
    );
    const shown = (await project.flow(["show", "Collateral/1"])).stdout;
    expect(shown).toContain("  3 tasks cancelled because of it\n");
    expect(shown).toContain("flow resume Collateral/1");
    expect((await project.flow(["show", "Collateral/1/work"])).stdout).toMatch(
      /■ Collateral\/1\/work\/3 {2}cancelled .*Collateral\/1\/work\/0 failed/,
    );
    expect((await project.flow(["runs", "Collateral"])).stderr).toContain("flow resume Collateral/1");
  });

  test("lets the others end with --finish-siblings", async () => {
    const run = await project.flow(["run", "siblings.ts", "--finish-siblings"]);
    expect([run.code, run.stdout]).toEqual([1, expect.stringMatching(/: 3 tasks done, 1 failed, 2 not started\n/)]);
  });
});

describe("a run whose runner was killed", () => {
  test("is shown as lost by every command, at once, with what to do next", async () => {
    const run = await project.flow(["run", "hangs.ts"], {
      onOutput: (text, kill) => {
        if (text.includes("still here 30")) kill("SIGKILL"); // what came first has been committed by then
      },
    });
    expect(run.signal).toBe("SIGKILL");
    const runs = await project.flow(["runs", "Hangs"]);
    expect(runs.stdout).toMatch(/✗ Hangs\/1 {2}lost /);
    expect(runs.stderr).toContain("flow resume Hangs/1");
    expect((await project.flow(["runs", "--status", "lost", "--json"])).lines).toMatchObject([
      { run: "Hangs/1", status: "lost" },
    ]);
    const shown = (await project.flow(["show", "Hangs/1"])).stdout;
    expect(shown).toMatch(/✗ Hangs\/1 lost\n/);
    expect(shown).toMatch(/process \d+ on .* is gone, last seen /);
    expect(shown).toMatch(/stays +1 +lost/);
    expect(shown).toContain("flow logs Hangs/1     flow resume Hangs/1");
    const logs = await project.flow(["logs", "Hangs/1", "--follow"]);
    expect([logs.stdout, logs.stderr]).toEqual([
      expect.stringMatching(/^Hangs\/1\/stays │ still here 0\nHangs\/1\/stays │ still here 1\n/),
      expect.stringContaining("Hangs/1 lost: what ran it is gone"),
    ]);
  });
});
