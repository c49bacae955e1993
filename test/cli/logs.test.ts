/** `flow logs` with the real command on stores that were written as a runner writes them. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunRow, TaskSequence } from "../../packages/core/src/metadata/metadata-store.ts";
import { type CallOptions, flow, screenOf } from "./kit.ts";
import { LogStore, noLuck } from "./log-store.ts";
import { flowOnTerminal, terminalTest } from "./terminal.ts";

let store: LogStore;
let run: RunRow;
beforeEach(async () => {
  store = await LogStore.create();
  run = await store.run();
});
afterEach(() => store[Symbol.asyncDispose]());

const logs = (words: readonly string[], options: CallOptions = {}) =>
  flow(["logs", ...words], { cwd: store.folder, ...options });

/** Three attempts of fold/1, with another task between them. */
async function writeAttempts(): Promise<readonly TaskSequence[]> {
  const attempts: TaskSequence[] = [];
  for (const attempt of [1, 2, 3]) {
    const task = await store.begin(run, "fold", "1", attempt);
    attempts.push(task);
    await store.write({ task, attempt, text: `try ${attempt}\n` });
    if (attempt === 1) await store.write({ task: await store.begin(run, "fold", "2"), text: "other\n" });
    await store.end(task, attempt < 3 ? "failed" : "succeeded", attempt < 3 ? { error: noLuck } : {});
  }
  await store.finish(run, "failed");
  return attempts;
}

describe("attempts", () => {
  test("of one task come in order, each marked", async () => {
    await writeAttempts();
    const { stdout, stderr, code } = await logs(["Train/1/fold/1"]);
    expect([stdout, stderr, code]).toEqual([
      "── attempt 1 ──\ntry 1\n── attempt 2 ──\ntry 2\n── attempt 3 ──\ntry 3\n",
      "",
      0,
    ]);
  });

  test("of several tasks come with their task, and carry their number", async () => {
    await writeAttempts();
    expect((await logs(["Train/1"])).stdout).toBe(
      "Train/1/fold/1 │ try 1\nTrain/1/fold/1#2 │ try 2\nTrain/1/fold/1#3 │ try 3\nTrain/1/fold/2 │ other\n",
    );
  });

  test("are chosen by number or as the last", async () => {
    await writeAttempts();
    expect((await logs(["Train/1/fold/1", "--attempt", "2"])).stdout).toBe("try 2\n");
    expect((await logs(["Train/1/fold/1", "--attempt", "last"])).stdout).toBe("try 3\n");
    expect((await logs(["Train/1", "--attempt", "last"])).stdout).toBe(
      "Train/1/fold/2 │ other\nTrain/1/fold/1#3 │ try 3\n",
    );
    const json = (await logs(["Train/1/fold/1", "--attempt=last", "--json"])).stdout;
    expect(JSON.parse(json)).toMatchObject({ task: "Train/1/fold/1", attempt: 3, stream: "stdout", text: "try 3\n" });
  });

  test("that are not there are refused with those that are", async () => {
    await writeAttempts();
    const none = await logs(["Train/1/fold/1", "--attempt", "4"]);
    expect([none.code, none.stdout]).toEqual([1, ""]);
    expect(none.stderr).toContain("Cannot find attempt 4 of Train/1/fold/1");
    expect(none.stderr).toContain("Name one from 1 to 3, or last");
    const bad = await logs(["Train/1/fold/1", "--attempt", "0"]);
    expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining("must be a whole number from 1, or last")]);
  });
});

test("a task that was taken over from another run shows what it wrote there", async () => {
  const task = await store.begin(run, "start");
  await store.write({ task, text: "in the first run\n" });
  await store.end(task, "succeeded");
  await store.finish(run, "failed");
  await store.fork(run);
  expect((await logs(["Train/2/start"])).stdout).toBe("in the first run\n");
});

