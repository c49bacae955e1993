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
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { isProcessAlive, readProcessIdentity } from "../../../packages/core/src/config/process-identity.ts";
import type { Liveness } from "../../../packages/core/src/metadata/liveness.ts";
import type { RunSequence } from "../../../packages/core/src/metadata/metadata-store.ts";
import { SCHEMA_VERSION } from "../../../packages/core/src/metadata/sql/migrations/migrations.ts";
import { openReader, openWriter } from "../../../packages/core/src/metadata/sqlite/connection.ts";
import { openSqliteMetadata } from "../../../packages/core/src/metadata/sqlite/sqlite-metadata.ts";
import { verifyTagLog } from "../../../packages/core/src/metadata/tag-chain.ts";
import { digestOf, newRun } from "./records.ts";

const WRITERS = 8;
const here: Liveness = { self: readProcessIdentity(), now: Date.now, isAlive: isProcessAlive };
const writer = new URL("./writer-process.ts", import.meta.url).pathname;

/** Most of what these processes cost is the code that they load. */
const compiled = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-compiled-"));
afterAll(() => fs.rmSync(compiled, { recursive: true, force: true }));

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
  const env = { ...process.env, NODE_COMPILE_CACHE: compiled };
  const child = spawn(process.execPath, [writer, file, ...args], { env, stdio: ["pipe", "pipe", "pipe"] });
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

test("of 6 processes that continue a lost run at once one does, and the others are told which", {
  timeout: 60_000,
}, async () => {
  const store = await openSqliteMetadata(file, { liveness: here });
  const run = await store.createRun(newRun());
  let holder: number | undefined;
  for (let number = 2; number < 5; number++) {
    const writers = await startAll(6, () => ["begin"]);
    await expect.poll(() => writers.flatMap((each) => each.said), { timeout: 30_000 }).toHaveLength(6);
    const [winner, ...more] = writers.filter((each) => each.said[0]!.startsWith("execution "));
    expect([more, winner!.said]).toEqual([[], [`execution ${number} ${winner!.child.pid}`]]);
    for (const each of writers)
      if (each !== winner) expect(each.said).toEqual([`FLOW_METADATA_RUN_ALIVE ${winner!.child.pid}`]);
    expect(await store.run(run.sequence)).toMatchObject({ status: "running", execution: { number } });
    holder = winner!.child.pid;
    for (const each of writers) each.child.kill("SIGKILL");
    await Promise.all(writers.map((each) => each.ended));
    expect(await store.run(run.sequence)).toMatchObject({ status: "lost", execution: { runner: { pid: holder } } });
  }
  expect((await store.executions(run.sequence)).map((each) => each.status)).toEqual([
    "lost",
    "lost",
    "lost",
    "running",
  ]);
  await store.close();
});

test("a stopped process that wakes up after its run was taken over writes nothing more", {
  timeout: 60_000,
}, async () => {
  const old = start("tick", "0");
  await old.ready;
  old.go();
  const said = path.join(folder, "said-0");
  const acknowledged = () => (fs.existsSync(said) ? fs.readFileSync(said, "utf8").split("\n").length - 1 : 0);
  const store = await openSqliteMetadata(file, { liveness: here, busyLimitMs: 200 });
  let sequence: RunSequence;
  for (;;) {
    const before = acknowledged();
    await expect.poll(acknowledged, { timeout: 30_000 }).toBeGreaterThan(before);
    old.child.kill("SIGSTOP");
    try {
      sequence = (await store.runs({}))[0]!.sequence;
      // Its record is one of another host with an old heartbeat, so it counts as lost.
      await store.beginExecution({ run: sequence, runner: here.self, actor: "a", command: [], at: new Date() });
      break;
    } catch (error) {
      // Stopped in the middle of a commit: it must end that first.
      expect(error).toMatchObject({ code: "FLOW_METADATA_BUSY" });
      old.child.kill("SIGCONT");
    }
  }
  const tasks = await store.tasks({ run: sequence });
  old.child.kill("SIGCONT");
  expect(await old.ended).toMatchObject({ code: 1, stderr: expect.stringContaining("FLOW_METADATA_FENCED") });
  expect(await store.tasks({ run: sequence })).toEqual(tasks);
  expect(await store.run(sequence)).toMatchObject({ status: "running", execution: { number: 2 } });
  await store.close();
});

test("a process that is killed while it brings a store to the newest schema leaves the old one or the new one", {
  timeout: 120_000,
}, async () => {
  const golden = new URL("../../golden/store-v1/store/millrace.db", import.meta.url);
  const large = path.join(folder, "large.db");
  fs.copyFileSync(golden, large);
  const filled = openWriter(large);
  filled.exec(`
    WITH RECURSIVE n (n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM n WHERE n < 30000)
    INSERT INTO task (sequence, run, step, path, attempt, status, started_at)
    SELECT n, 2, 'many', n, 0, 'succeeded', 0 FROM n`);
  const count = filled.prepare("SELECT count(*) FROM task").pluck().get();
  filled.pragma("wal_checkpoint(TRUNCATE)");
  filled.close();
  const seen = new Set<number>();
  const wholeTookMs = await opened();
  for (const part of [0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]) await opened(wholeTookMs * (part + Math.random() * 0.1));
  expect(seen).toEqual(new Set([1, SCHEMA_VERSION]));
  expect(await opened()).toBeGreaterThan(0); // and the parts that kills left behind are no hindrance
  expect(fs.readdirSync(folder).filter((name) => name.includes("part"))).toEqual([]);

  /** Opens a copy of the old store, perhaps killed after so long; answers how long it took. */
  async function opened(killAfterMs?: number): Promise<number> {
    for (const suffix of ["", "-wal", "-shm", ".before-2"]) fs.rmSync(`${file}${suffix}`, { force: true });
    fs.copyFileSync(large, file);
    const opener = start("open");
    await opener.ready;
    const begin = performance.now();
    opener.go();
    if (killAfterMs !== undefined) {
      await sleep(killAfterMs);
      opener.child.kill("SIGKILL");
    }
    const { signal, stderr } = await opener.ended;
    const tookMs = performance.now() - begin;
    expect([stderr, killAfterMs === undefined ? signal : null]).toEqual(["", null]);
    const db = openWriter(file);
    const version = db.prepare("SELECT schema_version FROM store").pluck().get() as number;
    seen.add(version);
    expect([
      db.pragma("integrity_check", { simple: true }),
      db.prepare("SELECT count(*) FROM task").pluck().get(),
    ]).toEqual(["ok", count]);
    const columns = db.prepare("SELECT count(*) FROM pragma_table_info('task')").pluck().get();
    expect(columns).toBe(version === 1 ? 12 : 20);
    db.close();
    if (fs.existsSync(`${file}.before-2`)) {
      const copy = openReader(`${file}.before-2`);
      expect(copy.prepare("SELECT schema_version FROM store").pluck().get()).toBe(1);
      expect(copy.prepare("SELECT count(*) FROM task").pluck().get()).toBe(count);
      expect(fs.statSync(`${file}.before-2`).mode & 0o777).toBe(0o600);
      copy.close();
    } else expect(version).toBe(1);
    return tookMs;
  }
});
