/** `flow run` as a person sees it: on a terminal, with the keys of one. */
import { afterAll, describe, expect } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "../scenarios/observe.ts";
import { screenOf } from "./kit.ts";
import { CTRL_C, flowOnTerminal, type TerminalOptions, terminalTest } from "./terminal.ts";

const project = new Project({
  "bar.ts": flowText(
    "Bar",
    `
    failure?: TaskFailure;
    @step({ next: "flaky" }) async start() {
      process.stdout.write("10 %\\r");
      await until("ten");
      process.stdout.write("\\x1b[2J60 %");
      await until("sixty");
      process.stdout.write("\\r100 %\\n");
    }
    @step({ next: "end", catch: "failure", retry: { times: 1, delay: "300ms", jitter: 0 } })
    flaky() { throw new Error(current.attempt === 1 ? "busy" : "broken \\x1b[2J"); }
    @step() end() {}`,
    `import type { TaskFailure } from "@millrace/core";`,
  ),
  "waits.ts": flowText(
    "Waits",
    `
    readonly how = param(z.enum(["obeys", "ignores", "loops"]));
    @step({ next: "end" }) async start() {
      console.log("it waits");
      if (this.how === "obeys") await wait(60_000, undefined, { signal: this.signal });
      if (this.how === "ignores") await wait(60_000);
      for (;;);
    }
    @step() end() {}`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

const onTerminal = (words: readonly string[], more: Partial<TerminalOptions> = {}) =>
  flowOnTerminal(words, { cwd: project.folder, ...more });
/** What stands on the screen, without colours. */
const screen = (text: string): readonly string[] =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it reads what is written to a terminal.
  screenOf(text.replaceAll("\r\n", "\n").replaceAll(/\x1b\[[\d;]*m/g, ""));

describe("a run on a terminal", () => {
  terminalTest("shows a progress bar as it stands, then retry and what was caught", async () => {
    const done = (name: string) => project.write({ [`${name}.done`]: "" });
    let last = 0;
    const { code, text, isRestored } = await onTerminal(["run", "bar.ts"], {
      columns: 100,
      onOutput: (all) => {
        if (last === 0 && screen(all).includes("  Bar/1/start │ 10 %")) last = 10;
        if (last === 10) done("ten");
        if (screen(all).includes("  Bar/1/start │ 60 %")) done("sixty");
      },
    });
    expect([code, isRestored]).toEqual([0, true]);
    const lines = screen(text);
    expect(lines.filter((line) => line.includes("%"))).toEqual(["Bar/1/start │ 100 %"]);
    expect(lines).toContain("✗ Bar/1/flaky failed: busy");
    expect(lines).toContainEqual(expect.stringMatching(/^↻ Bar\/1\/flaky retry: attempt 2 of 2 in \d+ ms$/));
    expect(text).toMatch(/1 waiting to retry/);
    expect(lines).toContain("■ Bar/1/flaky caught: broken  (in this.failure)");
    expect(lines.at(-3)).toMatch(/^✓ Bar\/1 succeeded after .*: 2 tasks done, 1 caught$/);
    expect(text).not.toContain("\x1b[2J");
  });

  terminalTest("fits a narrow terminal, and has no colours where none are wanted", async () => {
    const { code, text } = await onTerminal(["run", "bar.ts"], { columns: 34, rows: 8, env: { NO_COLOR: "1" } });
    expect(code).toBe(0);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for colours.
    expect(text).not.toMatch(/\x1b\[\d+m/);
    const block = text.split("\x1b[0J").flatMap((frame) => frame.split("\r\n").filter((line) => line.startsWith("  ")));
    expect(block.length).toBeGreaterThan(3);
    for (const line of block.filter((each) => !each.includes("flow "))) expect(line.length).toBeLessThan(34);
  });

  terminalTest("Ctrl-C cancels it: the terminal is as before, the exit code is 130", async () => {
    let isPressed = false;
    const { code, text, isRestored } = await onTerminal(["run", "waits.ts", "--how", "obeys"], {
      onOutput: (all, { type }) => {
        if (isPressed || !all.includes("it waits")) return;
        isPressed = true;
        type(CTRL_C);
      },
    });
    expect([code, isRestored]).toEqual([130, true]);
    expect(text).toContain("Stopping the run … Ctrl-C again stops at once");
    expect(text).toMatch(/Waits\/\d+\S* \S*cancelled/);
    expectCursor(text);
  });

  terminalTest.each(["ignores", "loops"])("Ctrl-C twice ends a step that %s it, and the run says so", async (how) => {
    let pressed = 0;
    const { code, text, isRestored } = await onTerminal(["run", "waits.ts", "--how", how], {
      onOutput: (all, { type }) => {
        if ((pressed === 0 && all.includes("it waits")) || (pressed === 1 && all.includes("Ctrl-C again"))) {
          pressed++;
          type(CTRL_C);
        }
      },
    });
    expect([code, isRestored, pressed]).toEqual([130, true, 2]);
    expectCursor(text);
    const [newest] = (await project.flow(["runs", "Waits", "--json"])).lines;
    expect(newest).toMatchObject({ status: "cancelled" });
    const start = (await project.flow(["show", `${newest.run}/start`, "--json"])).lines[0];
    expect(start).toMatchObject({ status: "cancelled", cancelledBy: "Ctrl-C" });
  });

  terminalTest("SIGTERM cancels it too: exit code 143, the terminal is as before", async () => {
    let isSent = false;
    const { code, text, isRestored } = await onTerminal(["run", "waits.ts", "--how", "obeys"], {
      onOutput: (all, { kill }) => {
        if (isSent || !all.includes("it waits")) return;
        isSent = true;
        kill("SIGTERM");
      },
    });
    expect([code, isRestored]).toEqual([143, true]);
    expectCursor(text);
  });
});

/** The cursor is there at the end: it was never hidden, or it was shown again. */
function expectCursor(text: string): void {
  expect(text.lastIndexOf("\x1b[?25h")).toBeGreaterThanOrEqual(text.lastIndexOf("\x1b[?25l"));
}
