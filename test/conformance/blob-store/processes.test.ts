/**
 * Processes that write into one folder and are killed. Whatever instant a kill falls on, each value that can be seen is
 * whole, and each that was acknowledged can be seen.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openFsBlobStore } from "../../../packages/core/src/storage/fs/fs-blob-store.ts";

const writer = new URL("./writer-process.ts", import.meta.url).pathname;
let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-blob-kill-"));
});

afterEach(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

test("a writer that is killed leaves whole values only, and all that it was told are there", {
  timeout: 120_000,
}, async () => {
  const acknowledged = new Set<string>();
  for (let round = 0; round < 5; round++) {
    const said = path.join(folder, `said-${round}`);
    const child = spawn(process.execPath, [writer, path.join(folder, "blobs"), said, String(round)], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    const ended = once(child, "exit");
    while (!fs.existsSync(said) || fs.statSync(said).size === 0) {
      expect(child.exitCode).toBeNull();
      await sleep(5);
    }
    await sleep(Math.random() * 80);
    child.kill("SIGKILL");
    expect((await ended)[1]).toBe("SIGKILL");
    for (const key of fs.readFileSync(said, "utf8").split("\n").slice(0, -1)) acknowledged.add(key);
  }
  const store = openFsBlobStore(path.join(folder, "blobs"));
  const { keys, next } = await store.list({ prefix: "", limit: 100_000 });
  expect(next).toBeUndefined();
  for (const key of keys)
    expect(createHash("sha256").update(store.getSync(key)!).digest("hex")).toBe(path.basename(key));
  const seen = new Set(keys);
  expect([...acknowledged].filter((key) => !seen.has(key))).toEqual([]);
  expect(acknowledged.size).toBeGreaterThanOrEqual(5);
});

test("8 processes that write the same values at once keep each once, whole", { timeout: 120_000 }, async () => {
  const processes = Array.from({ length: 8 }, (_, index) => {
    const said = path.join(folder, `said-${index}`);
    return spawn(process.execPath, [writer, path.join(folder, "blobs"), said, "0", "30"], {
      stdio: ["ignore", "inherit", "inherit"],
    });
  });
  for (const child of processes) if (child.exitCode === null) await once(child, "exit");
  expect(processes.map((child) => child.exitCode)).toEqual(Array(8).fill(0));
  const created = processes.flatMap((_, index) =>
    fs
      .readFileSync(path.join(folder, `said-${index}`), "utf8")
      .split("\n")
      .slice(0, -1),
  );
  const store = openFsBlobStore(path.join(folder, "blobs"));
  const { keys } = await store.list({ prefix: "" });
  expect(keys).toHaveLength(30);
  expect(created.toSorted()).toEqual(keys); // each was created by exactly one of them
  for (const key of keys)
    expect(createHash("sha256").update(store.getSync(key)!).digest("hex")).toBe(path.basename(key));
  expect(fs.readdirSync(path.join(folder, "blobs", "TMP"))).toEqual([]);
});
