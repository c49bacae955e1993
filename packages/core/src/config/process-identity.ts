import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import type { RunnerIdentity } from "../events/run-record.ts";

/**
 * This process as the runner of runs. On Linux /proc tells the boot, the numbering of processes and the start of the
 * process; elsewhere there is only its number.
 */
export function readProcessIdentity(): RunnerIdentity {
  const bootId = told(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());
  const pidNamespace = told(() => readlinkSync("/proc/self/ns/pid"));
  const startedAt = startOf(process.pid)?.startedAt;
  return {
    host: hostname() || "unknown",
    pid: process.pid,
    ...(bootId === undefined ? {} : { bootId }),
    ...(pidNamespace === undefined ? {} : { pidNamespace }),
    ...(startedAt === undefined ? {} : { startedAt }),
  };
}

/**
 * Whether a process of this machine lives.
 *
 * @param startedAt  from its identity; a process of the same number that started at another time is another one
 * @returns undefined when the system does not tell: it has no /proc and the number is taken, or hides other users' processes
 */
export function isProcessAlive(pid: number, startedAt: string | undefined): boolean | undefined {
  const start = startOf(pid);
  if (start !== undefined) return !start.isDead && (startedAt === undefined || start.startedAt === startedAt);
  try {
    process.kill(pid, 0); // Signal 0 only asks.
    return startedAt === undefined ? true : undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM" ? undefined : false;
  }
}

/**
 * When a process started, in clock ticks since the boot: field 22 of its stat file. The second field, the name in
 * parentheses, may hold anything, so fields are counted from behind the last parenthesis.
 *
 * @see proc(5)
 */
function startOf(pid: number): { readonly startedAt: string; readonly isDead: boolean } | undefined {
  const stat = told(() => readFileSync(`/proc/${pid}/stat`, "latin1"));
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, startedAt] = [fields[0], fields[19]];
  if (state === undefined || startedAt === undefined) return undefined;
  // A zombie has ended; it only waits for a parent that asks how.
  return { startedAt, isDead: state === "Z" || state === "X" };
}

function told<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined; // Not Linux, a process that is gone, or one that may not be looked at.
  }
}
