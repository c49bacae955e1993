import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SCHEMA_VERSION } from "../sql/migrations/migrations.ts";
import { openWriter, refuseNetworkFolder } from "./connection.ts";
import { openSqliteMetadata } from "./sqlite-metadata.ts";
import { openSqliteTaskReader } from "./task-reader.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-open-"));
  file = path.join(folder, "millrace.db");
});

afterEach(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

/** Makes a store, and changes its file behind its back. */
async function storeWith(change: (db: Database.Database) => void): Promise<void> {
  await (await openSqliteMetadata(file)).close();
  const db = new Database(file);
  change(db);
  db.close();
}

describe("opening", () => {
  test.each([0o000, 0o022, 0o777])("makes files that are private under the umask %o", async (umask) => {
    const before = process.umask(umask);
    try {
      const store = await openSqliteMetadata(file);
      await store.reserveTasks(1);
      for (const name of fs.readdirSync(folder))
        expect(fs.statSync(path.join(folder, name)).mode & 0o777, name).toBe(0o600);
      expect(fs.readdirSync(folder)).toContain("millrace.db-wal");
      await store.close();
      expect(fs.readdirSync(folder)).toEqual(["millrace.db"]);
    } finally {
      process.umask(before);
    }
  });

  test.each(["-wal", "-shm", "-journal"])("never goes through a link that lies in place of FILE%s", async (ending) => {
    await (await openSqliteMetadata(file)).close();
    const target = path.join(folder, "target");
    for (const content of ["mine", undefined]) {
      if (content === undefined) fs.rmSync(target);
      else fs.writeFileSync(target, content);
      fs.rmSync(`${file}${ending}`, { force: true });
      fs.symlinkSync(target, `${file}${ending}`);
      const refused = { code: "FLOW_METADATA_NOT_A_STORE", message: expect.stringContaining(ending) };
      await expect(openSqliteMetadata(file)).rejects.toMatchObject(refused);
      await expect(openSqliteMetadata(file, { readonly: true })).rejects.toMatchObject(refused);
      expect(() => openSqliteTaskReader(file)).toThrow(expect.objectContaining(refused));
      if (content === undefined) expect(fs.existsSync(target)).toBe(false);
      else expect(fs.readFileSync(target, "utf8")).toBe(content);
    }
  });

  test.each(["", "-wal"])("writes no FILE%s that has a second name", async (ending) => {
    await (await openSqliteMetadata(file)).close();
    const other = path.join(folder, "other");
    if (ending !== "") fs.writeFileSync(`${file}${ending}`, "mine");
    fs.linkSync(`${file}${ending}`, other);
    const before = fs.readFileSync(other);
    await expect(openSqliteMetadata(file)).rejects.toMatchObject({
      code: "FLOW_METADATA_NOT_A_STORE",
      message: expect.stringContaining("hard link"),
      hint: expect.stringContaining("copy"),
    });
    expect(fs.readFileSync(other).equals(before)).toBe(true);
    // Reading changes nothing under either name.
    if (ending === "") await (await openSqliteMetadata(file, { readonly: true })).close();
  });

  test("for writing has the settings that the promises rest on", async () => {
    await (await openSqliteMetadata(file)).close();
    const db = openWriter(file);
    const settings = ["journal_mode", "synchronous", "foreign_keys"].map((name) => db.pragma(name, { simple: true }));
    db.close();
    expect(settings).toEqual(["wal", 2, 1]); // 2 is FULL: a commit survives a power cut
  });

  test("keeps what a crash before the first transaction left: an empty file is a new store", async () => {
    fs.writeFileSync(file, "");
    const store = await openSqliteMetadata(file);
    expect((await store.info()).schemaVersion).toBe(SCHEMA_VERSION);
    await store.close();
    await expect(
      openSqliteMetadata(file, { readonly: true }).then((reader) => reader.close()),
    ).resolves.toBeUndefined();
  });

  test("names both versions of a store that is newer than the program", async () => {
    await storeWith((db) => db.exec(`UPDATE store SET schema_version = ${SCHEMA_VERSION + 41}`));
    for (const readonly of [true, false]) {
      await expect(openSqliteMetadata(file, { readonly })).rejects.toMatchObject({
        code: "FLOW_METADATA_NEWER_STORE",
        message: `Cannot open the records in "${file}": they have schema ${SCHEMA_VERSION + 41}, this version of Millrace knows ${SCHEMA_VERSION}`,
        hint: "Update Millrace",
      });
    }
  });

  test.each<[string, () => void]>([
    ["a text", () => fs.writeFileSync(file, "this is no database, but it is long enough to look like one".repeat(50))],
    [
      "a database of another program",
      () => new Database(file).exec("CREATE TABLE mine (x); PRAGMA user_version = 3").close(),
    ],
    ["a database that calls itself something else", () => new Database(file).exec("PRAGMA application_id = 7").close()],
    ["a folder", () => fs.mkdirSync(file)],
    [
      "a link",
      () => {
        fs.writeFileSync(path.join(folder, "target"), "");
        fs.symlinkSync(path.join(folder, "target"), file);
      },
    ],
  ])("refuses %s, and does not change it", async (_, make) => {
    make();
    const before = fs.statSync(file).isFile() ? fs.readFileSync(file) : undefined;
    for (const readonly of [false, true]) {
      await expect(openSqliteMetadata(file, { readonly })).rejects.toMatchObject({
        code: "FLOW_METADATA_NOT_A_STORE",
        message: expect.stringContaining(file),
      });
    }
    if (before !== undefined) expect(fs.readFileSync(file)).toEqual(before);
  });

  test("for reading makes nothing", async () => {
    await expect(openSqliteMetadata(file, { readonly: true })).rejects.toMatchObject({
      code: "FLOW_METADATA_UNAVAILABLE",
    });
    expect(() => openSqliteTaskReader(file)).toThrow(expect.objectContaining({ code: "FLOW_METADATA_UNAVAILABLE" }));
    expect(fs.readdirSync(folder)).toEqual([]);
    fs.writeFileSync(file, "");
    await expect(openSqliteMetadata(file, { readonly: true })).rejects.toMatchObject({
      code: "FLOW_METADATA_NOT_A_STORE",
    });
  });

  test("in a folder that is not there, or below a file, says so", async () => {
    const missing = path.join(folder, "missing", "millrace.db");
    await expect(openSqliteMetadata(missing)).rejects.toMatchObject({
      code: "FLOW_METADATA_UNAVAILABLE",
      message: expect.stringContaining(missing),
    });
    fs.writeFileSync(path.join(folder, "file"), "");
    await expect(openSqliteMetadata(path.join(folder, "file", "x"))).rejects.toMatchObject({
      code: "FLOW_METADATA_UNAVAILABLE",
    });
  });

  test("finds damage inside the database instead of showing it", async () => {
    await (await openSqliteMetadata(file)).close();
    const bytes = fs.readFileSync(file);
    bytes.fill(0xff, 4096, bytes.length); // all pages but the first
    fs.writeFileSync(file, bytes);
    const error = await openSqliteMetadata(file)
      .then((store) => store.runs({}))
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "FLOW_METADATA_CORRUPT", message: expect.stringContaining(file) });
  });

  test("is refused on a network file system", () => {
    const refused = { code: "FLOW_METADATA_NETWORK_FOLDER", message: expect.stringContaining("(NFS)") };
    expect(() => refuseNetworkFolder("/mnt/team", () => 0x6969)).toThrow(expect.objectContaining(refused));
    expect(() => refuseNetworkFolder("/mnt/team", () => 0xfe534d42 | 0)).toThrow(
      expect.objectContaining({ message: expect.stringContaining("(SMB)") }),
    );
    refuseNetworkFolder("/home", () => 0xef53);
    refuseNetworkFolder(folder);
  });

  // Root may write everywhere, so another user tries.
  describe.skipIf(process.getuid?.() !== 0)("in a folder that this user may not write", () => {
    const tryAsNobody = (readonly = false) => {
      const script = `
        const { openSqliteMetadata } = await import(${JSON.stringify(new URL("./sqlite-metadata.ts", import.meta.url).href)});
        const answer = await openSqliteMetadata(${JSON.stringify(file)}, { readonly: ${readonly} })
          .then((store) => store.runs({}))
          .catch(({ code, message, hint }) => ({ code, message, hint }));
        console.log(JSON.stringify(answer));`;
      const nobody = { uid: 65534, gid: 65534, encoding: "utf8", env: {}, cwd: "/" } as const;
      const child = spawnSync(process.execPath, ["--input-type=module", "-e", script], nobody);
      return JSON.parse(child.stdout || JSON.stringify({ stderr: child.stderr, error: String(child.error) }));
    };

    test("says so, for a new store and for an old one", async () => {
      fs.chmodSync(folder, 0o755);
      const refused = {
        code: "FLOW_METADATA_READ_ONLY",
        message: expect.stringContaining(folder),
        hint: expect.stringContaining(folder),
      };
      expect(tryAsNobody()).toMatchObject(refused);
      await (await openSqliteMetadata(file)).close();
      fs.chmodSync(file, 0o644);
      expect(tryAsNobody()).toMatchObject(refused);
      fs.chmodSync(file, 0o666);
      expect(tryAsNobody()).toMatchObject(refused);
      fs.chmodSync(file, 0o600);
      expect(tryAsNobody(true)).toMatchObject({
        code: "FLOW_METADATA_UNAVAILABLE",
        message: expect.stringContaining(file),
      });
    });

    test("reads what is there", async () => {
      const store = await openSqliteMetadata(file);
      await store.reserveTasks(1);
      await store.close();
      fs.chmodSync(folder, 0o755);
      fs.chmodSync(file, 0o644);
      expect(tryAsNobody(true)).toEqual([]);
      expect(fs.readdirSync(folder)).toEqual(["millrace.db"]);
    });
  });
});