describe("pieces and lines", () => {
  test("a line in pieces is one line, and tasks that write at once keep theirs apart", async () => {
    const [a, b] = [await store.begin(run, "fold", "1"), await store.begin(run, "fold", "2")];
    await store.write({ task: a, text: "half " }, { task: b, text: "b1\nb2 " });
    await store.write({ task: a, text: "whole\n", stream: "stderr" }, { task: a, text: "and whole\n" });
    await store.write({ task: b, text: "ends open" });
    const expected =
      "Train/1/fold/1 │ whole\nTrain/1/fold/1 │ half and whole\nTrain/1/fold/2 │ b1\nTrain/1/fold/2 │ b2 ends open\n";
    expect((await logs(["Train/1"])).stdout).toBe(expected);
    expect((await logs(["Train/1/fold/1", "--stderr"])).stdout).toBe("whole\n");
    expect((await logs(["Train/1/fold/2"])).stdout).toBe("b1\nb2 ends open");
  });

  test("--timestamps says of each line when it began, in UTC", async () => {
    const task = await store.begin(run, "start");
    await store.write(
      { task, text: "one\ntwo", at: new Date("2026-05-04T12:00:00.001Z") },
      { task, text: " ends\n", at: new Date("2026-05-04T12:00:07.000Z") },
      { task, text: "three\n", at: new Date("2026-05-04T12:00:08.000Z") },
    );
    expect((await logs(["Train/1/start", "--timestamps"], { env: { TZ: "Asia/Tokyo" } })).stdout).toBe(
      "2026-05-04T12:00:00.001Z one\n2026-05-04T12:00:00.001Z two ends\n2026-05-04T12:00:08.000Z three\n",
    );
    expect((await logs(["Train/1", "-t"])).stdout.split("\n")[2]).toBe(
      "2026-05-04T12:00:08.000Z Train/1/start │ three",
    );
  });

  test("a file gets progress bars and escapes as they were written", async () => {
    const task = await store.begin(run, "start");
    const text = "10 %\r50 %\r\u001b[31m100 %\u001b[0m\u001b]8;;http://x\u0007link\u001b]8;;\u0007\r\nend";
    await store.write({ task, text });
    expect((await logs(["Train/1/start"])).stdout).toBe(text);
    const lines = text.split("\n").map((line) => `Train/1/start │ ${line}\n`);
    expect((await logs(["Train/1"])).stdout).toBe(lines.join(""));
  });

  test("--raw gives the bytes of all tasks and attempts, and goes with nothing else", async () => {
    await writeAttempts();
    expect((await logs(["Train/1", "--raw"])).stdout).toBe("try 1\ntry 2\ntry 3\nother\n");
    expect(await logs(["Train/1", "--raw", "--json"])).toMatchObject({ code: 2 });
    expect(await logs(["Train/1", "--raw", "-t"])).toMatchObject({ code: 2 });
  });

  test("150 MB are printed in 48 MB of memory", async () => {
    const task = await store.begin(run, "start");
    const text = `${"x".repeat(32_767)}\n`;
    for (let tick = 0; tick < 50; tick++) await store.write(...Array.from({ length: 96 }, () => ({ task, text })));
    let characters = 0;
    const { code } = await logs(["Train/1/start"], {
      node: ["--max-old-space-size=48"],
      onChunk: (chunk) => {
        characters += chunk.length;
      },
    });
    expect([code, characters]).toEqual([0, 50 * 96 * text.length]);
  }, 60_000);
});

