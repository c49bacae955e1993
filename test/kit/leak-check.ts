/**
 * Whether something is left behind in this process: threads, child processes, open files, timers and other handles that
 * keep a program alive. As Linux tells it; elsewhere only the handles are looked at.
 */
import fs from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { expect } from "vitest";

/** How long what ends by itself may take to be gone: the system closes a thread after its last word. */
const LIMIT_MS = 3_000;

/** Counts by kind: `{ threads: 11, "file /tmp/a": 1, "handle Timeout": 2 }`. */
type Held = Readonly<Record<string, number>>;

/**
 * Fails when work leaves something behind that was not there before.
 *
 * @param work is done twice: what the first time loads and keeps for good is no leak
 */
export async function expectNoLeak(work: () => Promise<unknown>): Promise<void> {
  await work();
  await settled((first) => first.threads === held().threads);
  const before = held();
  await work();
  const left = await settled((now) => Object.keys(more(before, now)).length === 0);
  expect(JSON.stringify(more(before, left))).toBe("{}"); // As text: an assertion shows it whole.
}

async function settled(isDone: (now: Held) => boolean): Promise<Held> {
  const end = performance.now() + LIMIT_MS;
  let now = held();
  while (!isDone(now) && performance.now() < end) {
    await wait(20);
    now = held();
  }
  return now;
}

function held(): Held {
  const found = process
    .getActiveResourcesInfo()
    // The test's own waiting, and requests that end by themselves.
    .filter(
      (kind) => kind !== "Timeout" && kind !== "Immediate" && !kind.endsWith("Req") && !kind.endsWith("ReqPromise"),
    )
    .map((kind) => `handle ${kind}`);
  if (process.platform === "linux") {
    for (const thread of fs.readdirSync("/proc/self/task")) {
      found.push("threads");
      for (const child of read(`/proc/self/task/${thread}/children`).split(" "))
        if (child !== "") found.push("children");
    }
    for (const descriptor of fs.readdirSync("/proc/self/fd")) {
      const target = link(`/proc/self/fd/${descriptor}`);
      if (target !== undefined) found.push(`file ${target.replace(/\d+/g, "N")}`);
    }
  }
  return Object.fromEntries(
    Object.entries(Object.groupBy(found, (name) => name)).map(([name, all]) => [name, all!.length]),
  );
}

function more(before: Held, now: Held): Held {
  return Object.fromEntries(Object.entries(now).filter(([name, count]) => count > (before[name] ?? 0)));
}

function read(file: string): string {
  try {
    return fs.readFileSync(file, "utf8").trim();
  } catch {
    return ""; // The thread has just ended.
  }
}

function link(file: string): string | undefined {
  try {
    return fs.readlinkSync(file);
  } catch {
    return undefined; // It was the descriptor by which the folder was listed.
  }
}
