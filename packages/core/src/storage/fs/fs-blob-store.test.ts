import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FileCalls, type FileSystem, nodeFileSystem } from "./file-calls.ts";
import { openFsBlobStore } from "./fs-blob-store.ts";
import { createStoreFolder, storeLayout } from "./store-folder.ts";

let parent: string;
let folder: string;

beforeEach(() => {
  parent = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-fs-"));
  folder = path.join(parent, "blobs");
});

afterEach(() => {
  fs.rmSync(parent, { recursive: true, force: true });
});

const value = (size = 200_000) => new Uint8Array(size).map((_, index) => (index * 7) & 0xff);

describe("files", () => {
  test.each([0o000, 0o022, 0o077, 0o777])("are private under the umask %o", (umask) => {
    const before = process.umask(umask);
    try {
      openFsBlobStore(folder).putSync("sha256/ab/abc", [value()]);
    } finally {
      process.umask(before);
    }
    const mode = (file: string) => fs.statSync(path.join(folder, file)).mode & 0o777;
    expect([mode(""), mode("sha256"), mode("sha256/ab"), mode("TMP"), mode("sha256/ab/abc")]).toEqual([
      0o700, 0o700, 0o700, 0o700, 0o600,
    ]);
  });

  test("leave nothing aside, whether the value is new or there", () => {
    const store = openFsBlobStore(folder, { temporaryFolder: path.join(parent, "tmp") });
    store.putSync("k", [value()]);
    store.putSync("k", [value()]);
    expect(fs.readdirSync(path.join(parent, "tmp"))).toEqual([]);
    expect(fs.readdirSync(folder)).toEqual(["k"]);
  });

  test("of writers that died are no values", async () => {
    const store = openFsBlobStore(folder);
    await store.put("a/k", [value(10)]);
    fs.writeFileSync(path.join(folder, "TMP", "TMP-1-abcdef"), "half");
    fs.writeFileSync(path.join(folder, "a", "TMP-1-abcdef"), "half");
    expect(await store.list({ prefix: "" })).toEqual({ keys: ["a/k"] });
  });

  test("are not written through a link that lies in place of the value", () => {
    const target = path.join(parent, "outside");
    fs.writeFileSync(target, "mine");
    const store = openFsBlobStore(folder);
    store.putSync("other", [value(1)]);
    fs.symlinkSync(target, path.join(folder, "k"));
    const foreign = expect.objectContaining({ code: "FLOW_STORAGE_FOREIGN_FILE" });
    expect(() => store.putSync("k", [value(1)])).toThrow(foreign);
    expect(() => store.getSync("k")).toThrow(foreign);
    expect(fs.readFileSync(target, "utf8")).toBe("mine");
  });

  test("are not written through a link that lies in place of a folder", async () => {
    fs.mkdirSync(folder);
    fs.mkdirSync(path.join(parent, "outside"));
    fs.symlinkSync(path.join(parent, "outside"), path.join(folder, "sha256"));
    const store = openFsBlobStore(folder);
    await expect(store.put("sha256/ab/abc", [value(1)])).rejects.toMatchObject({ code: "FLOW_STORAGE_FOREIGN_FILE" });
    expect(fs.readdirSync(path.join(parent, "outside"))).toEqual([]);
    expect((await store.list({ prefix: "" })).keys).toEqual([]);
  });

  test("are not written aside through a link either", () => {
    fs.mkdirSync(path.join(parent, "outside"));
    fs.mkdirSync(path.join(parent, "store"));
    const temporaryFolder = path.join(parent, "store", "tmp");
    fs.symlinkSync(path.join(parent, "outside"), temporaryFolder);
    const before = fs.statSync(path.join(parent, "outside")).mtimeMs;
    const store = openFsBlobStore(path.join(parent, "store"), { temporaryFolder });
    expect(() => store.putSync("k", [value(1)])).toThrow(
      expect.objectContaining({ code: "FLOW_STORAGE_FOREIGN_FILE" }),
    );
    // A file that came and went would have changed the folder's time.
    expect(fs.statSync(path.join(parent, "outside")).mtimeMs).toBe(before);
  });

  test("that are folders or pipes are no values", () => {
    const store = openFsBlobStore(folder);
    store.putSync("a/b", [value(1)]);
    const foreign = expect.objectContaining({ code: "FLOW_STORAGE_FOREIGN_FILE" });
    expect(() => store.getSync("a")).toThrow(foreign);
    expect(() => store.putSync("a", [value(1)])).toThrow(foreign);
    expect(() => store.putSync("a/b/c", [value(1)])).toThrow(foreign);
  });

  test("may lie below a link to the store's own folder", () => {
    fs.mkdirSync(path.join(parent, "big disk"));
    fs.symlinkSync(path.join(parent, "big disk"), folder);
    expect(openFsBlobStore(folder).putSync("k", [value(3)])).toBe("created");
    expect(fs.readdirSync(path.join(parent, "big disk")).sort()).toEqual(["TMP", "k"]);
  });

  test("that are gone with their whole folder are an error, not missing values", async () => {
    const store = openFsBlobStore(folder);
    store.putSync("k", [value(1)]);
    fs.renameSync(folder, path.join(parent, "elsewhere"));
    const gone = { code: "FLOW_STORAGE_UNAVAILABLE", context: { path: folder } };
    expect(() => store.getSync("k")).toThrow(expect.objectContaining(gone));
    await expect(store.stat("k")).rejects.toMatchObject(gone);
    await expect(store.list({ prefix: "" })).rejects.toMatchObject(gone);
  });
});

