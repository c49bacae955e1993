/**
 * What was acknowledged survives a power cut: proved from the system calls of whole commands. Nothing is cut off here; it
 * is shown that at no instant a cut could take away what a row names, what a command has said, or the store itself.
 */
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { look } from "./kit/look.ts";
import { auditPowerCut } from "./kit/power-cut.ts";
import { named, whyNot } from "./kit/tools.ts";
import { type Call, runRecorded } from "./kit/tracer.ts";
import { Victim } from "./kit/victim.ts";

const reason = whyNot("strace");
const victim = new Victim();
afterAll(() => victim[Symbol.asyncDispose]());

/** Digests of values that lie in files of a store. */
function digestsIn(store: string): readonly string[] {
  return fs
    .readdirSync(path.join(store, "blobs"), { recursive: true, encoding: "utf8" })
    .map((file) => path.basename(file, ".zst"))
    .filter((name) => /^[0-9a-f]{64}$/.test(name));
}

function syncsOf(calls: readonly Call[]): readonly Call[] {
  return calls.filter(({ name, file }) => /^f(?:data)?sync$/.test(name) && file !== undefined);
}

function without(calls: readonly Call[], left: Call): readonly Call[] {
  return calls.filter((call) => call !== left);
}

describe.skipIf(reason !== undefined)(named("a power cut", reason), () => {
  let store: string;
  let calls: readonly Call[];

  beforeAll(async () => {
    store = victim.newStore();
    const recorded = await runRecorded(victim, store, ["run", "small.ts", "--tag", "first"]);
    expect([recorded.ended.code, recorded.ended.stderr]).toEqual([0, ""]);
    calls = recorded.calls;
  }, 120_000);

  test("takes nothing from a run that made its store: not a value, not a row, not the store", () => {
    const digests = digestsIn(store);
    expect(digests.length).toBe(4);
    // The rows were seen: for each of the values a page of the log names it.
    const log = calls.filter(({ name, file }) => name === "pwrite64" && file?.endsWith("-wal") === true);
    for (const hex of digests) expect(log.some(({ bytes }) => bytes.includes(Buffer.from(hex, "hex")))).toBe(true);
    expect(auditPowerCut(calls, store, digests)).toEqual([]);
  });

  test("takes nothing from later commands on the store", async () => {
    for (const words of [
      ["run", "small.ts"],
      ["tag", "add", "Small/1", "second"],
    ]) {
      const before = digestsIn(store);
      const { ended, calls: more } = await runRecorded(victim, store, words);
      expect([ended.code, ended.stderr]).toEqual([0, ""]);
      expect(more.filter(({ name }) => name === "fsync").length).toBeGreaterThan(1);
      const fresh = digestsIn(store).filter((digest) => !before.includes(digest));
      expect(auditPowerCut(more, store, fresh)).toEqual([]);
    }
  });

  test("takes nothing from an import that made its store, nor from one into a store that is there", async () => {
    const other = victim.newStore();
    expect((await victim.ended(victim.start(store, ["run", "small.ts"]))).code).toBe(0);
    const { run: second } = await look(store);
    for (const [run, values] of [
      ["Small/1", 4],
      [second!, 0],
    ] as const) {
      const file = victim.project.file(`${path.basename(run)}.tar`);
      expect((await victim.ended(victim.start(store, ["export", run, "-o", file]))).code).toBe(0);
      const before = values > 0 ? [] : digestsIn(other);
      const { ended, calls: more } = await runRecorded(victim, other, ["import", file]);
      expect([ended.code, ended.stderr], ended.stdout).toEqual([0, ""]);
      const fresh = digestsIn(other).filter((digest) => !before.includes(digest));
      expect(fresh).toHaveLength(values);
      expect(auditPowerCut(more, other, fresh)).toEqual([]);
      // Without the fsync of a value, of the folder that names it, or of the commit, something would be lost.
      const needed = syncsOf(more).filter((left) => auditPowerCut(without(more, left), other, fresh).length > 0);
      const names = needed.map(({ file: name }) => path.relative(other, name!));
      expect(names.filter((name) => name.startsWith("tmp/TMP"))).toHaveLength(values);
      expect(names.filter((name) => /^blobs\/sha256\/../.test(name))).toHaveLength(values);
      expect(names).toContain("millrace.db-wal");
    }
  });

  test("takes nothing from an export that said that it is done", async () => {
    const folder = path.dirname(victim.newStore());
    fs.mkdirSync(folder, { recursive: true });
    const file = path.join(folder, "small.tar");
    const exported = await runRecorded(victim, store, ["export", "Small/1", "-o", file]);
    expect([exported.ended.code, exported.ended.stderr]).toEqual([0, ""]);
    expect(exported.calls.some(({ name, paths }) => name.startsWith("rename") && paths[1] === file)).toBe(true);
    expect(auditPowerCut(exported.calls, folder, [], file)).toEqual([]);
    const mine = syncsOf(exported.calls).filter((call) => call.file!.startsWith(folder));
    expect(mine).toHaveLength(2); // The file, and the folder that has its name.
    for (const left of mine)
      expect(auditPowerCut(without(exported.calls, left), folder, [], file)).toEqual(
        expect.arrayContaining([expect.stringContaining("synced before it was told")]),
      );
  });

  test("is found to take something when one fsync is left out", () => {
    const digests = digestsIn(store);
    const syncs = syncsOf(calls);
    const needless: string[] = [];
    for (const left of syncs) {
      if (auditPowerCut(without(calls, left), store, digests).length === 0)
        needless.push(path.relative(store, left.file!));
    }
    console.log(`fsyncs: ${syncs.length}, without one of which nothing would be lost: ${needless.sort().join(" ")}`);
    // What was made by no one but this process needs no second fsync, and neither does an empty database. Each value,
    // its folder and each commit that is told does.
    // (The folder of these folders is synced for each new one, and one sync does for all before it.)
    expect(needless.filter((name) => /TMP|sha256\/./.test(name))).toEqual([]);
    // Several commits may stand between two things that are told; that the run is there, goes on and has ended is three.
    const commits = syncs.filter(({ file }) => file!.endsWith("-wal")).length;
    expect(commits - needless.filter((name) => name.endsWith("-wal")).length).toBeGreaterThanOrEqual(3);
  });
});
