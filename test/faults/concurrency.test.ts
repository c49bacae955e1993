/** Many commands on one store at one instant, some of them killed; and a program that keeps the store to itself. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyTagLog } from "../../packages/core/src/metadata/tag-chain.ts";
import { seeded } from "../kit/seed.ts";
import type { SpawnedFlow } from "../kit/spawned-flow.ts";
import { inStore } from "./kit/look.ts";
import { heldUntil } from "./kit/tracer.ts";
import { errorOf, Victim } from "./kit/victim.ts";
import { times } from "./twenty.ts";

const CORE = fileURLToPath(new URL("../../packages/core", import.meta.url));
const isAll = times(0, 1) === 1;
const victim = new Victim();
const { random } = seeded("concurrency");
beforeAll(() => victim.prepare(), 120_000);
afterAll(() => victim[Symbol.asyncDispose]());

/** Files of a store that are values or were to become some, by name. */
function filesIn(store: string, folder: string): readonly string[] {
  return fs
    .readdirSync(path.join(store, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);
}

describe("runs that begin at one instant on an empty store", () => {
  const counts = Array.from({ length: times(1, 10) }, () => times(6, 8)).concat(isAll ? [32] : []);
  test(`all succeed, ${counts.join(" and ")} of them`, { timeout: 1_800_000 }, async () => {
    for (const count of counts) {
      const store = victim.newStore();
      const runs = Array.from({ length: count }, () => victim.start(store, ["run", "small.ts", "--max-workers", "1"]));
      const ended = await Promise.all(runs.map((run) => victim.ended(run)));
      for (const { code, stdout, stderr } of ended) expect([code, stderr], stdout).toEqual([0, ""]);
      const names = ended.map(({ stdout }) => JSON.parse(stdout.trimEnd().split("\n").at(-1)!).record.run);
      const numbers = Array.from({ length: count }, (_, index) => index + 1);
      expect(names.toSorted()).toEqual(numbers.map((number) => `Small/${number}`).toSorted());
      for (const number of numbers) await victim.expectRight(store, number);
      // All of them have written the same values.
      expect(filesIn(store, "blobs").toSorted()).toHaveLength(4);
      expect(filesIn(store, "tmp")).toEqual([]);
    }
  });
});

describe("tags that many move at one instant while some are killed", () => {
  test("have one history, and it says who holds them", { timeout: 1_800_000 }, async () => {
    const store = victim.newStore();
    for (let run = 0; run < 3; run++) expect((await victim.start(store, ["run", "small.ts"]).ended).code).toBe(0);
    let [told, killed] = [0, 0];
    for (let round = 0; round < times(1, 5); round++) {
      const moves = Array.from({ length: times(9, 50) }, (_, index) => {
        const verb = random() < 0.6 ? "add" : "remove";
        const run = `Small/${1 + Math.floor(random() * 3)}`;
        const reason = `${round} ${index}`;
        return { verb, run, reason, flow: victim.start(store, ["tag", verb, run, "prod", "--reason", reason]) };
      });
      const isEach = 3; // One in three is killed, at some instant of its life.
      await Promise.all(
        moves.map(({ flow }, index) => (index % isEach === 0 ? killSoon(flow, moves.length) : undefined)),
      );
      for (const { flow, verb, reason } of moves) {
        const { code, stdout, stderr, signal } = await victim.ended(flow);
        expect([stderr, code === 0 || signal === "SIGKILL"], stdout).toEqual(["", true]);
        if (code !== 0) {
          killed++;
          continue;
        }
        // What it says that it has moved stands in the log, and nothing else of it.
        const { moves: said } = JSON.parse(stdout) as { readonly moves: readonly { readonly digest: string }[] };
        told += said.length;
        const log = await inStore(store, ({ metadata }) => metadata.tagEvents({ limit: 1_000 }));
        const mine = log.filter((event) => event.reason === reason);
        expect(mine.map(({ digest }) => digest)).toEqual(said.map(({ digest }) => digest));
        for (const event of mine) expect(event).toMatchObject({ verb, tag: "prod" });
      }
      await inStore(store, async ({ metadata }) => {
        const log = (await metadata.tagEvents({ limit: 1_000 })).toReversed();
        expect(verifyTagLog(log)).toMatchObject({ kind: "whole", events: log.length });
        const holders = new Set<string>();
        for (const { verb, run = "" } of log) {
          // In some order, one after another: none adds what is held, none removes what is not.
          expect(holders.has(run)).toBe(verb === "remove");
          if (verb === "add") holders.add(run);
          else holders.delete(run);
        }
        const now = (await metadata.runs({ tags: ["prod"] })).map(({ id }) => id);
        expect(now.toSorted()).toEqual([...holders].toSorted());
      });
    }
    console.log(`tags: ${told} moves told, ${killed} commands killed`);
    expect(killed).toBeGreaterThan(0);
  });

  /** The more there are, the longer each of them takes. */
  async function killSoon(flow: SpawnedFlow, beside: number): Promise<void> {
    await flow.after(random() * (200 + 26 * beside));
    flow.killGroup();
  }
});

describe("another program that has the store locked", () => {
  /** Begins a transaction and holds it until it is told to end. */
  async function lock(store: string): Promise<() => Promise<void>> {
    const program = `
      import Database from "better-sqlite3";
      const db = new Database(process.argv[1]);
      db.exec("BEGIN IMMEDIATE");
      console.log("locked");
      process.stdin.on("end", () => { db.exec("COMMIT"); db.close(); }).resume();`;
    const args = ["--input-type=module", "--eval", program, path.join(store, "millrace.db")];
    const holder = spawn(process.execPath, args, { cwd: CORE, stdio: ["pipe", "pipe", "inherit"] });
    await once(holder.stdout, "data");
    return async () => {
      holder.stdin.end();
      await once(holder, "exit");
    };
  }

  test(`is waited for, ${times(2, 5)} s`, { timeout: 120_000 }, async () => {
    const store = victim.newStore();
    const begin = performance.now();
    const ended = await heldUntil(victim, store, ["run", "small.ts"], async () => {
      const unlock = await lock(store);
      setTimeout(() => void unlock(), times(2_000, 5_000));
    });
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    expect(performance.now() - begin).toBeGreaterThan(times(2_000, 5_000));
    await victim.expectUnharmed(store, ended);
  });

  test.skipIf(!isAll)(
    "is not waited for longer than 30 s, and what was not recorded is done again",
    { timeout: 300_000 },
    async () => {
      const store = victim.newStore();
      let unlock = async (): Promise<void> => {};
      const ended = await heldUntil(victim, store, ["run", "small.ts"], async () => {
        unlock = await lock(store);
      });
      await unlock();
      expect(ended.code).toBe(3);
      expect(errorOf(ended.stdout)).toMatchObject({ code: "FLOW_METADATA_BUSY" });
      victim.expectSaid(store, ended, /^FLOW_METADATA_BUSY$/);
      await victim.expectUnharmed(store, ended);
    },
  );
});