describe("system calls", () => {
  test("of a store of copies sync nothing", async () => {
    const log: string[] = [];
    const fileSystem = watched((name) => log.push(name));
    const store = openFsBlobStore(folder, { fileSystem, isDurable: false });
    const meanwhile = (): void => void log.push("meanwhile");
    expect(store.putSync("ab/k", [value()], meanwhile)).toBe("created");
    expect(store.putSync("ab/k", [value()])).toBe("exists");
    store.replaceSync("ab/k", [value()]);
    expect(log).toContain("link");
    expect(log.filter((name) => ["fsync", "writeBack", "meanwhile"].includes(name))).toEqual([]);
  });

  test("reach the disk in order: the value, its name, the folder", () => {
    const log: string[] = [];
    const store = openFsBlobStore(folder, { fileSystem: watched((name, args) => log.push(`${name} ${what(args)}`)) });
    store.putSync("ab/k", [value()]);
    const after = (start: number, beginning: string) =>
      log.findIndex((line, at) => at > start && line.startsWith(beginning));
    const write = after(-1, "writev");
    const sync = after(write, "fsync");
    const link = after(-1, "link");
    const folderOpen = after(link, `open ${path.join(folder, "ab")}`);
    expect(write).toBeGreaterThan(0);
    expect(sync).toBeGreaterThan(write);
    expect(link).toBeGreaterThan(sync);
    expect(folderOpen).toBeGreaterThan(link);
    expect(log[folderOpen + 1]).toMatch(/^fsync/);
  });

  test("that write less than asked go on where they stopped", async () => {
    const short: Partial<FileCalls> = {
      writev: (fd, chunks) =>
        nodeFileSystem.sync.writev(fd, [chunks.find((chunk) => chunk.length > 0)!.subarray(0, 7)]),
    };
    const store = openFsBlobStore(folder, { fileSystem: replaced(short) });
    const chunks = [value(10), value(0), value(3), value(29)];
    store.putSync("sync", chunks);
    await store.put("async", chunks);
    const whole = Buffer.concat(chunks);
    expect(Buffer.compare(store.getSync("sync")!, whole)).toBe(0);
    expect(Buffer.compare(store.getSync("async")!, whole)).toBe(0);
  });

  test("that read less than asked go on where they stopped", () => {
    const short: Partial<FileCalls> = {
      read: (fd, target, offset, length, position) =>
        nodeFileSystem.sync.read(fd, target, offset, Math.min(length, 1_000), position),
    };
    const store = openFsBlobStore(folder, { fileSystem: replaced(short) });
    store.putSync("k", [value(10_500)]);
    expect(store.getSync("k")).toEqual(value(10_500));
    expect(store.getSync("k", { start: 500, end: 4_500 })).toEqual(value(10_500).subarray(500, 4_500));
  });

  test.each(["EPERM", "ENOTSUP", "EMLINK"])(
    "without hard links (%s) rename instead, and still replace nothing",
    (errno) => {
      const store = openFsBlobStore(folder, { fileSystem: replaced({ link: () => fail(errno) }) });
      expect(store.putSync("k", [value(3)])).toBe("created");
      expect(store.putSync("k", [value(4)])).toBe("exists");
      expect(store.getSync("k")).toEqual(value(3));
      expect(fs.readdirSync(path.join(folder, "TMP"))).toEqual([]);
    },
  );

  test.each([
    ["EDQUOT", "FLOW_STORAGE_FULL"],
    ["EACCES", "FLOW_STORAGE_DENIED"],
    ["EROFS", "FLOW_STORAGE_DENIED"],
    ["EMFILE", "FLOW_STORAGE_UNAVAILABLE"],
    ["ENFILE", "FLOW_STORAGE_UNAVAILABLE"],
  ])("that fail with %s give %s, the path and what to do", (errno, code) => {
    const store = openFsBlobStore(folder, { fileSystem: replaced({ open: () => fail(errno) }) });
    const error = { code, hint: expect.stringMatching(/^[A-Z]/), context: { path: path.join(folder, "k"), errno } };
    expect(() => store.putSync("k", [value(3)])).toThrow(expect.objectContaining(error));
    expect(() => store.getSync("k")).toThrow(expect.objectContaining(error));
  });

  test.each([
    ["ENOSPC", "FLOW_STORAGE_FULL"],
    ["EIO", "FLOW_STORAGE_UNAVAILABLE"],
  ])("that fail with %s, each in turn, give %s with the path and leave no half value", async (errno, code) => {
    for (let failing = 1; ; failing++) {
      const inside = path.join(folder, String(failing));
      let calls = 0;
      const system = watched((name) => {
        if (++calls === failing && name !== "unlink") fail(errno);
      });
      const store = openFsBlobStore(inside, { fileSystem: system });
      let error: unknown;
      try {
        store.putSync("ab/k", [value()]);
      } catch (thrown) {
        error = thrown;
      }
      const plain = openFsBlobStore(inside);
      const stored = plain.getSync("ab/k");
      if (error === undefined) {
        expect(stored).toEqual(value());
      } else {
        expect(error).toMatchObject({ code, message: expect.stringContaining(path.join(inside, "ab/k")) });
        expect(error).toMatchObject({ context: { errno } });
        if (stored !== undefined) expect(stored).toEqual(value()); // named, and only the fsync of its folder failed
        expect(plain.putSync("ab/k", [value()])).toBe(stored === undefined ? "created" : "exists");
        if (fs.existsSync(path.join(inside, "TMP"))) expect(fs.readdirSync(path.join(inside, "TMP"))).toEqual([]);
      }
      if (calls < failing) {
        expect(failing).toBeGreaterThan(15); // every call had its turn
        break;
      }
    }
  });

  test("that end for good at any point (a crash) leave whole values only", async () => {
    for (let last = 0; ; last++) {
      const inside = path.join(folder, String(last));
      let calls = 0;
      const system = watched(() => {
        if (++calls > last) fail("ECRASHED");
      });
      const store = openFsBlobStore(inside, { fileSystem: system });
      const answer = await store.put("ab/k", [value(1_000), value()]).catch(() => "crashed");
      const after = openFsBlobStore(inside);
      const { keys } = await after.list({ prefix: "" });
      for (const key of keys)
        expect(after.getSync(key)).toEqual(new Uint8Array(Buffer.concat([value(1_000), value()])));
      if (answer === "created") {
        expect(keys).toEqual(["ab/k"]);
        break;
      }
      expect(await after.put("ab/k", [value(1_000), value()])).toBe(keys.length === 0 ? "created" : "exists");
    }
  });

  test("of a replacement reach the disk in order, and a crash leaves the old value or the new one", () => {
    const damaged = value(10);
    const log: string[] = [];
    for (let last = 0; ; last++) {
      openFsBlobStore(folder).replaceSync("ab/k", [damaged]);
      log.length = 0;
      const system = watched((name, args) => {
        if (log.push(`${name} ${what(args)}`) > last) fail("ECRASHED");
      });
      let isDone = true;
      try {
        openFsBlobStore(folder, { fileSystem: system }).replaceSync("ab/k", [value()]);
      } catch {
        isDone = false;
      }
      const stored = openFsBlobStore(folder).getSync("ab/k")!;
      if (isDone) expect(stored).toEqual(value());
      else expect([10, value().length]).toContain(stored.length);
      expect(stored).toEqual(value(stored.length));
      if (isDone) break;
    }
    const at = (beginning: string, start = -1) =>
      log.findIndex((line, index) => index > start && line.startsWith(beginning));
    const write = at("writev");
    const rename = at("rename");
    expect(write).toBeGreaterThan(0);
    expect(at("fsync", write)).toBeLessThan(rename);
    const folderOpen = at(`open ${path.join(folder, "ab")}`, rename);
    expect(folderOpen).toBeGreaterThan(rename);
    expect(log[folderOpen + 1]).toMatch(/^fsync/);
    expect(log.some((line) => line.startsWith("link"))).toBe(false);
  });

  test("of a replacement go through no link and leave files private", () => {
    const target = path.join(parent, "outside");
    fs.writeFileSync(target, "mine");
    const store = openFsBlobStore(folder);
    store.putSync("k", [value(1)]);
    store.replaceSync("k", [value(2)]);
    expect(fs.statSync(path.join(folder, "k")).mode & 0o777).toBe(0o600);
    expect(fs.readdirSync(path.join(folder, "TMP"))).toEqual([]);
    fs.symlinkSync(target, path.join(folder, "linked"));
    expect(() => store.replaceSync("linked", [value(1)])).toThrow(
      expect.objectContaining({ code: "FLOW_STORAGE_FOREIGN_FILE" }),
    );
    expect(fs.readFileSync(target, "utf8")).toBe("mine");
  });
});

