import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
export const flowCommand = path.join(root, "packages/cli/bin/flow.mjs");

/** Median of numbers. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** A folder for one benchmark, removed afterwards. */
export async function inFolder(work) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-bench-"));
  try {
    return await work(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a process to its end and gives the milliseconds; one that ends with another code is an error. */
export function timeProcess(command, parameters, options = {}, code = 0) {
  const begin = performance.now();
  const result = spawnSync(command, parameters, { encoding: "utf8", ...options });
  if (result.status !== code)
    throw new Error(`${command} ${parameters.join(" ")} ended with ${result.status}: ${result.stderr}`);
  return performance.now() - begin;
}

/** Runs a flow with the real command and gives its events with `at` as milliseconds. */
export function runFlow(file, parameters, store) {
  const result = spawnSync(process.execPath, [flowCommand, "run", file, "--store", store, "--json", ...parameters], {
    encoding: "utf8",
    maxBuffer: 1 << 30,
  });
  if (result.status !== 0)
    throw new Error(`${file} ended with ${result.status}: ${result.stderr}\n${result.stdout.slice(-2000)}`);
  return result.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .map((event) => ({ ...event, at: Date.parse(event.at) }));
}
