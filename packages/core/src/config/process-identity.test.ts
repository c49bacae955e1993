import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { afterEach, describe, expect, test } from "vitest";
import { isProcessAlive, readProcessIdentity } from "./process-identity.ts";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** Starts a program and waits for its first line. */
async function start(script: string): Promise<{ readonly child: ChildProcess; readonly line: string }> {
  const child = spawn(process.execPath, ["-e", script], { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  const [line] = await once(child.stdout!, "data");
  return { child, line: String(line).trim() };
}

test("a process is named by its host and number, and is alive", () => {
  const identity = readProcessIdentity();
  expect(identity).toMatchObject({ host: hostname(), pid: process.pid });
  expect(isProcessAlive(identity.pid, identity.startedAt)).toBe(true);
  expect(readProcessIdentity()).toEqual(identity);
});

describe.skipIf(process.platform !== "linux")("on Linux", () => {
  test("the identity tells the boot, the numbering of processes and the time of start", () => {
    expect(readProcessIdentity()).toMatchObject({
      bootId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      pidNamespace: expect.stringMatching(/^pid:\[\d+\]$/),
      startedAt: expect.stringMatching(/^\d+$/),
    });
  });

  test("another process with the same number is another one, and one that ended is gone", async () => {
    const { child } = await start("console.log('up'); setInterval(() => {}, 1e6)");
    const pid = child.pid!;
    const [, rest] = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ");
    const startedAt = rest!.split(" ")[19]!;
    expect(isProcessAlive(pid, startedAt)).toBe(true);
    expect(isProcessAlive(pid, String(Number(startedAt) + 1))).toBe(false);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(isProcessAlive(pid, startedAt)).toBe(false);
    expect(isProcessAlive(pid, undefined)).toBe(false);
  });

  test("a name with parentheses and spaces does not move the fields", async () => {
    const { child } = await start("process.title = 'a) R 1 (2'; console.log('up'); setInterval(() => {}, 1e6)");
    expect(readFileSync(`/proc/${child.pid}/stat`, "latin1")).toContain("a) R 1 (2");
    const fields = readFileSync(`/proc/${child.pid}/stat`, "latin1").split(" ");
    const startedAt = fields.at(21 - 52)!; // counted from the end: field 22 of 52
    expect(isProcessAlive(child.pid!, startedAt)).toBe(true);
  });

  test("a zombie has ended", { timeout: 60_000 }, async () => {
    // A shell that becomes a program which never asks how its child ended: the child stays in the table of processes.
    const child = spawn("sh", ["-c", "sleep 60 & echo $!; exec sleep 60"], { stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    const [line] = await once(child.stdout, "data");
    const zombie = Number(String(line).trim());
    const waits = { timeout: 20_000 };
    await expect.poll(() => readFileSync(`/proc/${child.pid}/comm`, "latin1"), waits).toBe("sleep\n");
    expect(isProcessAlive(zombie, undefined)).toBe(true);
    process.kill(zombie, "SIGKILL");
    await expect.poll(() => readFileSync(`/proc/${zombie}/stat`, "latin1"), waits).toMatch(/\) Z /);
    expect(isProcessAlive(zombie, undefined)).toBe(false);
  });
});
