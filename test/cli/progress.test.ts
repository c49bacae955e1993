import { expect, test } from "vitest";
import { createProgress, freshLine, type Progress } from "../../packages/cli/src/render/progress.ts";
import { createStepBoard, summary } from "../../packages/cli/src/render/step-board.ts";
import type { RunEvent, StepProgress } from "../../packages/core/src/events/run-event.ts";
import { formatDuration } from "../../packages/core/src/util/duration.ts";
import { memoryOutput, screenOf } from "./kit.ts";

const T0 = new Date(2026, 10, 21, 14, 2, 14).getTime();

const NO_TASKS = {
  total: 0,
  running: 0,
  waiting: 0,
  succeeded: 0,
  failed: 0,
  caught: 0,
  skipped: 0,
  cancelled: 0,
  adopted: 0,
  cached: 0,
};

function stage(terminal?: { columns: number; rows: number }) {
  let clock = T0;
  const output = memoryOutput(terminal);
  const progress: Progress = createProgress({ output, now: () => clock, formatDuration });
  const at = (): Date => new Date(clock);
  const where = (step: string, path = "") => ({
    task: `Train/17/${step}${path === "" ? "" : `/${path}`}`,
    step,
    path,
    attempt: 1,
  });
  const apply = (event: RunEvent): void => progress.apply(event);
  return {
    output,
    progress,
    wait(ms: number) {
      clock += ms;
      progress.tick();
    },
    created: () =>
      apply({
        kind: "run.created",
        at: at(),
        run: "Train/17",
        runId: "x",
        flow: "Train",
        tags: ["prod:v1"],
        store: "/s",
        storeIsNew: false,
      }),
    counts: (...steps: (Partial<StepProgress> & { step: string })[]) =>
      apply({
        kind: "run.progress",
        at: at(),
        steps: steps.map((step) => ({ ...NO_TASKS, ...step })),
      }),
    started: (step: string, path?: string) => apply({ kind: "task.started", at: at(), ...where(step, path) }),
    done: (step: string, path?: string) =>
      apply({ kind: "task.succeeded", at: at(), ...where(step, path), durationMs: 300 }),
    failed: (step: string, path?: string) =>
      apply({
        kind: "task.failed",
        at: at(),
        ...where(step, path),
        durationMs: 300,
        error: { code: "FLOW_STEP_FAILED", name: "Error", message: "no such file\nmore" },
      }),
    tell: (
      event: { readonly kind: RunEvent["kind"] } & Readonly<Record<string, unknown>>,
      step = "fold",
      path = "1.3",
    ) => apply({ at: at(), ...where(step, path), ...event } as unknown as RunEvent),
    said: (step: string, text: string, path?: string, stream: "stdout" | "stderr" = "stdout") =>
      apply({ kind: "task.output", at: at(), ...where(step, path), stream, text }),
  };
}

test("plain lines tell a small run task by task", () => {
  const s = stage();
  s.created();
  s.counts({ step: "start", total: 1 }, { step: "fold" });
  s.started("start");
  s.done("start");
  s.started("fold", "1.2");
  s.said("fold", "loaded 3 rows\nhalf", "1.2");
  s.done("fold", "1.2");
  s.started("fold", "1.3");
  s.failed("fold", "1.3");
  s.progress.end();
  expect(s.output.text()).toBe(
    [
      "14:02:14  Train/17  started  prod:v1",
      "14:02:14  Train/17/start  done  300 ms",
      "Train/17/fold/1.2 │ loaded 3 rows",
      "Train/17/fold/1.2 │ half",
      "14:02:14  Train/17/fold/1.2  done  300 ms",
      "14:02:14  Train/17/fold/1.3  failed  no such file",
      "",
    ].join("\n"),
  );
});

test("plain lines tell a wide foreach by counts, once a second, and its end", () => {
  const s = stage();
  s.created();
  s.counts({ step: "evaluate", total: 5000 });
  for (let index = 0; index < 5000; index++) {
    s.started("evaluate", String(index));
    s.done("evaluate", String(index));
    if (index % 10 === 0) s.wait(10); // 5 seconds in all
  }
  s.progress.end();
  const lines = s.output.text().trimEnd().split("\n").slice(1);
  expect(lines.length).toBeGreaterThanOrEqual(5);
  expect(lines.length).toBeLessThanOrEqual(8);
  expect(lines.every((line) => line.includes("Train/17/evaluate  "))).toBe(true);
  expect(lines.at(-1)).toBe("14:02:19  Train/17/evaluate  5000 of 5000 done  5.0 s");
});