describe("the store folder", () => {
  test("is made once, private, and kept out of git", () => {
    const before = process.umask(0);
    try {
      expect(createStoreFolder(path.join(parent, ".millrace"))).toEqual({
        layout: storeLayout(path.join(parent, ".millrace")),
        isNew: true,
      });
    } finally {
      process.umask(before);
    }
    const { layout, isNew } = createStoreFolder(path.join(parent, ".millrace"));
    expect(isNew).toBe(false);
    expect(fs.readdirSync(layout.folder).sort()).toEqual([".gitignore", "blobs", "tmp"]);
    expect(fs.readFileSync(path.join(layout.folder, ".gitignore"), "utf8")).toBe("*\n");
    for (const each of [layout.folder, layout.blobs, layout.temporary])
      expect(fs.statSync(each).mode & 0o777).toBe(0o700);
  });

  test("keeps a .gitignore that the user changed", () => {
    createStoreFolder(folder);
    fs.writeFileSync(path.join(folder, ".gitignore"), "# mine\n");
    createStoreFolder(folder);
    expect(fs.readFileSync(path.join(folder, ".gitignore"), "utf8")).toBe("# mine\n");
  });

  test("cannot stand where a file stands, nor below one", () => {
    fs.writeFileSync(path.join(parent, "file"), "");
    expect(() => createStoreFolder(path.join(parent, "file"))).toThrow(
      expect.objectContaining({ code: "FLOW_STORAGE_FOREIGN_FILE" }),
    );
    expect(() => createStoreFolder(path.join(parent, "file", "store"))).toThrow(
      expect.objectContaining({ context: expect.objectContaining({ path: path.join(parent, "file", "store") }) }),
    );
  });

  test("has no link in place of its own folders", () => {
    createStoreFolder(folder);
    fs.rmdirSync(path.join(folder, "tmp"));
    fs.symlinkSync(parent, path.join(folder, "tmp"));
    expect(() => createStoreFolder(folder)).toThrow(expect.objectContaining({ code: "FLOW_STORAGE_FOREIGN_FILE" }));
  });
});

function fail(errno: string): never {
  throw Object.assign(new Error(`${errno}: planted, call 'x'`), { code: errno });
}

function what(args: readonly unknown[]): string {
  return typeof args[0] === "string" ? args[0] : "";
}

/** The real calls with some of them replaced, in both forms. */
function replaced(changes: Partial<FileCalls>): FileSystem {
  const sync = { ...nodeFileSystem.sync, ...changes };
  const async = { ...nodeFileSystem.async };
  for (const name of Object.keys(changes) as (keyof FileCalls)[]) {
    Object.assign(async, {
      [name]: async (...args: never[]) => (sync[name] as (...given: never[]) => unknown)(...args),
    });
  }
  return { sync, async };
}

/** The real calls, each shown to `before` first, which may throw in its place. */
function watched(before: (name: keyof FileCalls, args: readonly unknown[]) => void): FileSystem {
  const changes: Record<string, unknown> = {};
  for (const [name, real] of Object.entries(nodeFileSystem.sync)) {
    changes[name] = (...args: unknown[]) => {
      before(name as keyof FileCalls, args);
      return (real as (...given: unknown[]) => unknown)(...args);
    };
  }
  return replaced(changes as Partial<FileCalls>);
}
