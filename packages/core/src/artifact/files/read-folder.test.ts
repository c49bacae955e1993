import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, describe, expect, test } from "vitest";
import { tarPadding } from "../../util/tar.ts";
import { entryHead, TAIL_BYTES } from "../../util/tar-entries.ts";
import { FolderContent } from "./folder-content.ts";
import { folderEntries } from "./read-folder.ts";

const folder = mkdtempSync(path.join(tmpdir(), "millrace-folder-"));
afterAll(() => rmSync(folder, { recursive: true }));

function tar(...entries: readonly (readonly [name: string, content: string])[]): Buffer {
  return Buffer.concat([
    ...entries.flatMap(([name, content]) => [
      entryHead(name, Buffer.byteLength(content)),
      Buffer.from(content),
      new Uint8Array(tarPadding(Buffer.byteLength(content))),
    ]),
    new Uint8Array(TAIL_BYTES),
  ]);
}

async function read(bytes: Uint8Array, pieceBytes = bytes.length): Promise<Readonly<Record<string, string>>> {
  const pieces = async function* (): AsyncGenerator<Uint8Array, void> {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  };
  const files: Record<string, string> = {};
  for await (const entry of folderEntries(pieces())) files[entry.path] = (await buffer(entry.pieces)).toString();
  return files;
}

const long = `${"long-".repeat(30)}/${"ä".repeat(60)}.txt`;

describe("what is written", () => {
  test("is read, in pieces of whatever size", async () => {
    const bytes = tar(["a", "1"], ["b/c", "x".repeat(2_000)], ["b/d", ""], [long, "long"]);
    const files = { a: "1", "b/c": "x".repeat(2_000), "b/d": "", [long]: "long" };
    for (const pieceBytes of [1, 7, 511, 512, 513, 100_000]) expect(await read(bytes, pieceBytes)).toEqual(files);
    expect(await read(tar())).toEqual({});
  });

  test("is read by tar, and equal folders are equal bytes", async () => {
    for (const name of ["one", "two"]) {
      const place = path.join(folder, name);
      mkdirSync(path.join(place, path.dirname(long)), { recursive: true });
      const files = [
        ["b", "2"],
        ["a-b", "3"],
        [long, "long"],
        ["a/b", "4"],
      ] as const;
      mkdirSync(path.join(place, "a"));
      for (const [file, text] of name === "one" ? files : files.toReversed())
        writeFileSync(path.join(place, file), text);
    }
    const [one, two] = ["one", "two"].map((name) => Buffer.from(new FolderContent(path.join(folder, name)).whole()));
    expect(one!.equals(two!)).toBe(true);
    expect(one!.length).toBe(new FolderContent(path.join(folder, "one")).size());
    expect(Object.keys(await read(one!))).toEqual(["a-b", "a/b", "b", long]);
    const listed = execFileSync("tar", ["tf", "-", "--quoting-style=literal"], { input: one!, encoding: "utf8" });
    expect(listed.trim().split("\n")).toEqual(["a-b", "a/b", "b", long]);
  });

  test("is no link", () => {
    const place = path.join(folder, "linked");
    mkdirSync(place);
    symlinkSync("/etc", path.join(place, "etc"));
    expect(() => new FolderContent(place).whole()).toThrow(expect.objectContaining({ code: "FLOW_ARTIFACT_BAD_FILE" }));
  });
});

describe("what nobody writes so is refused", () => {
  const good = tar(["a", "1"], ["b/c", "22"]);
  const changed = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.from(good);
    change(bytes);
    return bytes;
  };
  test.for<readonly [what: string, bytes: Buffer, because: RegExp]>([
    ["a path that leads out", tar(["../a", ""]), /no name of a file/],
    ["an absolute path", tar(["/a", ""]), /no name of a file/],
    ["a path with an empty part", tar(["a//b", ""]), /no name of a file/],
    ["a separator of another system", tar(["a\\b", ""]), /separator/],
    ["a name that hides its end", tar(["a\u202etxt.exe", ""]), /control character/],
    ["the same path twice", tar(["a", "1"], ["a", "2"]), /stands behind/],
    ["another order", tar(["b", "1"], ["a", "2"]), /stands behind/],
    ["a link", changed((bytes) => bytes.write("2", 156)), /not as it is written/],
    ["another mode", changed((bytes) => bytes.write("0000777", 100)), /not as it is written/],
    ["a size beyond its end", changed((bytes) => bytes.write("77777777777", 124)), /not as it is written|cut short/],
    ["a negative size", changed((bytes) => bytes.write("-0000000001", 124)), /no size|not as it is written/],
    ["bytes in the padding", changed((bytes) => bytes.write("x", 513)), /where none belong/],
    ["its end cut off", good.subarray(0, -1), /cut short/],
    ["its middle cut off", good.subarray(0, 600), /cut short/],
    ["more behind its end", Buffer.concat([good, Buffer.alloc(512)]), /something follows/],
    ["nothing", Buffer.alloc(0), /cut short/],
  ])("%s", async ([, bytes, because]) => {
    await expect(read(bytes)).rejects.toMatchObject({
      code: "FLOW_ARTIFACT_CORRUPT",
      message: expect.stringMatching(because),
    });
  });

  test("any byte that was flipped, but in a content", async () => {
    const content = new Set([512, 1536, 1537]);
    for (let at = 0; at < good.length; at++) {
      if (content.has(at)) continue;
      const flipped = changed((bytes) => void bytes.writeUInt8(bytes[at]! ^ 1, at));
      await expect(read(flipped), `byte ${at}`).rejects.toMatchObject({ code: "FLOW_ARTIFACT_CORRUPT" });
    }
  });
});
