/** Files that were damaged or made to do harm are refused as a whole, before anything is written, by a code and a reason. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { entryHead } from "../../packages/core/src/util/tar-entries.ts";
import { times } from "../faults/twenty.ts";
import { runCommand } from "../kit/run-command.ts";
import { seeded } from "../kit/seed.ts";
import {
  type Entry,
  entriesOf,
  Files,
  fileOf,
  goodParts,
  lines,
  otherHead,
  type Parts,
  RUN,
  sha256,
  tarOf,
} from "./archive-kit.ts";

const files = new Files();
afterAll(() => files.remove());
const { random } = seeded("hostile-import");

const BAD = "FLOW_TRANSFER_BAD_FILE";
const changed = (change: (parts: Parts) => void): Buffer => {
  const parts = goodParts();
  change(parts);
  return fileOf(parts);
};
const setTags = (parts: Parts, tags: readonly unknown[]): void => void parts.tags.splice(0, 9, ...tags);
const record = (kind: string, fields: object, parts: Parts): void => {
  Object.assign(parts.records.find((line: any) => line.kind === kind) as object, fields);
};

test("the file that the others are made from is whole", async () => {
  expect(await files.refusal(fileOf(goodParts()))).toBeUndefined();
});

describe("a tar", () => {
  const good = entriesOf(goodParts());
  const withEntry = (entry: Entry, head: Uint8Array): Buffer => {
    const at = 1;
    const all = [...good.slice(0, at), entry, ...good.slice(at)];
    return tarOf(all, (each) => (each === entry ? head : entryHead(each[0], each[1].length)));
  };
  const evil = Buffer.from("evil");
  test.each([
    ["climbs out", "../../evil", "0"],
    ["is absolute", "/tmp/millrace-evil", "0"],
    ["climbs out with backslashes", "..\\..\\evil", "0"],
    ["is a device of Windows", "C:\\evil", "0"],
    ["is twice there", `runs/${RUN}/records.jsonl`, "0"],
    ["differs by case alone", `RUNS/${RUN}/records.jsonl`, "0"],
    ["holds escapes", "\x1b]0;evil\x07\x1b[2J", "0"],
  ])("with an entry whose name %s is refused", async (_, name) => {
    const reason = await files.refusal(withEntry([name, evil], entryHead(name, evil.length)));
    expect(reason).toContain(BAD);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there is none is what is tested.
    expect(reason).not.toMatch(/[\x00-\x1f\x7f]/);
  });
  test.each([
    ["a hard link", "1"],
    ["a symbolic link", "2"],
    ["a device", "3"],
    ["a device", "4"],
    ["a folder", "5"],
    ["a pipe", "6"],
  ])("with %s (type %s) is refused", async (kind, type) => {
    const name = `runs/${RUN}/records.jsonl`;
    const head = otherHead(name, 0, (block) => {
      block.write(type, 156);
      block.write("/etc/passwd", 157);
    });
    const all = good.map(([each, content]): Entry => (each === name ? [each, new Uint8Array()] : [each, content]));
    const bytes = tarOf(all, ([each, content]) => (each === name ? head : entryHead(each, content.length)));
    expect(
      await files.refusal(Buffer.concat([bytes, Buffer.alloc(9_999)]).subarray(0, fileOf(goodParts()).length)),
    ).toContain(kind);
  });
  test.each([
    ["setuid", (block: Buffer) => void block.write("0004755\0", 100)],
    ["an owner", (block: Buffer) => void block.write("0001750\0", 108)],
    ["a time", (block: Buffer) => void block.write("14000000000\0", 136)],
    ["a prefix", (block: Buffer) => void block.write("../..", 345)],
    ["a size of its own", (block: Buffer) => void block.write("00000000001\0", 124)],
  ])("with %s in a head is refused", async (_, change) => {
    const name = `runs/${RUN}/tags.jsonl`;
    const bytes = tarOf(good, ([each, content]) =>
      each === name ? otherHead(each, content.length, change) : entryHead(each, content.length),
    );
    expect(await files.refusal(bytes)).toContain("head of");
  });
  test("that is cut short anywhere is refused", async () => {
    const bytes = fileOf(goodParts());
    for (let at = 0; at < bytes.length; at += 211)
      expect([at, await files.refusal(bytes.subarray(0, at))]).toEqual([at, expect.stringContaining(BAD)]);
  });
  test("with any byte changed is refused", async () => {
    const bytes = fileOf(goodParts());
    for (let round = 0; round < times(300, 1_500); round++) {
      const at = Math.floor(random() * bytes.length);
      const bit = 1 << Math.floor(random() * 8);
      const copy = Buffer.from(bytes);
      copy[at]! ^= bit;
      // One bit of the version makes a file of another form, which is refused as well.
      const refused = expect.stringMatching(/FLOW_TRANSFER_(?:BAD|NEWER)_FILE/);
      expect([at, bit, await files.refusal(copy)]).toEqual([at, bit, refused]);
    }
  });
  test("with something behind it is refused", async () => {
    expect(await files.refusal(Buffer.concat([fileOf(goodParts()), Buffer.alloc(512)]))).toContain("follows its end");
  });
  test("that is none is refused, and one that is compressed says how to unpack it", async () => {
    expect(await files.refusal(Buffer.from("hello"))).toContain("no file of flow export");
    expect(await files.refusal(new Uint8Array())).toContain(BAD);
    expect(await files.refusal(Buffer.alloc(10_240))).toContain(BAD);
    expect(await files.refusal(zstdCompressSync(fileOf(goodParts())))).toContain("zstd -dc");
    expect(await files.refusal(gzipSync(fileOf(goodParts())))).toContain("gzip -dc");
  });
  test("of a newer form is refused with both versions", async () => {
    const manifest = Buffer.from('{"kind":"export","version":4}\n');
    expect(await files.refusal(tarOf([["manifest.jsonl", manifest]]))).toMatch(
      /^FLOW_TRANSFER_NEWER_FILE: .*form 4.*form 3/,
    );
  });
});

describe("a manifest", () => {
  test.each<[string, (parts: Parts) => void, string]>([
    [
      "names an entry that climbs out",
      (parts) => parts.entries.push(["../../evil", Buffer.from("x")]),
      "does not belong",
    ],
    ["names an entry of nobody", (parts) => parts.entries.push(["notes.txt", Buffer.from("x")]), "does not belong"],
    [
      "names an entry twice",
      (parts) => parts.entries.push([`runs/${RUN}/tags.jsonl`, lines(...parts.tags)]),
      "does not belong",
    ],
    ["names a run twice", (parts) => parts.manifest.push(parts.manifest[0]), "twice"],
    ["has no run", (parts) => parts.manifest.splice(0), "no runs"],
    ["has a line of no kind", (parts) => parts.manifest.push({ kind: "evil" }), "not as it must be"],
    ["has more in a line", (parts) => Object.assign(parts.manifest[0]!, { more: 1 }), "not as it must be"],
    [
      "has a name with an escape",
      (parts) => Object.assign(parts.manifest[0]!, { run: "\x1b[31m/Train/1" }),
      "not as it must be",
    ],
    [
      "has a value that nothing names",
      (parts) => void Object.assign(parts.blobs, { [sha256("x")]: Buffer.from("x") }),
      "no record",
    ],
    [
      "has a value of another digest",
      (parts) => void Object.assign(parts.blobs, { [Object.keys(parts.blobs)[0]!]: Buffer.from("b model") }),
      "digest",
    ],
    ["lacks a value", (parts) => void delete parts.blobs[Object.keys(parts.blobs)[0]!], "not in the file"],
    [
      "has a package of another digest",
      (parts) => parts.entries.push([`packages/${sha256("x")}.json`, Buffer.from('{"entry":"a","files":[]}')]),
      "not as it must be",
    ],
  ])("that %s is refused", async (_, change, reason) => {
    expect(await files.refusal(changed(change))).toMatch(new RegExp(`^${BAD}: .*${reason}`));
  });
});

describe("records", () => {
  const start = {
    kind: "task",
    task: 1,
    step: "end",
    path: "",
    attempt: 1,
    status: "succeeded",
    startedAt: "2026-05-04T12:00:00.123Z",
  };
  test.each<[string, (parts: Parts) => void]>([
    ["of another run", (parts) => record("run", { id: RUN.replace(/1$/, "2") }, parts)],
    ["of another flow", (parts) => record("run", { flow: { project: "shop", name: "Other" } }, parts)],
    ["of a running run", (parts) => record("run", { status: "running" }, parts)],
    ["with a step that is a path", (parts) => record("task", { step: "../evil" }, parts)],
    ["with a step called __proto__", (parts) => record("task", { step: "__proto__" }, parts)],
    ["with an artifact called __proto__", (parts) => record("artifact", { name: "__proto__" }, parts)],
    ["with a task path that is none", (parts) => record("task", { path: "../1" }, parts)],
    ["with a time that is none", (parts) => record("task", { startedAt: "yesterday" }, parts)],
    ["with a digest that is a path", (parts) => record("artifact", { digest: "../../../etc/passwd" }, parts)],
    ["with another size than its value", (parts) => record("artifact", { sizeBytes: 8 }, parts)],
    ["with a negative size", (parts) => record("artifact", { sizeBytes: -1 }, parts)],
    ["with a codec that is a module", (parts) => record("artifact", { codec: "../evil.mjs" }, parts)],
    ["with fewer tasks than it says", (parts) => record("run", { tasks: 2 }, parts)],
    ["with a million tasks that it says and has not", (parts) => record("run", { tasks: 1e6 }, parts)],
    ["that end with no task", (parts) => record("run", { endTask: 5 }, parts)],
    ["with a task that inherits from itself", (parts) => record("task", { inherits: 0 }, parts)],
    ["with tasks out of order", (parts) => record("task", { task: 1 }, parts)],
    [
      "with one attempt twice",
      (parts) => {
        record("run", { tasks: 2 }, parts);
        parts.records.splice(4, 0, { ...start, step: "start" });
      },
    ],
    ["with one artifact twice", (parts) => parts.records.splice(3, 0, parts.records[3])],
    ["with output of no task", (parts) => record("log", { task: 1 }, parts)],
    ["with a line that comes too early", (parts) => void parts.records.reverse()],
    ["with a field that nobody knows", (parts) => record("task", { evil: true }, parts)],
    ["with an environment without a host", (parts) => record("run", { environment: {} }, parts)],
    ["with two runs", (parts) => parts.records.splice(1, 0, parts.records[0])],
    ["that are empty", (parts) => void parts.records.splice(0)],
    ["with a held tag that no log gives", (parts) => setTags(parts, [{ kind: "held", tags: ["prod:v1"] }])],
    ["with tags that are none", (parts) => setTags(parts, [{ kind: "held", tags: ["a\nb"] }])],
  ])("%s are refused", async (_, change) => {
    expect(await files.refusal(changed(change))).toContain(BAD);
  });

  test("with moves of tags that were changed are refused", async () => {
    const event = {
      kind: "event",
      sequence: 3,
      at: "2026-05-04T12:00:00.123Z",
      actor: "ann",
      host: "mill",
      verb: "add",
      tag: "prod:v1",
      run: RUN,
      via: "run",
      previous: sha256("before"),
      digest: sha256("after"),
    };
    const store = (goodParts().manifest[0] as { store: string }).store;
    const tags = [{ kind: "held", tags: ["prod:v1"] }, { kind: "log", store }, event];
    expect(await files.refusal(changed((parts) => setTags(parts, tags)))).toContain("changed after it was written");
  });

  test("with __proto__ as a key change nothing but themselves", async () => {
    const bytes = (key: string) => {
      const parts = goodParts();
      const text = lines(...parts.records)
        .toString()
        .replace('"k":3', `"${key}":{"polluted":1}`);
      parts.records = [];
      const all = entriesOf(parts);
      const [, records] = [0, Buffer.from(text)];
      const body = all[0]![1]
        .toString()
        .split("\n")
        .filter((line) => line !== "" && !line.includes('"end"'))
        .map((line) =>
          line.includes("records.jsonl")
            ? lines({
                kind: "entry",
                name: `runs/${RUN}/records.jsonl`,
                sizeBytes: records!.length,
                digest: sha256(records!),
              })
                .toString()
                .trim()
            : line,
        )
        .join("\n");
      const manifest = Buffer.concat([Buffer.from(`${body}\n`), lines({ kind: "end", digest: sha256(`${body}\n`) })]);
      return tarOf(
        all.map(
          ([name, content]): Entry =>
            name === "manifest.jsonl"
              ? [name, manifest]
              : name.endsWith("records.jsonl")
                ? [name, records!]
                : [name, content],
        ),
      );
    };
    expect(await files.refusal(bytes("plain"))).toBeUndefined();
    await files.refusal(bytes("__proto__"));
    await files.refusal(bytes("constructor"));
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

/** The real command with a heap of 256 MB; how it ended, with what it left in its store. */
async function importSmall(file: string) {
  const store = path.join(files.folder, "store");
  fs.rmSync(store, { recursive: true, force: true });
  const begin = performance.now();
  const called = await runCommand(["import", file, "--store", store], {
    node: ["--max-old-space-size=256"],
    cwd: files.folder,
  });
  const left = fs.existsSync(store) ? fs.readdirSync(store) : [];
  const { code, stdout, stderr } = called;
  return {
    code,
    stdout,
    stderr,
    durationMs: performance.now() - begin,
    left,
  };
}

