/** Disks that are full, that may not be written, names that are too long, and too few files that may be open. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CacheFolder } from "../../packages/core/src/storage/remote/cache-folder.ts";
import { sample, seeded } from "../kit/seed.ts";
import { named, whyNot } from "./kit/tools.ts";
import { errorOf, Victim } from "./kit/victim.ts";
import { times } from "./twenty.ts";

const victim = new Victim();
const { random } = seeded("disk");
const FULL = /^FLOW_(STORAGE|METADATA)_FULL$/;
beforeAll(() => victim.prepare(), 120_000);
afterAll(() => victim[Symbol.asyncDispose]());

const noMount = whyNot("root", "mount");
const noUser = whyNot("root", "setpriv");

/** A file system in memory, of a size or with a number of inodes, for as long as some work takes. */
async function onDisk(options: string, work: (folder: string, remount: (options: string) => void) => Promise<void>) {
  const folder = path.dirname(victim.newStore());
  fs.mkdirSync(folder, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", options, "none", folder]);
  try {
    await work(folder, (more) => void execFileSync("mount", ["-o", `remount,${more}`, folder]));
  } finally {
    execFileSync("umount", ["-l", folder]);
  }
}

/** Runs on a small disk, then makes room and goes on. Answers whether there was room enough from the beginning. */
async function runOnSmallDisk(options: string): Promise<boolean> {
  let isEnough = false;
  await onDisk(options, async (folder, remount) => {
    const store = path.join(folder, ".millrace");
    const ended = await victim.ended(victim.start(store, ["run", "small.ts"]));
    isEnough = ended.code === 0;
    if (!isEnough) {
      expect(errorOf(ended.stdout).message, ended.stdout).toContain("ENOSPC");
      victim.expectSaid(store, ended, FULL);
      const aside = path.join(store, "tmp");
      expect(fs.existsSync(aside) ? fs.readdirSync(aside) : []).toEqual([]);
    }
    remount("size=64m,nr_inodes=10000");
    await victim.expectUnharmed(store, ended);
  });
  return isEnough;
}

describe.skipIf(noMount !== undefined)(named("a disk that becomes full", noMount), () => {
  // Nothing is enough for the smallest, and all is there on the largest. What the run needs lies between 600 and 900 KiB: how
  // many transactions it has, and so how long its log becomes, is for the moment to decide.
  const sizes = [...Array.from({ length: 19 }, (_, index) => 8 + index * 52), 4096].map((kib) => `size=${kib}k`);
  const inodes = Array.from({ length: 10 }, (_, index) => 2 + index * 2).map((count) => `size=64m,nr_inodes=${count}`);

  test.each([
    ["of 20 sizes", sizes, 3],
    ["of 10 numbers of inodes", inodes, 2],
  ] as const)("%s", { timeout: 600_000 }, async (_, all, inCi) => {
    const first = [all[0]!, all.at(-1)!];
    const chosen = times(0, 1) === 1 ? all : [...sample(all.slice(1, -1), inCi - 2, random), ...first];
    const enough = new Map<string, boolean>();
    for (const options of chosen) enough.set(options, await runOnSmallDisk(options));
    console.log(`disk: ${JSON.stringify(Object.fromEntries(enough))}`);
    expect(first.map((options) => enough.get(options))).toEqual([false, true]);
  });
});

describe.skipIf(noMount !== undefined)(named("a disk of the cache that becomes full", noMount), () => {
  test("is told with the cache's folder and the setting that bounds it, and nothing is left behind", async () => {
    await onDisk("size=200k", async (folder) => {
      const place = { folder: path.join(folder, "cache"), temporaryFolder: path.join(folder, "tmp") };
      const cache = new CacheFolder({ ...place, limitBytes: 1e9 });
      const large = new Uint8Array(400_000);
      const full = {
        code: "FLOW_STORAGE_FULL",
        message: expect.stringContaining(`the cache "${place.folder}"`),
        hint: expect.stringContaining("MILLRACE_CACHE_BYTES"),
      };
      expect(() => cache.keepSync("key", [large])).toThrow(expect.objectContaining(full));
      await expect(cache.keepStream("key", piecesOf(large), large.length)).rejects.toMatchObject(full);
      expect(fs.readdirSync(place.temporaryFolder)).toEqual([]);
    });
  });
});

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}

