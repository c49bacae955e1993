import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { contentDigest } from "./package-digest.ts";
import { packageSources } from "./package-sources.ts";
import { whyNoPlace, writeSources } from "./write-sources.ts";

let around: string;
let folder: string;
beforeEach(() => {
  around = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-sources-"));
  folder = path.join(around, "out");
});
afterEach(() => fs.rmSync(around, { recursive: true, force: true }));

const source = (file: string, text = `// ${file}\n`) => ({ path: file, digest: contentDigest(text), text });

/** Everything below the folder around, by path. */
function files(): readonly string[] {
  const all = fs.readdirSync(around, { recursive: true, withFileTypes: true });
  return all
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(around, path.join(entry.parentPath, entry.name)))
    .sort();
}

test("sources are written below the folder, byte for byte", async () => {
  const text = "\ufeffconst ü = 1;\r\n";
  expect(await writeSources([source("src/a.ts", text), source("b.ts")], folder)).toEqual(["src/a.ts", "b.ts"]);
  expect(files()).toEqual(["out/b.ts", "out/src/a.ts"]);
  expect(fs.readFileSync(path.join(folder, "src/a.ts"), "utf8")).toBe(text);
});

test.each([
  "../evil.ts",
  "a/../../evil.ts",
  "/tmp/evil.ts",
  "",
  "a//b.ts",
  "./a.ts",
  "a\\..\\evil.ts",
  "C:/evil.ts",
  "a\0b.ts",
  "con.ts",
  "a. ",
])("no path leads out of the folder, or to another place on some system: %j", async (file) => {
  expect(whyNoPlace(file)).toBeDefined();
  expect(await writeSources([source(file), source("good.ts")], folder)).toEqual(["good.ts"]);
  expect(files()).toEqual(["out/good.ts"]);
});

test("a path beside the root says so", () => {
  expect(whyNoPlace("../lib/a.ts")).toBe("it lies beside the root of the project");
});

test.each(["a.ts", "src/[id].ts", "..a/b..ts", "packages/ü/x.mts", ".config/x.ts"])(
  "a plain path may be written: %s",
  (file) => {
    expect(whyNoPlace(file)).toBeUndefined();
  },
);

test("links are refused, also with force, and then nothing is written", async () => {
  const outside = path.join(around, "outside");
  fs.mkdirSync(outside);
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(outside, "mine.ts"), "mine");
  fs.symlinkSync(outside, path.join(folder, "src"));
  fs.symlinkSync(path.join(outside, "mine.ts"), path.join(folder, "b.ts"));
  for (const force of [false, true]) {
    const refused = writeSources([source("a.ts"), source("src/x.ts"), source("src/y.ts"), source("b.ts")], folder, {
      force,
    });
    await expect(refused).rejects.toMatchObject({
      code: "FLOW_PACKAGE_SOURCES_IN_THE_WAY",
      problems: [{ message: '"src" is a link' }, { message: '"b.ts" is a link' }],
    });
  }
  expect(files()).toEqual(["out/b.ts", "out/src", "out/src/mine.ts", "outside/mine.ts"]);
  expect(fs.readFileSync(path.join(outside, "mine.ts"), "utf8")).toBe("mine");
});

test("files that are there are written over only by force, and their other names keep what they had", async () => {
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, "a.ts"), "mine");
  fs.linkSync(path.join(folder, "a.ts"), path.join(around, "other-name"));
  await expect(writeSources([source("b.ts"), source("a.ts")], folder)).rejects.toMatchObject({
    message: expect.stringContaining('"a.ts" is there already'),
  });
  expect(files()).toEqual(["other-name", "out/a.ts"]);
  await writeSources([source("b.ts"), source("a.ts")], folder, { force: true });
  expect(fs.readFileSync(path.join(folder, "a.ts"), "utf8")).toBe("// a.ts\n");
  expect(fs.readFileSync(path.join(around, "other-name"), "utf8")).toBe("mine");
  // What is no file is in the way whatever is asked for.
  fs.mkdirSync(path.join(folder, "c.ts"));
  fs.writeFileSync(path.join(folder, "d"), "");
  await expect(writeSources([source("c.ts"), source("d/e.ts")], folder, { force: true })).rejects.toMatchObject({
    problems: [{ message: '"c.ts" is no plain file' }, { message: '"d" is no folder' }],
  });
});

test("a text that is not what was bundled is no source", () => {
  const digest = contentDigest("a");
  const manifest = {
    sources: [
      { path: "a.ts", digest },
      { path: "b.ts", digest },
      { path: "c.ts", digest },
    ],
  };
  const map = JSON.stringify({ sources: ["b.ts", "a.ts", "c.ts"], sourcesContent: ["changed", "a", null] });
  expect(packageSources(manifest, map)).toEqual([
    { path: "a.ts", digest, text: "a" },
    { path: "b.ts", digest },
    { path: "c.ts", digest },
  ]);
});
