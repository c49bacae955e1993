/** The thread is the built one, as in the worker tests: `node scripts/build.mjs` first. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { SerializedError } from "../errors/flow-error.ts";
import { newRunId } from "../ids/run-id.ts";
import type { MetadataStore, RunRow } from "../metadata/metadata-store.ts";
import { openWriter } from "../metadata/sqlite/connection.ts";
import { openSqliteMetadata } from "../metadata/sqlite/sqlite-metadata.ts";
import { type Heartbeat, type HeartbeatOptions, startHeartbeat } from "./start-heartbeat.ts";

const BEGAN = new Date("2026-05-04T12:00:00Z");
let folder: string;
let databaseFile: string;
let store: MetadataStore;
let run: RunRow;
let heartbeat: Heartbeat | undefined;

beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-heartbeat-"));
  databaseFile = path.join(folder, "millrace.db");
  store = await openSqliteMetadata(databaseFile);
  const [actor, host] = ["ana", "here"];
  const machine = { millrace: "0.1.0", node: "v24", os: "linux", arch: "x64", host, actor, cwd: "/", command: [] };
  run = await store.createRun({
    id: newRunId(),
    flow: { project: "shop", name: "Train" },
    formerly: [],
    createdAt: BEGAN,
    tags: [],
    systemTags: [],
    parameters: {},
    secretParameters: [],
    values: [],
    environment: machine,
    upstreams: [],
    blobs: [],
    actor,
    host,
    execution: { runner: { host, pid: 1 }, command: [] },
  });
});

afterEach(async () => {
  await heartbeat?.stop();
  await store.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

function beatEvery(intervalMs: number, options: Partial<HeartbeatOptions> = {}): Heartbeat {
  heartbeat = startHeartbeat({ databaseFile, run: run.sequence, execution: 1, intervalMs, afterMs: 0, ...options });
  return heartbeat;
}

const lastBeat = async () => (await store.run(run.sequence))!.execution.heartbeatAt.getTime();

test("beats go on while the main thread is blocked, and stop with stop", { timeout: 30_000 }, async () => {
  const { stop } = beatEvery(20);
  await expect.poll(lastBeat, { timeout: 20_000 }).toBeGreaterThan(BEGAN.getTime());
  const blockedAt = Date.now();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000); // nothing of this thread runs
  expect((await lastBeat()) - blockedAt).toBeGreaterThan(200);
  await stop();
  const last = await lastBeat();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  expect(await lastBeat()).toBe(last);
});

test("a run that is over before the first beat is due needs none", async () => {
  const { stop } = beatEvery(20, { afterMs: 60_000 });
  await stop();
  expect(await lastBeat()).toBe(BEGAN.getTime());
});

test("one whose run was taken over is told, once, and beats no more", { timeout: 30_000 }, async () => {
  const told: SerializedError[] = [];
  await store.finishRun({ run: run.sequence, execution: 1, status: "failed", finishedAt: BEGAN });
  const begin = { run: run.sequence, runner: { host: "south", pid: 2 }, actor: "bo", command: [], at: BEGAN };
  expect(await store.beginExecution(begin)).toBe(2);
  beatEvery(5, { onFenced: (error) => told.push(error) });
  await expect.poll(() => told.length, { timeout: 20_000 }).toBe(1);
  expect(told[0]).toMatchObject({ code: "FLOW_METADATA_FENCED", context: { execution: 1, current: 2 } });
  await heartbeat!.stop();
  expect(told).toHaveLength(1);
  expect(await lastBeat()).toBe(BEGAN.getTime());
});

test("a store that is locked for a while takes the next beat", { timeout: 30_000 }, async () => {
  beatEvery(20);
  await expect.poll(lastBeat, { timeout: 20_000 }).toBeGreaterThan(BEGAN.getTime());
  const holder = openWriter(databaseFile);
  await expect.poll(() => tryTo(() => holder.exec("BEGIN IMMEDIATE")), { timeout: 20_000 }).toBe(true);
  const held = await lastBeat();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  expect(await lastBeat()).toBe(held);
  holder.exec("ROLLBACK");
  holder.close();
  await expect.poll(lastBeat, { timeout: 20_000 }).toBeGreaterThan(held);
});

test("it does not keep a process alive", { timeout: 30_000 }, async () => {
  const script = `
    import { startHeartbeat } from ${JSON.stringify(new URL("./start-heartbeat.ts", import.meta.url).href)};
    import { setTimeout } from "node:timers/promises";
    import { openSqliteMetadata } from ${JSON.stringify(new URL("../metadata/sqlite/sqlite-metadata.ts", import.meta.url).href)};
    const databaseFile = ${JSON.stringify(databaseFile)};
    startHeartbeat({ databaseFile, run: 1, execution: 1, intervalMs: 10, afterMs: 0 });
    const store = await openSqliteMetadata(databaseFile);
    while ((await store.run(1)).execution.heartbeatAt.getTime() === ${BEGAN.getTime()}) await setTimeout(5);
    await store.close();
    console.log("beats");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text) => (stdout += String(text)));
  child.stderr.on("data", (text) => (stderr += String(text)));
  const [code, signal] = await once(child, "close");
  expect({ code, signal, stdout, stderr }).toEqual({ code: 0, signal: null, stdout: "beats\n", stderr: "" });
});

function tryTo(work: () => void): boolean {
  try {
    work();
    return true;
  } catch {
    return false; // The heartbeat writes at this instant.
  }
}