describe("--follow", () => {
  test("shows what there is, then what comes, until the run is over", async () => {
    const first = await store.begin(run, "start");
    const other = await store.begin(await store.run("Other"), "start");
    await store.write({ task: first, text: "before\n" }, { task: other, text: "not mine\n" });
    const steps: (() => Promise<void>)[] = [
      async () => {
        await store.write({ task: other, text: "not mine either\n" });
        await store.write({ task: await store.begin(run, "fold", "0"), text: "live " });
        await store.write({ task: first, text: "between\n" });
      },
      async () => {
        const again = await store.begin(run, "fold", "0", 2);
        await store.write({ task: again, attempt: 2, text: "again\n" });
      },
      async () => {
        await store.end(first, "succeeded");
        await store.write({ task: first, text: "last words" });
        await store.finish(run, "failed");
      },
    ];
    const seen = ["before", "between", "again"];
    let doing: Promise<void> = Promise.resolve();
    const result = await logs(["Train/1", "--follow"], {
      onOutput: (text) => {
        while (seen[0] !== undefined && text.includes(seen[0])) {
          seen.shift();
          const step = steps.shift()!;
          doing = doing.then(step);
        }
      },
    });
    await doing;
    expect(result.stdout.split("\n")).toEqual([
      "Train/1/start │ before",
      "Train/1/start │ between",
      "Train/1/fold/0#2 │ again",
      "Train/1/fold/0 │ live ",
      "Train/1/start │ last words",
      "",
    ]);
    expect(result.stderr).toMatch(/✗ Train\/1 failed after .*\n {2}flow show Train\/1 {5}flow resume Train\/1\n$/);
    expect(result.code).toBe(0);
  });

  test("of a run that is over ends at once, with all that was written", async () => {
    await writeAttempts();
    const { stdout, stderr } = await logs(["Train/1/fold/1", "-f"]);
    expect(stdout.match(/try \d/g)).toEqual(["try 1", "try 2", "try 3"]);
    expect(stderr).toContain("Train/1 failed");
    expect((await logs(["Train/1/flod", "-f"])).stderr).toContain('Did you mean "fold"?');
  });

  test("waits for a step that has not begun", async () => {
    let doing: Promise<void> | undefined;
    const { stdout, stderr } = await logs(["Train/1/late", "--follow"], {
      onOutput: () => {
        doing ??= (async () => {
          await store.write({ task: await store.begin(run, "late"), text: "here\n" });
          await store.finish(run, "cancelled");
        })();
      },
    });
    await doing;
    expect(stdout).toBe("Train/1/late │ here\n");
    expect(stderr).toMatch(/^Waiting for output …\n■ Train\/1 cancelled/);
  });

  test("ends, and says so, when what ran the run is gone", async () => {
    const lost = await store.run("Train", { host: "elsewhere", pid: 7 });
    await store.write({ task: await store.begin(lost, "start"), text: "last words" });
    const { stdout, stderr, code } = await logs(["Train/2", "--follow"]);
    expect([stdout, code]).toEqual(["Train/2/start │ last words\n", 0]);
    expect(stderr).toBe("✗ Train/2 lost: what ran it is gone\n  flow show Train/2     flow resume Train/2\n");
  });

  test("ends when its reader has gone", async () => {
    const task = await store.begin(run, "start");
    await store.write({ task, text: "one\n" });
    let isOver = false;
    let writing: Promise<void> | undefined;
    const writeOn = async () => {
      while (!isOver) {
        await store.write({ task, text: "nobody reads this\n" });
        await new Promise((resolve) => setImmediate(resolve)); // a write gives up no turn
      }
    };
    const { code } = await logs(["Train/1/start", "--follow"], {
      onOutput: (_, act) => {
        act.closeOutput();
        writing ??= writeOn();
      },
    });
    isOver = true;
    await writing;
    expect(code).toBe(0);
  });
});

describe("on a terminal", () => {
  const EVIL =
    "\u001b[31mred\u001b[0m\u001b[2J\u001b]52;c;ZXZpbA==\u0007\u001b]8;;http://evil\u001b\\link\u001b]8;;\u001b\\\u009b5A\u202eabc\n";
  const onTerminal = (words: readonly string[], more: object = {}) =>
    flowOnTerminal(["logs", ...words], { cwd: store.folder, ...more });

  terminalTest("a task's escapes are made harmless, its colours stay, and bars show their last state", async () => {
    const task = await store.begin(run, "start");
    await store.write({ task, text: EVIL.slice(0, 13) }, { task, text: `${EVIL.slice(13)}10 %\r50 %\r` });
    await store.write({ task, text: "100 %\r\n" });
    for (const words of [["Train/1/start"], ["Train/1"]]) {
      const { text, isRestored } = await onTerminal(words);
      expect(isRestored).toBe(true);
      expect(text).toContain("\u001b[31mred\u001b[0m");
      // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for what a task wrote.
      expect(text.replaceAll(/\u001b\[\d*m/g, "")).not.toMatch(/[\u001b\u009b\u202e]|evil/);
      expect(screenOf(text.replaceAll("\r\n", "\n")).filter((line) => line.includes("%"))).toEqual([
        words[0] === "Train/1" ? "Train/1/start │ 100 %" : "100 %",
      ]);
    }
    expect((await onTerminal(["Train/1/start", "--raw"])).text).toContain(EVIL.trimEnd());
    expect((await onTerminal(["Train/1/start"], { env: { NO_COLOR: "1" } })).text).not.toContain("\u001b[31m");
  });

  terminalTest("a line that is still being written is shown as it stands", async () => {
    const task = await store.begin(run, "start");
    await store.write({ task, text: "loading\n10 %" });
    const steps = [
      { seen: "10 %", write: () => store.write({ task, text: "\r60 %" }) },
      {
        seen: "60 %",
        write: () => store.write({ task, text: "\r100 %\n" }).then(() => store.finish(run, "cancelled")),
      },
    ];
    let doing: Promise<void> = Promise.resolve();
    const { text } = await onTerminal(["Train/1/start", "--follow"], {
      onOutput: (all: string) => {
        if (steps[0] !== undefined && all.includes(steps[0].seen)) doing = doing.then(steps.shift()!.write);
      },
    });
    await doing;
    expect(screenOf(text.replaceAll("\r\n", "\n")).slice(0, 3)).toEqual([
      "loading",
      "100 %",
      expect.stringContaining("Train/1 cancelled"),
    ]);
  });
});
