/**
 * Hostile words on the command line: 10,000 calls with names, tags, selectors, paths and flags that are too long, turned
 * around, of another script, of another system, or no text at all. Most are made inside this process on a store of their
 * own, against the real commands and a terminal's output; some are real processes. Whatever the words are: an exit code
 * of the documented ones, no stack, nothing that a terminal obeys, no file anywhere else, and soon.
 */
import fs from "node:fs";
import path from "node:path";
import { PassThrough, Readable } from "node:stream";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Context } from "../../packages/cli/src/commands/command.ts";
import { commandTable } from "../../packages/cli/src/commands/table.ts";
import { callFlow } from "../../packages/cli/src/dispatch.ts";
import { streamOutput } from "../../packages/cli/src/render/output.ts";
import { times } from "../faults/twenty.ts";
import { Project } from "../kit/project.ts";
import { seeded } from "../kit/seed.ts";

const FLOW = `
import { Flow, param, step, z } from "@millrace/core";
export default class Train extends Flow {
  readonly text = param(z.string().default("x"), { short: "t" });
  readonly count = param(z.coerce.number().int().min(1).default(1));
  value!: string;
  @step({ next: "end" }) start() { this.value = this.text; console.log(this.text); }
  @step() end() {}
}`;

/** Nothing that a terminal obeys but colours, and no stack of ours. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for them.
const OBEYED = /\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
const STACK = /^\s+at .*(?:\.[jt]s|node:)/m;
const CODES = [0, 1, 2, 3];

const WORDS = [
  "../../../etc/passwd",
  "..\\..\\windows\\system32",
  "/etc/passwd",
  "file:///etc/passwd",
  "%2e%2e%2f",
  "C:\\x",
  "\\\\server\\share",
  "CON",
  "NUL.txt",
  "a\0b",
  "\x1b]0;owned\x07",
  "\x9b2J",
  "\u202egnp.exe",
  "Tr\u0430in", // Cyrillic
  "Train\u200b",
  "\ud800",
  "e\u0301",
  "x".repeat(5_000),
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "then",
  "",
  " ",
  "-",
  "--",
  "-0",
  "--=",
  "--x=y",
  "--no-",
  "-99999999999999999999",
  "1e999",
  "NaN",
  "' OR 1=1 --",
  "%s%n",
  "$(touch owned)",
  "`touch owned`",
  "; touch owned",
  "(a+)+$",
  "*",
  "{}",
  "[",
  "🌾".repeat(300),
];
const SELECTORS = [
  "Train",
  "Train/1",
  "Train/0",
  "Train/1/start",
  "Train/1/start/0",
  "Train/1.value",
  "Train@t",
  "shop/Train/1",
  "Train/1/../2",
  "Train@",
  "@",
  "/",
  "Train/1/__proto__",
  "Train/1.__proto__",
  "Train/1.then",
  "01932c0e-0000-7000-8000-000000000000",
];

let project: Project;
let before: readonly string[];
beforeAll(async () => {
  project = new Project({ "train.ts": FLOW });
  expect((await project.flow(["run", "train.ts", "--tag", "t", "--quiet"])).code).toBe(0);
  before = fs.readdirSync(project.folder).toSorted();
}, 120_000);
afterAll(() => project?.[Symbol.asyncDispose]());

const WRITING = ["run", "resume", "step", "build", "export", "import", "pull", "code"].concat(
  ["store init", "store copy", "store rebuild"], // A store where one is wanted.
);
/** Verbs that leave nothing but in their store; what runs flows has a test of its own, and so has what writes where it is told. */
const READING = commandTable.map(({ name }) => name).filter((name) => !WRITING.includes(name));

async function flagsOf(verbs: readonly string[]): Promise<readonly string[]> {
  const entries = commandTable.filter(({ name }) => verbs.includes(name));
  const all = await Promise.all(entries.map(async ({ load }) => (await load()).flags.map(({ name }) => `--${name}`)));
  // Those that wait for more, name what to write, or ask for a stack are given on purpose.
  return [...new Set(all.flat())].filter(
    (flag) => !["--follow", "--output", "--openlineage", "--debug"].includes(flag),
  );
}

function wordsArbitrary(verbs: readonly string[], flags: readonly string[], subjects: readonly string[]) {
  const hostile = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...WORDS) },
    { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.constantFrom(...subjects), fc.constantFrom(...WORDS)).map((both) => both.join("")),
    },
  );
  const flag = fc.oneof(
    fc.constantFrom(...flags),
    fc.tuple(fc.constantFrom(...flags), hostile).map(([name, value]) => `${name}=${value}`),
    hostile.map((text) => `--${text}`),
  );
  const word = fc.oneof(
    { weight: 3, arbitrary: hostile },
    { weight: 3, arbitrary: fc.constantFrom(...subjects) },
    { weight: 2, arbitrary: flag },
  );
  const verb = fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...verbs) }, { weight: 1, arbitrary: hostile });
  return fc.tuple(verb, fc.array(word, { maxLength: 5 })).map(([first, rest]) => [...first.split(" "), ...rest]);
}

interface Answer {
  readonly code: number;
  readonly text: string;
  readonly cpuMs: number;
}