test("plain lines tell the first failures of a wide foreach, not all", () => {
  const s = stage();
  s.created();
  s.counts({ step: "evaluate", total: 1000 });
  for (let index = 0; index < 1000; index++) s.failed("evaluate", String(index));
  s.progress.end();
  expect(s.output.text().match(/no such file/g)).toHaveLength(20);
  expect(s.output.text()).toContain("1000 failed");
});

test("the live block shows a line per step and the running time", () => {
  const s = stage({ columns: 80, rows: 24 });
  s.created();
  s.counts(
    { step: "start", total: 1, succeeded: 1 },
    { step: "evaluate", total: 100, running: 2, succeeded: 49, failed: 1 },
    { step: "pickBest" },
  );
  s.wait(4100);
  expect(screenOf(s.output.text())).toEqual([
    "Train/17  4.1 s",
    "  ✓ start     0 ms",
    "  ✗ evaluate  ██████░░░░░░  50/100  2 running  1 failed  4.1 s",
    "  · pickBest",
    "",
  ]);
});

test("the live block is redrawn at most ten times a second and replaces itself", () => {
  const s = stage({ columns: 80, rows: 24 });
  s.created();
  s.counts({ step: "evaluate", total: 1000 });
  for (let index = 0; index < 1000; index++) {
    s.started("evaluate", String(index));
    s.said("evaluate", `line ${index}\n`, String(index));
    s.done("evaluate", String(index));
    s.wait(1);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it counts redraws.
  expect(s.output.text().match(/\x1b\[0J/g)!.length).toBeLessThanOrEqual(11);
  s.progress.end();
  const screen = screenOf(s.output.text());
  expect(screen.filter((line) => line.startsWith("Train/17  "))).toHaveLength(1);
  expect(screen.filter((line) => / │ line \d+$/.test(line))).toHaveLength(1000);
  expect(screen.at(-2)).toContain("1000/1000");
});

test("the live block never grows over the screen or wraps, and keeps steps at work in view", () => {
  const s = stage({ columns: 30, rows: 10 });
  s.created();
  const steps = Array.from({ length: 40 }, (_, index) => ({
    step: `aStepWithALongName${index}`,
    total: index < 39 ? 1 : 50,
    succeeded: index < 20 ? 1 : 0,
    running: index === 39 ? 3 : 0,
  }));
  s.counts(...steps);
  s.wait(200);
  const screen = screenOf(s.output.text()).slice(0, -1);
  expect(screen.length).toBeLessThan(10);
  for (const line of screen) expect(line.length).toBeLessThan(30);
  expect(screen.some((line) => line.includes("aStepWithALongName39"))).toBe(true);
  expect(screen.at(-1)).toMatch(/… 33 more steps/);
});

test("a task cannot move the cursor of the block", () => {
  const s = stage({ columns: 80, rows: 24 });
  s.created();
  s.output.take();
  s.said("start", "\x1b[5A\x1b[0Jgone?\n");
  s.wait(200);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for the task's own sequence.
  expect(s.output.take()).not.toMatch(/\x1b\[5A/);
  expect(screenOf(s.output.text())).toContain("Train/17/start │ gone?");
});

test("a line after Ctrl-C begins where the terminal echoed ^C", () => {
  const s = stage({ columns: 80, rows: 24 });
  s.created();
  s.started("start");
  s.wait(200);
  s.output.write("^C");
  s.progress.note("Stopping the run …");
  s.wait(200);
  const [first, second] = screenOf(s.output.text());
  expect([first, second]).toEqual(["Stopping the run …", "Train/17  400 ms"]);
  expect(screenOf(s.output.text()).join("\n")).not.toContain("^C");
  expect(screenOf(`^C${freshLine(s.output)}Stopping`)).toEqual(["Stopping"]);
  expect(freshLine(stage().output)).toBe("");
});

test("when the run is over, a step that never ran is shown as that", () => {
  const s = stage({ columns: 80, rows: 24 });
  s.created();
  s.counts(
    { step: "start", total: 1, succeeded: 1 },
    { step: "left", total: 1, cancelled: 1 },
    { step: "right", total: 1 },
    { step: "fold", total: 5, succeeded: 2 },
    { step: "end" },
  );
  s.wait(200);
  expect(screenOf(s.output.text()).slice(3, 6)).toEqual([
    "  ● right",
    "  ● fold   ████░░░░░░░░  2/5  200 ms",
    "  · end  ",
  ]);
  s.progress.end();
  expect(screenOf(s.output.text()).slice(1, 6)).toEqual([
    expect.stringMatching(/^ {2}✓ start /),
    expect.stringMatching(/^ {2}■ left {3}1 cancelled/),
    "  · right  not run",
    expect.stringMatching(/^ {2}■ fold /),
    "  · end    not run",
  ]);
});

const LUCK = { code: "FLOW_STEP_FAILED", name: "Error", message: "no luck\nmore" };

test("plain lines say what is tried again, caught, skipped or lost, and in the next step what goes on", () => {
  const s = stage();
  s.created();
  s.counts({ step: "fold", total: 4, running: 1 });
  s.tell({ kind: "task.retrying", nextAttempt: 2, attempts: 4, delayMs: 2_000, error: LUCK });
  s.tell({ kind: "task.retrying", attempt: 2, nextAttempt: 3, delayMs: 0, error: LUCK });
  s.tell({ kind: "task.caught", attempt: 4, durationMs: 10, field: "failure", error: LUCK });
  s.tell({ kind: "task.skipped", durationMs: 1, reason: "nothing new \x1b[2J" }, "fold", "1.4");
  s.tell({ kind: "task.lost" }, "fold", "1.5");
  s.progress.end();
  expect(s.output.text().trimEnd().split("\n").slice(1)).toEqual([
    "14:02:14  Train/17/fold/1.3  failed  no luck",
    "14:02:14  Train/17/fold/1.3  retry  attempt 2 of 4 in 2.0 s",
    "14:02:14  Train/17/fold/1.3  failed  no luck",
    "14:02:14  Train/17/fold/1.3  retry  attempt 3 now",
    "14:02:14  Train/17/fold/1.3  caught  no luck (in this.failure)",
    "14:02:14  Train/17/fold/1.4  skipped  nothing new ",
    "14:02:14  Train/17/fold/1.5  lost  what ran it ended without a result",
  ]);
});

test("plain lines count what was cancelled because of one failure, and name what was cancelled alone", () => {
  const s = stage();
  s.created();
  s.failed("fold", "1.2");
  for (let index = 0; index < 7; index++)
    s.tell({ kind: "task.cancelled", reason: "Train/17/fold/1.2 failed" }, "fold", `2.${index}`);
  s.tell({ kind: "task.cancelled", reason: "Ctrl-C" }, "tidy", "");
  s.progress.end();
  expect(s.output.text().trimEnd().split("\n").slice(1)).toEqual([
    "14:02:14  Train/17/fold/1.2  failed  no such file",
    "14:02:14  Train/17  cancelled  7 tasks: Train/17/fold/1.2 failed",
    "14:02:14  Train/17/tidy  cancelled  Ctrl-C",
  ]);
});

test("plain lines and the block say that a run goes on, with what was taken over", () => {
  for (const s of [stage(), stage({ columns: 80, rows: 24 })]) {
    s.tell({ kind: "run.resumed", run: "Train/17", runId: "x", adopted: 4, execution: 2 });
    s.counts({ step: "fold", total: 5, succeeded: 4, adopted: 4, running: 1 });
    s.wait(200);
    const shown = screenOf(s.output.text()).join("\n");
    expect(shown).toMatch(/Train\/17 {1,2}goes on:? +4 finished tasks taken over/);
    if (s.output.isTerminal) expect(shown).toMatch(/fold .* 4\/5 {2}1 running {2}4 taken over/);
  }
});

test("the live block shows what waits for its next attempt, and what ended otherwise", () => {
  const s = stage({ columns: 100, rows: 24 });
  s.created();
  s.counts({ step: "fold", total: 5, running: 2 });
  s.started("fold", "1.3");
  s.tell({ kind: "task.retrying", nextAttempt: 2, attempts: 4, delayMs: 2_000, error: LUCK });
  s.tell({ kind: "task.caught", durationMs: 10, field: "failure", error: LUCK }, "fold", "1.4");
  s.wait(200);
  const lines = screenOf(s.output.text());
  expect(lines).toContain("✗ Train/17/fold/1.3 failed: no luck");
  expect(lines).toContain("↻ Train/17/fold/1.3 retry: attempt 2 of 4 in 2.0 s");
  expect(lines).toContainEqual(expect.stringMatching(/fold .* 1\/5 {2}1 running {2}1 waiting to retry {2}1 caught/));
  s.tell({ kind: "task.started", attempt: 2 });
  s.tell({ kind: "task.succeeded", attempt: 2, durationMs: 5 });
  s.wait(200);
  expect(screenOf(s.output.text()).join("\n")).not.toContain("waiting");
});

test("the live block holds the lines that tasks are still writing, at most four, in place", () => {
  const s = stage({ columns: 60, rows: 24 });
  s.created();
  s.counts({ step: "fold", total: 9, running: 9 });
  for (let index = 0; index < 9; index++) s.said("fold", `task ${index} 10 %`, String(index));
  s.wait(100);
  s.said("fold", "\rtask 0 90 %", "0");
  s.wait(100);
  const open = () => screenOf(s.output.text()).filter((line) => line.includes("%"));
  expect(open()).toEqual(
    [6, 7, 8].map((index) => `  Train/17/fold/${index} │ task ${index} 10 %`).concat("  Train/17/fold/0 │ task 0 90 %"),
  );
  s.said("fold", `\r${"wide ".repeat(100)}`, "0");
  s.wait(100);
  for (const line of screenOf(s.output.text())) expect(line.length).toBeLessThan(60);
  for (let index = 0; index < 9; index++) s.done("fold", String(index));
  s.progress.end();
  expect(open()).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((index) => `Train/17/fold/${index} │ task ${index} 10 %`));
});

test("a terminal that was made narrower is cleared of what it wrapped", () => {
  const size = { columns: 80, rows: 24 };
  const s = stage(size);
  s.created();
  s.counts({ step: "a_step_with_a_long_name", total: 100, running: 50 });
  s.wait(200);
  size.columns = 20;
  s.output.take();
  s.wait(200);
  // biome-ignore-start lint/suspicious/noControlCharactersInRegex: it reads what is written to a terminal.
  // Head and step were one row each; the step's 60 columns are now three rows and more.
  const [, rows] = /\x1b\[(\d+)A/.exec(s.output.take())!;
  // biome-ignore-end lint/suspicious/noControlCharactersInRegex: as above.
  expect(Number(rows)).toBeGreaterThan(3);
});

test("output of two tasks never shares a line", () => {
  const s = stage();
  s.said("fold", "a1 ", "1");
  s.said("fold", "b1\n", "2");
  s.said("fold", "a2\r\n", "1");
  s.said("fold", "open", "3");
  s.progress.end();
  expect(s.output.text().trimEnd().split("\n")).toEqual([
    "Train/17/fold/2 │ b1",
    "Train/17/fold/1 │ a1 a2",
    "Train/17/fold/3 │ open",
  ]);
});

test("the summary counts what was done, failed and not started", () => {
  const board = createStepBoard();
  const at = new Date(T0);
  board.apply({
    kind: "run.progress",
    at,
    steps: [
      { ...NO_TASKS, step: "start", total: 1, succeeded: 1, failed: 0 },
      { ...NO_TASKS, step: "train", total: 5, succeeded: 3, failed: 1 },
      { ...NO_TASKS, step: "end", total: 0, succeeded: 0, failed: 0 },
    ],
  });
  expect(summary(board, { hasSucceeded: false, hasCause: true })).toBe("4 tasks done, 1 failed, 2 not started");
  expect(summary(createStepBoard(), { hasSucceeded: true, hasCause: false })).toBe("0 tasks done");
});
