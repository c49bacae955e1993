/**
 * Every system call by which a run changes its store is the last one (kill), or fails, once or from then on. The run may
 * end; it may not lie, lose or hang, and it goes on afterwards to the artifacts of the undisturbed run.
 */
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sample, seeded } from "../kit/seed.ts";
import { named, whyNot } from "./kit/tools.ts";
import { type Call, type Fault, type Place, placesOf, runTraced, type Thread, touches } from "./kit/tracer.ts";
import { Victim } from "./kit/victim.ts";
import { times } from "./twenty.ts";

const reason = whyNot("strace", "attach");
const victim = new Victim();
const { random } = seeded("system-calls");
/** How often something was tried, the fault came to pass at a call of the store, and the run had to go on later. */
const tally = { tried: 0, hit: 0, resumed: 0, slowestMs: 0, slowest: "" };
const places: Place[] = [];
/** What failed although the run succeeded, by call and file. */
const survived = new Map<string, number>();
/** Of what is written here a failed fsync is a failed write: nobody syncs it again, and pages may be gone. */
const MUST_SYNC = /^(?:tmp\/|blobs\/)/;

beforeAll(async () => {
  if (reason !== undefined) return;
  await victim.prepare();
  for (const thread of ["main", "worker"] as const) {
    const store = victim.newStore();
    const { ended, calls } = await runTraced(victim, store, thread);
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    places.push(...placesOf(thread, calls, store));
  }
  const kinds = new Set(places.map(({ thread, call }) => `${thread} ${call}`));
  for (const kind of ["main pwrite64", "main fsync", "worker fsync", "worker write"])
    expect([...kinds]).toContain(kind);
}, 120_000);

afterAll(async () => {
  console.log(
    `system calls: ${places.length} places, ${JSON.stringify({ ...tally, survived: Object.fromEntries(survived) })}`,
  );
  await victim[Symbol.asyncDispose]();
});

/**
 * A worker thread also writes to wake up others, more or less often: a fault that hits such a call is one of the system
 * that Node runs on, and ends the process by its own checks. It is tried again, in the hope of better luck.
 */
async function hurt(place: Place, fault: Fault, luck = 4): Promise<void> {
  const store = victim.newStore();
  const what = `${place.thread} ${place.call} ${place.index} ${fault.what}${fault.isPersistent ? "+" : ""}`;
  const begin = performance.now();
  try {
    const { ended, calls } = await runTraced(victim, store, place.thread, { place, fault });
    const isKilled = ended.signal === "SIGKILL" || ended.code === 137;
    const injected = calls.filter((call) => call.isInjected);
    if (injected.length > 0 && !touches(injected[0]!, store)) {
      if (luck > 0) await hurt(place, fault, luck - 1);
      return;
    }
    const isHit = fault.what.startsWith("signal") ? isKilled : injected.length > 0;
    tally.tried++;
    if (isHit) tally.hit++;
    else expect(ended.code).toBe(0);
    if (ended.code !== 0) {
      tally.resumed++;
      if (!isKilled) victim.expectSaid(store, ended, /^FLOW_(STORAGE|METADATA)_(UNAVAILABLE|FULL|DENIED|READ_ONLY)$/);
    }
    if (isHit && ended.code === 0) expectBearable(injected[0]!, store);
    await victim.expectUnharmed(store, ended);
    const took = Math.round(performance.now() - begin);
    if (took > tally.slowestMs) Object.assign(tally, { slowestMs: took, slowest: what });
  } catch (error) {
    throw Object.assign(error as Error, { message: `${what}: ${(error as Error).message}` });
  } finally {
    fs.rmSync(path.dirname(store), { recursive: true, force: true });
  }
}

/** A run that succeeds all the same has not taken a value for durable that is not. */
function expectBearable({ name, file, paths }: Call, store: string): void {
  const place = path.relative(store, file ?? paths[0]!).replace(/TMP-.*/, "TMP");
  const kind = `${name} ${place}`;
  survived.set(kind, (survived.get(kind) ?? 0) + 1);
  if (name === "fsync") expect(place).not.toMatch(MUST_SYNC);
}

/** Where a fault can be: from then on, the calls by which threads of Node wake up each other would fail as well. */
function isFor(fault: Fault): (place: Place) => boolean {
  return ({ thread, call }) => !(fault.isPersistent && thread === "worker" && call === "write");
}

/** As many places as asked for, of every kind of call in both threads. */
function chosen(fault: Fault, calls: RegExp, count: number): readonly Place[] {
  const all = places.filter(isFor(fault)).filter(({ call }) => calls.test(call));
  if (count >= all.length) return all;
  const kinds = Object.values(Object.groupBy(all, ({ thread, call }: Place) => `${thread as Thread} ${call}`));
  return sample(
    kinds.flatMap((kind) => sample(kind!, Math.ceil(count / kinds.length), random)),
    count,
    random,
  );
}

/** What happens, how often in CI, and the calls that can fail like this. */
const FAULTS: readonly (readonly [string, Fault, number, RegExp])[] = [
  ["is the last one", { what: "signal=KILL" }, 8, /./],
  ["fails once with EIO", { what: "error=EIO" }, 4, /./],
  ["fails from then on with EIO", { what: "error=EIO", isPersistent: true }, 3, /./],
  ["fails once with ENOSPC", { what: "error=ENOSPC" }, 3, /./],
  ["fails from then on with ENOSPC", { what: "error=ENOSPC", isPersistent: true }, 4, /./],
  ["fails from then on with EDQUOT", { what: "error=EDQUOT", isPersistent: true }, 2, /^(?!unlink)/],
  ["fails once with ENFILE", { what: "error=ENFILE" }, 2, /^open/],
];

describe.skipIf(reason !== undefined)(named("a system call of the write path", reason), () => {
  test.each(FAULTS)("%s", { timeout: 7_200_000 }, async (_, fault, count, calls) => {
    const wrong: string[] = [];
    for (const place of chosen(fault, calls, times(count, places.length))) {
      await hurt(place, fault).catch((error: Error) => {
        console.log(`wrong: ${error.message}`); // At once: all tries take long.
        wrong.push(error.message);
      });
      if (tally.tried % 25 === 0) console.log(`system calls: ${tally.tried} tried`);
    }
    expect(wrong).toEqual([]);
  });
});
