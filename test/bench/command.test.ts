/** The command of the benchmarks and the measure behind it: what a figure says is only as good as how it was made. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "../kit/repository.ts";

const { runTrial, NotOffered } = await import(path.join(ROOT, "bench/kit/trial.mjs"));
const { atMost } = await import(path.join(ROOT, "bench/kit/goal.mjs"));

let folder: string;

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-bench-test-"));
});

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function bench(...words: readonly string[]) {
  return spawnSync(process.execPath, [path.join(ROOT, "bench/main.mjs"), ...words], { cwd: folder, encoding: "utf8" });
}

describe("npm run bench", () => {
  test("names every topic in its help", () => {
    const { stdout, status } = bench("--help");
    expect(status).toBe(0);
    const topics = fs.readdirSync(path.join(ROOT, "bench/topics")).map((file) => path.basename(file, ".mjs"));
    expect(topics.length).toBeGreaterThan(5);
    expect(topics.filter((topic) => !stdout.includes(topic))).toEqual([]);
  });

  test.each([
    ["a topic that is not there", ["foreachs"], "Unknown topic foreachs"],
    ["an option that is not there", ["--frob"], "Unknown option '--frob'"],
    ["no number of rounds", ["--repeats", "many"], "Cannot take --repeats many"],
    ["a name that fits no trial", ["line", "--only", "zzz"], 'No trial of line has a name with "zzz"'],
  ])("refuses %s", (_what, words, said) => {
    const { stderr, status } = bench(...words);
    expect(status).toBe(2);
    expect(stderr).toContain(said);
    expect(stderr).toContain("Usage: npm run bench");
    expect(stderr).not.toMatch(/^ {4}at /m);
  });

  test("measures some trials and keeps the figures with machine and commit", () => {
    const json = path.join(folder, "kept.json");
    const { stdout, stderr, status } = bench("store", "--only", "store of", "--folder", folder, "--json", json);
    expect(status, stdout + stderr).toBe(0);
    const { rows, machine, commit } = JSON.parse(fs.readFileSync(json, "utf8"));
    expect(rows.map(({ what }: any) => what)).toEqual([
      "store of a 1,000-task no-op run, a task",
      "store of a 1,000-task no-op run, files",
    ]);
    expect(rows[0]).toMatchObject({ topic: "store", unit: "bytes", samples: [expect.any(Number)] });
    expect(machine).toMatchObject({ node: process.version, synchronous: "FULL", cores: os.availableParallelism() });
    expect(commit).toMatch(/^[0-9a-f]{40}$|^unknown$/);
    expect(fs.readdirSync(folder).filter((name) => name.startsWith("millrace-bench-"))).toEqual([]);
  });
});

describe("a trial", () => {
  const options = () => ({ folder, isQuick: false });

  test("lets its sides take turns, and leaves warm-ups out", async () => {
    const calls: string[] = [];
    const values = { one: [100, 3, 1, 2], two: [100, 10, 10, 10] };
    const side = (name: "one" | "two") => (_: unknown, round: number) => {
      calls.push(name);
      return { ms: values[name][round] };
    };
    const [row] = await runTrial(
      {
        what: "a trial",
        repeats: 3,
        warmUps: 1,
        sides: { one: side("one"), two: side("two") },
        rows: [{ what: "a row", unit: "x", goal: atMost(0.1), figure: (round: any) => round.one.ms / round.two.ms }],
      },
      options(),
    );
    expect(calls).toEqual(["one", "two", "two", "one", "one", "two", "two", "one"]);
    expect(row).toMatchObject({
      samples: [0.3, 0.1, 0.2],
      median: 0.2,
      min: 0.1,
      max: 0.3,
      verdict: "MISSED",
      sides: { one: { ms: 2 }, two: { ms: 10 } },
    });
  });

  test("says what is not offered, what failed, and closes what it opened", async () => {
    const closed: string[] = [];
    const rows = [{ what: "a row", unit: "x", figure: () => 1 }];
    const trialThat = (error: Error) => ({
      what: "a trial",
      open: () => "context",
      close: (context: string) => closed.push(context),
      sides: {
        one() {
          throw error;
        },
      },
      rows,
    });
    expect(await runTrial(trialThat(new NotOffered("no such thing")), options())).toEqual([
      expect.objectContaining({ what: "a row", verdict: "none", note: "no such thing" }),
    ]);
    expect(await runTrial(trialThat(new Error("broken")), options())).toEqual([
      expect.objectContaining({ what: "a trial", verdict: "FAILED", note: expect.stringContaining("broken") }),
    ]);
    expect(closed).toEqual(["context", "context"]);
  });
});
