/** The wall clock is put forward a year or back a day while a run goes on: it is not believed where it must not be. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inStore } from "./kit/look.ts";
import { named, whyNot } from "./kit/tools.ts";
import { heldUntil } from "./kit/tracer.ts";
import { Victim } from "./kit/victim.ts";
import { times } from "./twenty.ts";

const DAY_MS = 86_400_000;
const reason = whyNot("faketime");
const victim = new Victim();
beforeAll(() => victim.prepare(), 120_000);
afterAll(() => victim[Symbol.asyncDispose]());

/** The library that stands between a program and the clock. */
function library(): string {
  const files = execFileSync("dpkg", ["-L", "libfaketime"], { encoding: "utf8" }).split("\n");
  return files.find((file) => file.endsWith("libfaketimeMT.so.1"))!;
}

describe.skipIf(reason !== undefined)(named("a wall clock that jumps while a run goes on", reason), () => {
  const jumps = [
    ["a day back", "-1d", -1],
    ["a year ahead", "+1y", 365],
  ] as const;
  test.each(jumps.slice(0, times(1, 2)))("%s", async (_, jump, days) => {
    const store = victim.newStore();
    const clock = victim.project.file("clock");
    fs.writeFileSync(clock, "+0d");
    let whileRunning: any;
    const begin = Date.now();
    const ended = await heldUntil(
      victim,
      store,
      ["run", "small.ts", "--tag", "jumped", "--with", "timeout=30s", "--with", "retry:times=1,delay=50ms"],
      async () => {
        fs.writeFileSync(clock, jump);
        // It beats after two seconds: another process with the right time sees a beat from elsewhere in time.
        await new Promise((resolve) => setTimeout(resolve, 2_200));
        whileRunning = (await victim.project.flow(["runs", "--store", store, "--json"])).lines[0];
      },
      {
        LD_PRELOAD: library(),
        FAKETIME_TIMESTAMP_FILE: clock,
        FAKETIME_NO_CACHE: "1",
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
      },
    );
    const tookMs = Date.now() - begin;
    expect([ended.code, ended.stderr], ended.stdout).toEqual([0, ""]);
    expect(whileRunning).toMatchObject({ run: "Small/1", status: "running" });
    await victim.expectRight(store, 1);
    const { record } = JSON.parse(ended.stdout.trimEnd().split("\n").at(-1)!);
    // The clock did jump, and a run that was begun before and ended after shows it, but no time is negative.
    const finished = new Date(record.finishedAt).getTime() - begin;
    expect(Math.abs(finished - days * DAY_MS)).toBeLessThan(2 * tookMs + DAY_MS / 24);
    expect(record.durationMs).toBeGreaterThanOrEqual(0);
    await inStore(store, async ({ metadata }) => {
      const [run] = await metadata.runs({});
      const tasks = await metadata.tasks({ run: run!.sequence });
      expect(tasks.map(({ attempt, status }) => [attempt, status])).toEqual(tasks.map(() => [1, "succeeded"]));
      for (const { durationMs } of tasks) {
        expect(durationMs).toBeGreaterThanOrEqual(0);
        expect(durationMs).toBeLessThan(tookMs);
      }
    });
    // The next run is the newest one, whatever the clock said when the first ended.
    expect((await victim.start(store, ["run", "small.ts", "--tag", "jumped"]).ended).code).toBe(0);
    const newest = await victim.project.flow(["show", "Small@jumped", "--store", store, "--json"]);
    expect(JSON.parse(newest.stdout).run).toBe("Small/2");
  });
});
