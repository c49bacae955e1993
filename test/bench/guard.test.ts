/**
 * What must not creep back: counts of what costs time, with wide margins. None of them is a time, so they hold on any machine
 * and beside anything else that runs there. What it all takes is measured by `npm run bench`.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import v8 from "node:v8";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeValue } from "../../packages/core/src/artifact/value-codec.ts";
import { whyNot } from "../faults/kit/tools.ts";
import { ROOT } from "../kit/repository.ts";

interface Counts {
  /** Of the main thread to all others. */
  readonly messages: number;
  /** Prepared by the main thread. */
  readonly statements: number;
  /** Files that were loaded as modules. */
  readonly modules: readonly string[];
  /** Modules of Node itself. */
  readonly builtIns: readonly string[];
  /** Calls of fsync and fdatasync in all threads; none without strace. */
  readonly syncs: number;
}

const COMMAND = path.join(ROOT, "packages/cli/bin/flow.mjs");
const COUNT_CALLS = path.join(ROOT, "test/bench/count-calls.mjs");
const withoutStrace = whyNot("strace");

let folder: string;

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-guard-"));
  // Packages of code are prepared once: what is counted is what each run does.
  for (const flow of ["wide", "line", "array-readers"]) flowCommand(["graph", benchFlow(flow)]);
  flowCommand(["run", benchFlow("line"), "--store", storeOf("line"), "--quiet"]);
});

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

describe("a foreach of 2,000 no-ops, beside one of 200", () => {
  let narrow: Counts;
  let wide: Counts;

  beforeAll(() => {
    narrow = runFlow("wide", "narrow", "--width", "200");
    wide = runFlow("wide", "wide", "--width", "2000");
  });

  test("takes one message for many tasks", () => {
    expect(wide.messages).toBeLessThan(700); // about 50; messages hold less on a machine that is busy
  });

  test("prepares no statement for each task", () => {
    expect(narrow.statements).toBeGreaterThan(10); // otherwise nothing was counted
    expect(wide.statements).toBeLessThan(narrow.statements + 30);
  });

  test.skipIf(withoutStrace !== undefined)("syncs once for many tasks", () => {
    expect(narrow.syncs).toBeGreaterThan(2);
    expect(wide.syncs - narrow.syncs).toBeLessThan(400); // a few
  });

  test("keeps a task in less than 1.5 KB, and all in ten files at most", () => {
    const files = filesOf(storeOf("wide"));
    expect(bytesOf(files) / 2_000).toBeLessThan(1_500); // about 650
    expect(files.length).toBeLessThanOrEqual(10);
  });
});

describe("a line of 20 no-op steps", () => {
  let line: Counts;

  beforeAll(() => {
    line = runFlow("line", "line");
  });

  test.skipIf(withoutStrace !== undefined)("syncs about once a step", () => {
    expect(line.syncs).toBeGreaterThanOrEqual(20); // each step is acknowledged before the next one begins
    expect(line.syncs).toBeLessThan(45); // 28
  });

  test("takes few messages a step", () => {
    expect(line.messages).toBeLessThan(35); // 23: one a step, and those of the run
  });
});

test("a large array that twenty tasks read is kept once", () => {
  runFlow("array-readers", "array", "--size", "100000");
  const large = filesOf(storeOf("array")).filter((file) => !/millrace\.db/.test(file) && bytesOf([file]) > 100_000);
  expect(large).toHaveLength(1);
});

test("100,000 small objects take fewer bytes than with v8", () => {
  const objects = Array.from({ length: 1_000 }, (_, id) => ({ id, name: `item ${id}`, tags: ["one", "two"] }));
  expect(encodeValue(objects).sizeBytes).toBeLessThanOrEqual(v8.serialize(objects).byteLength);
});

describe("what commands load", () => {
  const RUNNER = /\/(piscina|esbuild|oxc-parser)\//;
  const STORE = /\/better-sqlite3\//;

  test("flow --help: nothing of core", () => {
    const { modules } = flowCommand(["--help"]);
    expect(modules.length).toBeGreaterThan(1);
    expect(modules.length).toBeLessThan(15); // 6
    expect(modules.filter((file) => /packages\/core\//.test(file))).toEqual([]);
  });

  test("flow graph of a prepared flow: neither a store nor a runner", () => {
    const { modules } = flowCommand(["graph", benchFlow("line")]);
    expect(modules.length).toBeLessThan(12); // 8
    expect(modules.filter((file) => RUNNER.test(file) || STORE.test(file))).toEqual([]);
  });

  test("flow runs: a store, but no runner", () => {
    const { modules, builtIns } = flowCommand(["runs", "--store", storeOf("line")]);
    expect(modules.length).toBeLessThan(18); // 13
    expect(builtIns.length).toBeGreaterThan(50);
    expect(builtIns.filter((name) => /^(child_process|crypto|fs\/promises|readline|zlib)$/.test(name))).toEqual([]);
    expect(modules.filter((file) => STORE.test(file)).length).toBeGreaterThan(0);
    expect(modules.filter((file) => RUNNER.test(file))).toEqual([]);
  });

  // Compiled when Millrace is built; what few ask for is compiled when it is asked.
  test("no query builder, unless a question is an unusual one", () => {
    const store = ["--store", storeOf("line")];
    const asked = [
      ["run", benchFlow("line")],
      ["runs"],
      ["runs", "--tag", "a"],
      ["show", "Line/1"],
      ["logs", "Line/1"],
    ];
    for (const words of asked) {
      const { modules, statements } = flowCommand([...words, ...store]);
      expect(statements, words.join(" ")).toBeGreaterThan(1);
      expect(
        modules.filter((file) => /kysely/.test(file)),
        words.join(" "),
      ).toEqual([]);
    }
    const { modules } = flowCommand(["runs", "--tag", "a", "--tag", "b", "--tag", "c", ...store]);
    expect(modules.filter((file) => /kysely/.test(file)).length).toBe(1);
  });
});

function runFlow(flow: string, store: string, ...words: readonly string[]): Counts {
  return flowCommand(["run", benchFlow(flow), "--store", storeOf(store), "--quiet", ...words]);
}

function flowCommand(words: readonly string[]): Counts {
  const counts = path.join(folder, "counts.json");
  const log = path.join(folder, "syncs");
  const node = [process.execPath, "--import", COUNT_CALLS, COMMAND, ...words];
  const traced = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=fsync,fdatasync", "-o", log, ...node];
  const [file, ...rest] = withoutStrace === undefined ? traced : node;
  const { status, stderr } = spawnSync(file!, rest, {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, COUNTS_FILE: counts },
  });
  expect(status, stderr).toBe(0);
  const syncs = withoutStrace === undefined ? fs.readFileSync(log, "utf8").split("sync(").length - 1 : 0;
  return { ...JSON.parse(fs.readFileSync(counts, "utf8")), syncs };
}

function benchFlow(name: string): string {
  return path.join(ROOT, "bench/flows", `${name}.ts`);
}

function storeOf(name: string): string {
  return path.join(folder, name);
}

function filesOf(place: string): readonly string[] {
  const entries = fs.readdirSync(place, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
}

function bytesOf(files: readonly string[]): number {
  return files.reduce((sum, file) => sum + fs.statSync(file).size, 0);
}