describe("a store that may not be written", () => {
  const run = async (store: string, under?: readonly string[]) =>
    await victim.ended(victim.start(store, ["run", "small.ts"], under === undefined ? {} : { under }));

  test.skipIf(noMount !== undefined)(named("lies on a disk that is mounted read-only", noMount), async () => {
    await onDisk("size=64m", async (folder, remount) => {
      const store = path.join(folder, ".millrace");
      remount("ro");
      const fresh = await run(store);
      victim.expectSaid(store, fresh, /^FLOW_STORAGE_DENIED$/);
      expect(errorOf(fresh.stdout).message).toContain("EROFS");
      remount("rw");
      expect((await run(store)).code).toBe(0);
      remount("ro");
      const again = await run(store);
      victim.expectSaid(store, again, /^FLOW_(STORAGE_DENIED|METADATA_READ_ONLY)$/);
      expect(errorOf(again.stdout).message).toContain("EROFS");
      // What is there can be read all the same.
      expect((await victim.project.flow(["dump", "Small/1.sum", "--store", store])).stdout.trim()).toBe("14");
    });
  });

  test.skipIf(noUser !== undefined)(named("belongs to another user", noUser), async () => {
    fs.chmodSync(victim.project.folder, 0o755);
    const store = victim.newStore();
    const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const home = path.join(victim.project.folder, "home");
    fs.mkdirSync(home, { mode: 0o777 });
    fs.chmodSync(home, 0o777);
    fs.mkdirSync(path.dirname(store), { recursive: true });
    const asNobody = (words: readonly string[]) =>
      victim.ended(
        victim.start(store, words, { under: nobody, env: { HOME: home, XDG_CACHE_HOME: path.join(home, "cache") } }),
      );
    const fresh = await asNobody(["run", "small.ts"]);
    victim.expectSaid(store, fresh, /^FLOW_STORAGE_DENIED$/);
    expect(errorOf(fresh.stdout).message).toContain("EACCES");
    expect((await run(store)).code).toBe(0);
    const again = await asNobody(["run", "small.ts"]);
    victim.expectSaid(store, again, /^FLOW_(STORAGE_DENIED|METADATA_UNAVAILABLE|METADATA_READ_ONLY)$/);
    const read = await asNobody(["runs"]);
    victim.expectSaid(store, read, /^FLOW_STORAGE_DENIED$/);
  });

  test("has a name that is too long", async () => {
    const store = victim.project.file("n".repeat(300));
    const ended = await run(store);
    victim.expectSaid(store, ended, /^FLOW_STORAGE_UNAVAILABLE$/);
    expect(errorOf(ended.stdout).message).toContain("ENAMETOOLONG");
  });
});

const noLimit = process.platform === "win32" ? "Windows has no such limit" : undefined;
describe.skipIf(noLimit !== undefined)(named("a process that may open few files", noLimit), () => {
  test("goes on, or says which limit stands in its way", { timeout: 600_000 }, async () => {
    const codes = new Set<string>();
    // Below 21 Node itself does not come up.
    for (const limit of times(0, 1) === 1 ? Array.from({ length: 44 }, (_, index) => 21 + index) : [22, 30]) {
      const store = victim.newStore();
      const ended = await victim.ended(
        victim.start(store, ["run", "small.ts"], { under: ["sh", "-c", `ulimit -n ${limit}; exec "$@"`, "sh"] }),
      );
      if (ended.code !== 0) {
        const error = errorOf(ended.stdout);
        codes.add(error.code);
        expect([1, 3], ended.stdout).toContain(ended.code);
        expect(error.hint === undefined ? error.message : error.hint, ended.stdout).toMatch(/ulimit -n|EMFILE/);
      }
      await victim.expectUnharmed(store, ended);
    }
    console.log(`open files: ${[...codes].sort().join(" ")}`);
    expect(codes.size).toBeGreaterThan(0); // Which file is one too many is a matter of what is quicker.
  });
});
