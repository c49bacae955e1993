/** A store of the first schema is brought to the newest one, and whatever happens meanwhile, all that it held is there. */
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { SCHEMA_VERSION } from "../../packages/core/src/metadata/sql/migrations/migrations.ts";
import { openReader } from "../../packages/core/src/metadata/sqlite/connection.ts";
import { openSqliteMetadata } from "../../packages/core/src/metadata/sqlite/sqlite-metadata.ts";
import { openFsBlobStore } from "../../packages/core/src/storage/fs/fs-blob-store.ts";
import { readEverything } from "../golden/read-everything.ts";
import { sample, seeded } from "../kit/seed.ts";
import { auditPowerCut } from "./kit/power-cut.ts";
import { named, whyNot } from "./kit/tools.ts";
import { type Fault, type Place, placesOf, runRecorded, runTraced } from "./kit/tracer.ts";
import { Victim } from "./kit/victim.ts";
import { times } from "./twenty.ts";

const GOLDEN = fileURLToPath(new URL("../golden/store-v1", import.meta.url));
const expected = JSON.parse(fs.readFileSync(path.join(GOLDEN, "expected.json"), "utf8"));
const victim = new Victim();
const { random } = seeded("migrations");
const reason = whyNot("strace");
/** Any command that opens a store which it may write brings it up. */
const WORDS = ["runs"];
const tally = { killed: 0, failed: 0, old: 0 };

afterAll(async () => {
  console.log(`migrations: ${JSON.stringify(tally)}`);
  await victim[Symbol.asyncDispose]();
});

function oldStore(): string {
  const store = victim.newStore();
  fs.cpSync(path.join(GOLDEN, "store"), store, { recursive: true });
  return store;
}

function versionOf(file: string): unknown {
  const db = openReader(file);
  try {
    expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
    return db.prepare("SELECT schema_version FROM store").pluck().get();
  } finally {
    db.close();
  }
}

/** The store has the old schema or the new one, whole, and a copy of the old one before it has the new one. */
async function expectAllThere(store: string): Promise<void> {
  const file = path.join(store, "millrace.db");
  const version = versionOf(file);
  expect([1, SCHEMA_VERSION]).toContain(version);
  if (version === 1) tally.old++;
  const copy = `${file}.before-2`;
  if (version !== 1 || fs.existsSync(copy)) expect(versionOf(copy)).toBe(1);
  const metadata = await openSqliteMetadata(file);
  try {
    expect(await readEverything(metadata, openFsBlobStore(store))).toMatchObject(expected);
    expect((await metadata.info()).schemaVersion).toBe(SCHEMA_VERSION);
  } finally {
    await metadata.close();
  }
  expect(fs.readdirSync(store).filter((name) => name.endsWith(".part"))).toEqual([]);
  fs.rmSync(path.dirname(store), { recursive: true });
}

test(`killed at ${times(4, 50)} random instants, a migration loses nothing`, { timeout: 1_200_000 }, async () => {
  const store = oldStore();
  const { code, durationMs } = await victim.start(store, WORDS).ended;
  expect([code, versionOf(path.join(store, "millrace.db"))]).toEqual([0, SCHEMA_VERSION]);
  for (let kill = 0; kill < times(4, 50); kill++) {
    const hurt = oldStore();
    const run = victim.start(hurt, WORDS);
    await run.after((0.3 + 0.7 * random()) * durationMs); // Before it is Node that comes up.
    run.killGroup();
    if ((await run.ended).code !== 0) tally.killed++;
    await expectAllThere(hurt);
  }
});

describe.skipIf(reason !== undefined)(named("a system call of a migration", reason), () => {
  const traced = {
    words: WORDS,
    files: ["millrace.db.before-2", "millrace.db.before-2.part", "millrace.db.before-2.part-journal"],
  };

  test.each<readonly [string, Fault, number]>([
    ["is the last one", { what: "signal=KILL" }, 6],
    ["fails with EIO", { what: "error=EIO" }, 2],
    ["fails from then on with ENOSPC", { what: "error=ENOSPC", isPersistent: true }, 2],
  ])("%s", { timeout: 3_600_000 }, async (_, fault, inCi) => {
    const first = oldStore();
    const { ended, calls } = await runTraced(victim, first, "main", undefined, traced);
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    const places = placesOf("main", calls, first);
    expect(places.length).toBeGreaterThan(50);
    const wrong: string[] = [];
    for (const place of sample(places, times(inCi, places.length), random)) {
      await hurt(place, fault).catch((error: Error) => void wrong.push(`${JSON.stringify(place)}: ${error.message}`));
    }
    expect(wrong).toEqual([]);
    console.log(`migrations: ${places.length} places`);
  });

  async function hurt(place: Place, fault: Fault): Promise<void> {
    const store = oldStore();
    const { ended } = await runTraced(victim, store, "main", { place, fault }, traced);
    if (ended.code === null || ended.code === 137) tally.killed++;
    else if (ended.code !== 0) {
      tally.failed++;
      // A database that cannot be opened for writing SQLite opens for reading, and says only later that it has.
      victim.expectSaid(store, ended, /^FLOW_METADATA_(UNAVAILABLE|FULL|READ_ONLY)$/);
    }
    await expectAllThere(store);
  }

  test("is followed by an fsync wherever a power cut could take something", async () => {
    const store = oldStore();
    const { ended, calls } = await runRecorded(victim, store, WORDS);
    expect([ended.code, versionOf(path.join(store, "millrace.db"))]).toEqual([0, SCHEMA_VERSION]);
    expect(auditPowerCut(calls, store, [])).toEqual([]);
    const copied = calls.filter(({ name, file }) => name === "fsync" && file?.endsWith(".part") === true);
    expect(copied.length).toBeGreaterThan(0);
    const without = calls.filter((call) => !copied.includes(call));
    expect(auditPowerCut(without, store, [])).not.toEqual([]);
  });
});
