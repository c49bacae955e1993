/** Whole processes: their time, their output, what they used. A process that fails is an error. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { flowCommand, root } from "./places.mjs";

const REPORT_USAGE = pathToFileURL(path.join(root, "bench/programs/report-usage.mjs")).href;

/**
 * Runs a program of Node to its end.
 *
 * @param {readonly string[]} words file and arguments, or options of Node
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, statuses?: readonly number[] }} [options] `statuses`: exit codes that are
 *   no failure; default 0 alone
 * @returns {{ ms: number, stdout: string, stderr: string }}
 */
export function runNode(words, { statuses = [0], ...options } = {}) {
  const begin = performance.now();
  const result = spawnSync(process.execPath, words, { encoding: "utf8", maxBuffer: 1 << 30, ...options });
  const ms = performance.now() - begin;
  if (result.error) throw result.error;
  if (!statuses.includes(result.status))
    throw new Error(
      `node ${words.join(" ")} ended with ${result.status}: ${result.stderr}\n${result.stdout.slice(-2000)}`,
    );
  return { ms, stdout: result.stdout, stderr: result.stderr };
}

/** Runs the `flow` command; options as of `runNode`. */
export function runCommand(words, options = {}) {
  return runNode([flowCommand, ...words], options);
}

/**
 * Runs the `flow` command and says what its process used, threads included.
 *
 * @returns {ReturnType<typeof runNode> & { peakRssBytes: number, cpuMs: number, readBytes: number }}
 */
export function runCommandMeasured(words, { env = process.env, ...options } = {}) {
  const file = path.join(fs.mkdtempSync(path.join(process.env.MILLRACE_BENCH_FOLDER, "usage-")), "usage.json");
  const done = runNode(["--import", REPORT_USAGE, flowCommand, ...words], {
    ...options,
    env: { ...env, MILLRACE_BENCH_USAGE: file },
  });
  return { ...done, ...JSON.parse(fs.readFileSync(file, "utf8")) };
}

/** Events of `flow run --json`, with `at` in milliseconds. */
export function eventsOf(stdout) {
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .map((event) => ({ ...event, at: Date.parse(event.at) }));
}
