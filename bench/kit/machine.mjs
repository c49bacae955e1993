/** What figures were measured on: without it they mean nothing to anybody else. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import { root } from "./places.mjs";

/** @param {string} folder where stores are made */
export function machineFacts(folder) {
  return {
    cores: os.availableParallelism(),
    cpu: os.cpus()[0]?.model ?? "unknown",
    memoryBytes: os.totalmem(),
    loadBefore: os.loadavg()[0],
    node: process.version,
    os: `${os.type()} ${os.release()} ${os.arch()}`,
    filesystem: filesystemOf(folder),
    // How stores are opened; `open.test.ts` of the records holds it.
    synchronous: "FULL",
  };
}

/** The commit of this checkout, and whether its files differ from it. */
export function sourceFacts() {
  const git = (...words) => spawnSync("git", words, { cwd: root, encoding: "utf8" }).stdout?.trim();
  return { commit: git("rev-parse", "HEAD") || "unknown", isDirty: git("status", "--porcelain") !== "" };
}

/** Whether a folder lies in memory: there, syncing costs nothing, and figures say nothing about a disk. */
export function isInMemory(folder) {
  return /^(tmpfs|ramfs)/.test(filesystemOf(folder));
}

function filesystemOf(folder) {
  let mounts;
  try {
    mounts = fs.readFileSync("/proc/self/mounts", "utf8").trim().split("\n");
  } catch {
    return "unknown";
  }
  const real = fs.realpathSync(folder);
  const within = mounts
    .map((mount) => mount.split(" "))
    .filter(([, at]) => real === at || real.startsWith(at === "/" ? "/" : `${at}/`))
    .sort((one, other) => one[1].length - other[1].length);
  return within.at(-1)?.[2] ?? "unknown";
}
