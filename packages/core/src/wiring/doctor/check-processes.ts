/** Worker processes that nobody waits for. */
import fs from "node:fs";
import type { Check, Found } from "./report.ts";
import { countText } from "./report.ts";

/** How a worker process is called: by its entry file, whatever the copy of core. */
const ENTRY = /(?:@millrace|packages)\/core\/dist\/worker-process\.js$/;
const SHOWN = 10;

export function processChecks(): readonly Check[] {
  return [{ area: "processes", check: "workers", run: () => [workersFinding()] }];
}

/**
 * A worker process ends itself when its runner is gone. One that is stopped, or that its system will not end, cannot; it
 * is known by a parent that is no Node any more.
 */
function workersFinding(): Found {
  const check = "workers";
  if (process.platform !== "linux")
    return { check, status: "ok", found: "not looked for: this system does not list processes in /proc" };
  const workers = listWorkers();
  const orphans = workers.filter((worker) => worker.isOrphan).map(({ pid }) => pid);
  const facts = { workers: workers.map(({ pid }) => pid), orphans };
  if (orphans.length === 0) {
    const found =
      workers.length === 0
        ? "no worker process is there"
        : `${countText(workers.length, "worker process", "worker processes")} at work`;
    return { check, status: "ok", found, facts };
  }
  const shown = orphans.slice(0, SHOWN).join(" ");
  return {
    check,
    status: "warn",
    found: `${orphans.length === 1 ? "one worker process has" : `${orphans.length} worker processes have`} lost the runner: ${shown}${orphans.length > SHOWN ? " …" : ""}`,
    next: `End ${orphans.length === 1 ? "it" : "them"}: kill -9 ${shown}`,
    facts,
  };
}

interface WorkerProcess {
  readonly pid: number;
  readonly isOrphan: boolean;
}

function listWorkers(): readonly WorkerProcess[] {
  return fs
    .readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const worker = lookAt(Number(name));
      return worker === undefined ? [] : [worker];
    });
}

/** Undefined for what is no worker, has ended meanwhile, or belongs to a user whose processes may not be looked at. */
function lookAt(pid: number): WorkerProcess | undefined {
  try {
    const words = fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    if (!words.some((word) => ENTRY.test(word))) return undefined;
    // Behind the name, which stands in parentheses and may hold anything, come state and parent. See proc(5).
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
    const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (state === "Z" || state === "X") return undefined;
    // A runner forks its workers with its own Node; who takes over an orphan is another program.
    const isOrphan = parent === "1" || fs.readlinkSync(`/proc/${pid}/exe`) !== fs.readlinkSync(`/proc/${parent}/exe`);
    return { pid, isOrphan };
  } catch {
    return undefined;
  }
}
