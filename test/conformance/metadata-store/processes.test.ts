/**
 * Several processes on one store in SQLite: creating it, numbering runs, moving tags, and being killed in the middle.
 * The processes are real; what they were told is durable they print, and what they printed must be there.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openReader } from "../../../packages/core/src/metadata/sqlite/connection.ts";
import { openSqliteMetadata } from "../../../packages/core/src/metadata/sqlite/sqlite-metadata.ts";
import { verifyTagLog } from "../../../packages/core/src/metadata/tag-chain.ts";
import { digestOf, newRun } from "./records.ts";

const WRITERS = 8;
const writer = new URL("./writer-process.ts", import.meta.url).pathname;

let folder: string;
let file: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-processes-"));
  file = path.join(folder, "millrace.db");
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  fs.rmSync(folder, { recursive: true, force: true });
});

interface Writer {
  readonly child: ChildProcess;
  /** Everything that the process said was durable. */
  readonly said: string[];
  readonly ended: Promise<{
    readonly code: number | null;
    readonly signal: NodeJS.Signals | null;
    readonly stderr: string;
  }>;
  readonly ready: Promise<void>;
  go(): void;
}

/** Starts a process that waits at the line until it is told to go. */
function start(...args: readonly string[]): Writer {
  const child = spawn(process.execPath, [writer, file, ...args], { stdio: ["pipe", "pipe", "pipe"] });
  children.push(child);
  const said: string[] = [];
  let stderr = "";
  child.stderr.on("data", (text) => (stderr += String(text)));
  const lines = createInterface({ input: child.stdout });
  const ready = once(lines, "line").then(() => void lines.on("line", (line) => said.push(line)));
  const ended = Promise.all([once(child, "exit"), once(lines, "close")]).then(([[code, signal]]) => ({
    code,
    signal,
    stderr,
  }));
  return { child, said, ended, ready, go: () => child.stdin.end("go\n") };
}

async function startAll(count: number, args: (index: number) => readonly string[]): Promise<readonly Writer[]> {
  const writers = Array.from({ length: count }, (_, index) => start(...args(index)));
  await Promise.all(writers.map((each) => each.ready));
  for (const each of writers) each.go();
  return writers;
}

test("8 processes create one store and runs in it at once: numbers are unique, none is lost, nobody starves", {
  timeout: 120_000,
}, async () => {
  const each = 10;
  const writers = await startAll(WRITERS, () => ["create-runs", String(each)]);
  for (const { ended } of writers) expect(await ended).toEqual({ code: 0, signal: null, stderr: "" });
  const said = writers.flatMap((writer) => writer.said);
  expect(said).toHaveLength(WRITERS * each);

  const store = await openSqliteMetadata(file);
  const runs = await store.runs({ limit: 1_000 });
  expect(runs.map((run) => run.number).toReversed()).toEqual(
    Array.from({ length: WRITERS * each }, (_, index) => index + 1),
  );
  expect(runs.map((run) => `${run.number} ${run.id}`).sort()).toEqual(said.toSorted());
  expect(await store.flows()).toMatchObject([{ runs: WRITERS * each, newest: runs[0]!.sequence }]);
  await store.close();
});

test("8 processes move one tag between runs at once: the log is whole and tells the tags that are held", {
  timeout: 120_000,
}, async () => {
  const store = await openSqliteMetadata(file);
  const runs = [];
  for (let index = 0; index < 4; index++) runs.push(await store.createRun(newRun()));
  const each = 10;
  const writers = await startAll(WRITERS, () => ["move-tags", String(each)]);
  for (const { ended } of writers) expect(await ended).toEqual({ code: 0, signal: null, stderr: "" });

  const events = (await store.tagEvents({})).toReversed();
  expect(verifyTagLog(events)).toMatchObject({ kind: "whole", events: events.length });
  expect(events.map((event) => `${event.sequence} ${event.digest}`).sort()).toEqual(
    writers.flatMap((writer) => writer.said).sort(),
  );
  for (const run of runs) {
    const last = events.findLast((event) => event.run === run.id);
    expect((await store.run(run.sequence))!.tags).toEqual(last?.verb === "add" ? ["prod"] : []);
  }
  await store.close();
});

test("a process that is killed in the middle of its ticks has lost nothing that it was told is done", {
  timeout: 120_000,
}, async () => {
  for (let round = 0; round < 4; round++) {
    const killed = start("tick", String(round));
    await killed.ready;
    killed.go();
    const said = path.join(folder, `said-${round}`);
    while (!fs.existsSync(said) || fs.statSync(said).size === 0) await sleep(5);
    await sleep(Math.random() * 60); // at any instant within a tick
    killed.child.kill("SIGKILL");
    expect(await killed.ended).toMatchObject({ signal: "SIGKILL", stderr: "" });
  }
  const saved = fs.readdirSync(folder).sort();
  expect(saved).toContain("millrace.db-wal"); // nobody closed the store

  const store = await openSqliteMetadata(file);
  let acknowledged = 0;
  for (const run of await store.runs({ limit: 100 })) {
    const said = fs
      .readFileSync(path.join(folder, `said-${run.parameters.round}`), "utf8")
      .split("\n")
      .slice(0, -1);
    acknowledged += said.length;
    for (const line of said) {
      const [first, count] = line.split(" ").map(Number) as [number, number];
      for (let sequence = first; sequence < first + count; sequence++) {
        expect(await store.task(sequence as never)).toMatchObject({ status: "succeeded" });
        expect(await store.ownArtifacts(sequence as never)).toMatchObject([
          { name: "x", digest: digestOf(`value ${sequence}`) },
        ]);
        expect(await store.blob(digestOf(`value ${sequence}`))).toBeDefined();
      }
    }
    // What was not acknowledged is there as a whole tick or not at all.
    const counts = new Map<number, number>();
    for (const task of await store.tasks({ run: run.sequence })) {
      expect(task.status).toBe("succeeded");
      const tick = Number(task.path.split(".")[0]);
      counts.set(tick, (counts.get(tick) ?? 0) + 1);
    }
    expect([...counts.values()].every((count) => count === 50)).toBe(true);
  }
  expect(acknowledged).toBeGreaterThanOrEqual(4);
  await store.close();
  const db = openReader(file);
  expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
  expect(db.pragma("foreign_key_check")).toEqual([]);
  db.close();
});