/** A call inside this process, on a terminal that keeps what it is sent. */
async function call(words: readonly string[]): Promise<Answer> {
  let text = "";
  const output = () => {
    const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 100, rows: 30 });
    stream.on("data", (piece: Buffer) => {
      text += piece.toString("utf8");
    });
    return streamOutput(stream as unknown as NodeJS.WriteStream, {}, (error) => {
      throw error;
    });
  };
  const context: Context = {
    cwd: project.folder,
    environment: { MILLRACE_STORE: words.some((word) => word.startsWith("--store")) ? "" : project.store },
    words,
    stdout: output(),
    stderr: output(),
    stdin: () => Readable.from([]),
    now: Date.now,
    signals: {
      take: () => () => {},
      watchExit: () => () => {},
      exit: (code) => {
        throw new Error(`ended with ${code}`);
      },
    },
  };
  const begin = process.cpuUsage();
  const code = await callFlow(context);
  const used = process.cpuUsage(begin);
  await new Promise((resolve) => setImmediate(resolve));
  return { code, text, cpuMs: (used.user + used.system) / 1_000 };
}

function check(words: readonly string[], { code, text }: Pick<Answer, "code" | "text">): void {
  const said = `${JSON.stringify(words).slice(0, 600)}\n${text.slice(0, 1_500)}`;
  expect(CODES.includes(code), `exit code ${code} of ${said}`).toBe(true);
  expect(OBEYED.exec(text)?.index, `obeyed by a terminal: ${said}`).toBeUndefined();
  expect(STACK.test(text), `a stack: ${said}`).toBe(false);
  if (code !== 0) expect(text.length, said).toBeGreaterThan(0);
}

function filesOutside(): readonly string[] {
  return fs.readdirSync(project.folder).filter((name) => !before.includes(name));
}

describe("whatever the words are", () => {
  test("commands that read and tag answer with a documented code, soon, and leave no file behind", {
    timeout: 3_600_000,
  }, async () => {
    const { seed } = seeded("hostile words");
    const flags = await flagsOf(READING);
    await call(["runs"]); // loads what is loaded once
    let slowest = 0;
    await fc.assert(
      fc.asyncProperty(wordsArbitrary(READING, flags, [...SELECTORS, "train.ts", "t"]), async (words) => {
        const answer = await call(words);
        check(words, answer);
        slowest = Math.max(slowest, answer.cpuMs);
        expect(answer.cpuMs, JSON.stringify(words).slice(0, 300)).toBeLessThan(2_000);
      }),
      { seed, numRuns: times(1_000, 9_500), endOnFailure: true },
    );
    console.log(`hostile words: the slowest call took ${Math.round(slowest)} ms of the processor`);
    expect(filesOutside()).toEqual([]);
    expect(fs.existsSync(path.join(project.folder, "..", "owned"))).toBe(false);
  });

  test("commands that run flows refuse them, or keep them as plain values", { timeout: 3_600_000 }, async () => {
    const { seed } = seeded("hostile words of runs");
    const flags = ["--tag", "--text", "--count", "--params", "--flow", "--with", "--max-workers", "--strict", "-t"];
    const file = project.file("train.ts");
    await fc.assert(
      fc.asyncProperty(wordsArbitrary(["run", "resume", "step"], flags, [file, ...SELECTORS]), async (words) => {
        const quiet = ["run", "resume"].includes(words[0]!) ? [...words, "--quiet"] : words;
        check(quiet, await call(quiet));
      }),
      { seed, numRuns: times(30, 300), endOnFailure: true },
    );
    expect(filesOutside()).toEqual([]);
  });

  test("what writes files keeps to the folder that it is told", { timeout: 3_600_000 }, async () => {
    const { seed } = seeded("hostile words of files");
    const verbs = ["pull", "code"];
    const flags = ["--json", "--force", "--digest", "--store"];
    await fc.assert(
      fc.asyncProperty(wordsArbitrary(verbs, flags, [...SELECTORS, "value"]), async ([verb, ...rest]) => {
        const words = [verb!, ...(verbs.includes(verb!) ? ["--output=told/"] : []), ...rest];
        check(words, await call(words));
      }),
      { seed, numRuns: times(200, 2_000), endOnFailure: true },
    );
    expect(filesOutside().filter((name) => name !== "told")).toEqual([]);
    fs.rmSync(project.file("told"), { recursive: true, force: true });
  });

  test("so do real processes", { timeout: 3_600_000 }, async () => {
    const { seed } = seeded("hostile words of processes");
    const flags = await flagsOf(READING);
    const arbitrary = wordsArbitrary(READING, flags, [...SELECTORS, "train.ts"]);
    // The system itself takes no NUL in a word, and no lone surrogates.
    const calls = fc.sample(arbitrary, { seed, numRuns: times(20, 200) });
    for (const words of calls) {
      const possible = words.map((word) => word.replaceAll("\0", "").toWellFormed());
      const called = await project.flow(possible, { env: { MILLRACE_STORE: project.store } });
      expect([called.signal, CODES.includes(called.code!)], JSON.stringify(possible)).toEqual([null, true]);
      expect(STACK.test(called.stdout + called.stderr), JSON.stringify(possible)).toBe(false);
    }
    expect(filesOutside()).toEqual([]);
  });
});