describe("a store that another connection holds", () => {
  test("is waited for, and written to when it is let go", async () => {
    const store = await openSqliteMetadata(file);
    const holder = new Database(file);
    holder.exec("BEGIN IMMEDIATE");
    const written = store.reserveTasks(5);
    const whileHeld = await Promise.race([written, new Promise((resolve) => setTimeout(resolve, 60, "still waiting"))]);
    expect(whileHeld).toBe("still waiting");
    holder.exec("ROLLBACK");
    expect(await written).toBe(1);
    holder.close();
    await store.close();
  });

  test("for longer than the stated limit is a coded error, and the store stays usable", async () => {
    const store = await openSqliteMetadata(file, { busyLimitMs: 80 });
    const holder = new Database(file);
    holder.exec("BEGIN IMMEDIATE");
    await expect(store.reserveTasks(5)).rejects.toMatchObject({
      code: "FLOW_METADATA_BUSY",
      message: expect.stringMatching(/locked for 0\.\d s$/),
      context: { limitMs: 80 },
    });
    expect(await store.runs({})).toEqual([]); // readers do not wait for a writer
    holder.exec("ROLLBACK");
    expect(await store.reserveTasks(5)).toBe(1);
    holder.close();
    await store.close();
  });
});

describe("the tag log", () => {
  test("is append-only for everyone who opens the file", async () => {
    await storeWith((db) => {
      db.exec(
        "INSERT INTO tag_event (sequence, at, actor, host, verb, tag, run, via, previous, digest) VALUES (1, 0, 'a', 'h', 'add', 't', 'r', 'tag', x'00', x'00')",
      );
      for (const statement of [
        "UPDATE tag_event SET tag = 'x'",
        "DELETE FROM tag_event",
        "REPLACE INTO tag_event SELECT * FROM tag_event",
      ]) {
        if (statement.startsWith("REPLACE")) db.pragma("recursive_triggers = ON");
        expect(() => db.exec(statement), statement).toThrow("the tag log is append-only");
      }
    });
  });
});

test("a task's reader loads the driver and no query builder", () => {
  const script = `
    import { registerHooks } from "node:module";
    const loaded = [];
    registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context); } });
    await import(${JSON.stringify(new URL("./task-reader.ts", import.meta.url).href)});
    console.log(JSON.stringify(loaded));`;
  const child = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  const loaded = JSON.parse(child.stdout) as string[];
  expect(loaded.some((url) => url.includes("better-sqlite3"))).toBe(true);
  expect(loaded.filter((url) => url.includes("kysely"))).toEqual([]);
  expect(loaded.filter((url) => !url.includes("node_modules") && !url.startsWith("node:")).length).toBeLessThan(20);
});