describe("with a heap of 256 MB the command", () => {
  const LIMIT_MS = 60_000;
  const deep = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`;
  const raw = (text: string): Buffer => tarOf([["manifest.jsonl", Buffer.from(text)]]);
  const sparse = (name: string, head: Uint8Array, size: number): string => {
    const file = files.write(head, name);
    fs.truncateSync(file, size);
    return file;
  };
  test.each<[string, () => string]>([
    ["10 GB of zeros", () => sparse("zeros.tar", Buffer.alloc(512), 10 * 1024 ** 3)],
    [
      "10 GB of zeros as a manifest",
      () => sparse("manifest.tar", entryHead("manifest.jsonl", 7.9 * 1024 ** 3), 10 * 1024 ** 3),
    ],
    [
      "64 MB of zeros as a manifest",
      () => sparse("lesser.tar", entryHead("manifest.jsonl", 64 * 1024 ** 2), 65 * 1024 ** 2),
    ],
    [
      "a manifest of a million entries",
      () =>
        files.write(
          raw(
            `{"kind":"export","version":1}\n{"kind":"run","id":"${RUN}","status":"succeeded","store":"0190f000-0000-4000-8000-000000000001","run":"shop/Train/17","asked":true}\n${Array.from({ length: 500_000 }, (_, n) => `{"kind":"blob","digest":"${String(n).padStart(64, "0")}","sizeBytes":1}\n`).join("")}`,
          ),
        ),
    ],
    ["lists in lists", () => files.write(raw(`${deep(2_000_000)}\n`))],
    ["many small lists", () => files.write(raw(`[${"[],".repeat(1_300_000)}[]]\n`))],
    [
      "a deep error",
      () => files.write(changed((parts) => record("run", { parameters: JSON.parse(`{"a":${deep(1_200)}}`) }, parts))),
    ],
    ["a line without an end", () => files.write(raw("a".repeat(60 * 1024 ** 2)))],
  ])("refuses %s", { timeout: 120_000 }, async (_, make) => {
    const { code, stderr, stdout, durationMs, left } = await importSmall(make());
    expect([code, stdout, stderr]).toEqual([1, "", expect.stringContaining(BAD)]);
    expect([durationMs < LIMIT_MS, left]).toEqual([true, []]);
  });

  test("says what to do about a file that is not there, and leaves no store", async () => {
    const { code, stderr, left } = await importSmall("none.tar");
    expect([code, left]).toEqual([1, []]);
    expect(stderr).toMatch(/none\.tar[\s\S]*→ Name a file that flow export has written/);
  });

  test("shows no escapes of a file, and takes a good one", async () => {
    const name = "\x1b]0;evil\x07.txt";
    const [manifest, ...rest] = entriesOf(goodParts());
    const bytes = tarOf([manifest!, [name, Buffer.from("x")], ...rest]);
    const bad = await importSmall(files.write(bytes));
    expect([bad.code, bad.stderr.includes("\x1b]0"), bad.left]).toEqual([1, false, []]);
    const good = await importSmall(files.write(fileOf(goodParts())));
    expect([good.stderr.startsWith("Made a new store"), good.code]).toEqual([true, 0]);
    expect(good.stdout).toContain("Train/1 (shop/Train/17 there)");
  });

  test.skipIf(process.platform === "win32")(
    "stops reading a pipe that has no end, and leaves nothing of it",
    { timeout: 120_000 },
    () => {
      const store = path.join(files.folder, "piped");
      const binary = new URL("../../packages/cli/bin/flow.mjs", import.meta.url).pathname;
      const good = files.write(fileOf(goodParts()), "good.tar");
      expect(spawnSync(process.execPath, [binary, "import", good, "--store", store]).status).toBe(0);
      for (const source of ["cat /dev/zero", `cat '${good}' /dev/zero`, `head -c 900 '${good}'`]) {
        const { status, stderr } = spawnSync(
          "sh",
          ["-c", `${source} | '${process.execPath}' '${binary}' import - --store '${store}'`],
          { encoding: "utf8", timeout: 60_000 },
        );
        expect([source, status, stderr]).toEqual([source, 1, expect.stringContaining(BAD)]);
        expect(fs.readdirSync(path.join(store, "tmp"))).toEqual([]);
      }
    },
  );
});
