import fs from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import type { FlowPackage } from "../../packages/core/src/package/flow-package.ts";
import { preparePackage } from "../../packages/core/src/package/prepare-package.ts";
import { HELLO, installed, makeProject, runProgram, writeFiles } from "./project-kit.ts";

/** A call that built anew replaced the index file; one that reused the package left it alone. */
function indexFileOf(pack: FlowPackage): string {
  const folder = path.join(pack.folder, "../../index");
  const names = fs.readdirSync(folder);
  expect(names).toHaveLength(1);
  return path.join(folder, names[0]!);
}

async function isReused(entry: string, pack: FlowPackage): Promise<boolean> {
  const before = fs.statSync(indexFileOf(pack)).ino;
  const again = await preparePackage(entry);
  const isSame = fs.statSync(indexFileOf(pack)).ino === before;
  if (isSame) expect(again).toEqual(pack);
  return isSame;
}

const FILES = {
  "package.json": JSON.stringify({ name: "x", type: "module" }),
  ...installed("node_modules/dep", "dep", "1.0.0"),
  "src/flow.ts": `import { version } from "dep";\nimport { word } from "./word";\n${HELLO.replace('"hello"', "word + version")}`,
  "src/word.js": 'export const word = "old";\n',
};

async function prepared(
  more: Readonly<Record<string, string>> = {},
): Promise<{ readonly root: string; readonly entry: string; readonly pack: FlowPackage }> {
  const root = makeProject({ ...FILES, ...more });
  const entry = path.join(root, "src/flow.ts");
  return { root, entry, pack: await preparePackage(entry) };
}

describe("a package is reused", () => {
  test("as long as nothing changes, also when files are merely touched", async () => {
    const { root, entry, pack } = await prepared();
    expect(await isReused(entry, pack)).toBe(true);
    const later = new Date(Date.now() + 60_000);
    for (const name of Object.keys(FILES)) fs.utimesSync(path.join(root, name), later, later);
    expect(await isReused(entry, pack)).toBe(true);
  });

  test("by another process without loading the bundler", async () => {
    const { entry, pack } = await prepared();
    const result = await runProgram(
      entry,
      `import { createRequire } from "node:module";
       const pack = await preparePackage(entry);
       const modules = Object.keys(createRequire(import.meta.url).cache);
       console.log(JSON.stringify({ digest: pack.digest, flows: pack.flows, esbuild: modules.some((file) => file.includes("esbuild")) }));`,
    );
    expect(result.stderr).toBe("");
    expect(JSON.parse(result.stdout)).toEqual({ digest: pack.digest, flows: pack.flows, esbuild: false });
  });
});

describe("a package is made anew", () => {
  test("when a source has other contents of the same size and time", async () => {
    const { root, entry, pack } = await prepared();
    const file = path.join(root, "src/word.js");
    const { atime, mtime } = fs.statSync(file);
    fs.writeFileSync(file, 'export const word = "new";\n');
    fs.utimesSync(file, atime, mtime);
    const again = await preparePackage(entry);
    expect(again.digest).not.toBe(pack.digest);
    expect(fs.readFileSync(path.join(again.folder, "flow.mjs"), "utf8")).toContain('"new"');
  });

  test.each<[string, Readonly<Record<string, string>>]>([
    ["a file appears that is found before the present one", { "src/word.ts": 'export const word = "shadow";\n' }],
    ["a tsconfig appears", { "src/tsconfig.json": "{}" }],
    ["a tsconfig further up appears", { "tsconfig.json": "{}" }],
    ["a package.json appears between the file and the root", { "src/package.json": '{ "name": "nearer" }' }],
    ["a lockfile appears", { "package-lock.json": "{}" }],
    ["a package appears nearer to the file", installed("src/node_modules/dep", "dep", "3.0.0")],
    [
      "the version of a dependency changes",
      { "node_modules/dep/package.json": JSON.stringify({ name: "dep", version: "1.1.0", main: "index.js" }) },
    ],
  ])("when %s", async (_what, change) => {
    const { root, entry, pack } = await prepared({ "pnpm-workspace.yaml": "" });
    writeFiles(root, change);
    expect(await isReused(entry, pack)).toBe(false);
    const present = await preparePackage(entry);
    expect(await isReused(entry, present)).toBe(true);
  });

  test("when a file of the tsconfig's extends chain changes", async () => {
    const { root, entry, pack } = await prepared({
      "src/tsconfig.json": '{ "extends": ["../base"] } // see base',
      "base.json": "{}",
    });
    expect(await isReused(entry, pack)).toBe(true);
    writeFiles(root, { "base.json": '{ "compilerOptions": { "paths": { "dep": ["./src/word.js"] } } }' });
    const again = await preparePackage(entry).catch((error: unknown) => error);
    // The alias now leads to a module that has no such export: esbuild read the new base.
    expect(again).toMatchObject({ code: "FLOW_PACKAGE_BUNDLE_FAILED" });
  });

  test("when an alias finds a file in an earlier place", async () => {
    const { root, entry } = await prepared({
      "tsconfig.json": JSON.stringify({ compilerOptions: { paths: { "@/*": ["./first/*", "./second/*"] } } }),
      "second/word.ts": 'export const word = "second";\n',
      "src/flow.ts": `import { word } from "@/word";\n${HELLO.replace('"hello"', "word")}`,
    });
    writeFiles(root, { "first/word.ts": 'export const word = "first";\n' });
    const again = await preparePackage(entry);
    expect(again.manifest.sources.map((source) => source.path)).toContain("first/word.ts");
  });

  test("when a link in node_modules leads elsewhere", async () => {
    const { root, entry, pack } = await prepared({
      ...installed("node_modules/.pnpm/linked@1.0.0/node_modules/linked", "linked", "1.0.0"),
      ...installed("copy/node_modules/linked", "linked", "1.0.0"),
      "node_modules/linked": "→ node_modules/.pnpm/linked@1.0.0/node_modules/linked",
      "src/flow.ts": `import { version } from "linked";\n${HELLO.replace('"hello"', "version")}`,
    });
    fs.unlinkSync(path.join(root, "node_modules/linked"));
    writeFiles(root, { "node_modules/linked": "→ copy/node_modules/linked" });
    expect(await isReused(entry, pack)).toBe(false);
  });

  test.each(["flow.mjs", "flow.mjs.map", "manifest.json"])("when its %s is damaged or missing", async (name) => {
    const { entry, pack } = await prepared();
    const file = path.join(pack.folder, name);
    const whole = fs.readFileSync(file);
    fs.writeFileSync(file, whole.subarray(0, whole.length - 20));
    expect(await preparePackage(entry)).toEqual(pack);
    expect(fs.readFileSync(file)).toEqual(whole);
    fs.rmSync(file);
    expect(await preparePackage(entry)).toEqual(pack);
    expect(fs.readFileSync(file)).toEqual(whole);
  });

  test.each(["", "{", "null", '{"schema":1}'])("when its index entry is %j", async (content) => {
    const { entry, pack } = await prepared();
    fs.writeFileSync(indexFileOf(pack), content);
    expect(await preparePackage(entry)).toEqual(pack);
  });
});

test("several processes at once make one package", async () => {
  const root = makeProject(FILES);
  const entry = path.join(root, "src/flow.ts");
  const results = await Promise.all(
    [1, 2, 3].map(() =>
      runProgram(
        entry,
        "const pack = await preparePackage(entry); console.log(pack.digest, typeof (await loadPackage(pack)).default);",
      ),
    ),
  );
  expect(results.map((result) => result.stderr)).toEqual(["", "", ""]);
  expect(new Set(results.map((result) => result.stdout)).size).toBe(1);
  expect(results[0]!.stdout).toMatch(/^[0-9a-f]{64} function\n$/);
  const packages = fs.readdirSync(path.join(root, "node_modules/.cache/millrace/packages"));
  expect(packages).toEqual([results[0]!.stdout.slice(0, 64)]);
  expect(fs.readdirSync(path.join(root, "node_modules/.cache/millrace/index"))).toHaveLength(1);
});

test("packages that nobody used for weeks are removed, once there are many", async () => {
  const { root, entry, pack } = await prepared();
  const packages = path.dirname(pack.folder);
  const longAgo = new Date(Date.now() - 30 * 24 * 60 * 60 * 1000);
  for (let number = 0; number < 70; number++) {
    const folder = path.join(packages, `old-${number}`);
    fs.mkdirSync(folder);
    if (number > 1) fs.utimesSync(folder, longAgo, longAgo);
  }
  writeFiles(root, { "src/word.js": 'export const word = "newer";\n' });
  const newer = await preparePackage(entry);
  const left = fs.readdirSync(packages);
  expect(left).toHaveLength(64);
  expect(left).toEqual(expect.arrayContaining([newer.digest, pack.digest, "old-0", "old-1"]));
});

test("a cache that cannot be written is a coded error", async () => {
  const root = makeProject({ "flow.ts": HELLO, file: "" });
  await expect(
    preparePackage(path.join(root, "flow.ts"), { cacheFolder: path.join(root, "file", "cache") }),
  ).rejects.toMatchObject({
    code: "FLOW_PACKAGE_CACHE_UNWRITABLE",
    hint: expect.stringContaining("XDG_CACHE_HOME"),
  });
});

test("without node_modules the package goes to the user's cache folder, which is private", async () => {
  const root = makeProject({ "flow.ts": HELLO });
  const cache = makeProject({});
  const before = process.env.XDG_CACHE_HOME;
  process.env.XDG_CACHE_HOME = cache;
  try {
    const pack = await preparePackage(path.join(root, "flow.ts"));
    expect(pack.folder.startsWith(path.join(cache, "millrace", "packages"))).toBe(true);
    expect(fs.statSync(path.join(cache, "millrace")).mode & 0o777).toBe(0o700);
    expect(pack.flows[0]!.definition.project).toBe("local");
  } finally {
    if (before === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = before;
  }
});

test("packages are private whatever the umask is", async () => {
  const root = makeProject({ "flow.ts": HELLO, "node_modules/x.js": "" });
  const before = process.umask(0);
  try {
    const pack = await preparePackage(path.join(root, "flow.ts"));
    const cache = path.join(root, "node_modules/.cache/millrace");
    const modes = fs
      .readdirSync(cache, { recursive: true, withFileTypes: true })
      .map((entry) => [entry.isFile(), fs.statSync(path.join(entry.parentPath, entry.name)).mode & 0o777]);
    expect(modes.length).toBeGreaterThan(5);
    expect(modes.filter(([isFile, mode]) => mode !== (isFile ? 0o600 : 0o700))).toEqual([]);
    expect(pack.folder.startsWith(cache)).toBe(true);
  } finally {
    process.umask(before);
  }
});

describe.skipIf(process.platform === "win32")("a cache that others may write to", () => {
  const withCache = async (cache: string, work: () => Promise<void>) => {
    const before = process.env.XDG_CACHE_HOME;
    process.env.XDG_CACHE_HOME = cache;
    try {
      await work();
    } finally {
      if (before === undefined) delete process.env.XDG_CACHE_HOME;
      else process.env.XDG_CACHE_HOME = before;
    }
  };

  test.each([0o777, 0o770, 0o722])("(mode %o) is passed over for one of one's own", async (mode) => {
    const root = makeProject({ "flow.ts": HELLO, "node_modules/.cache/millrace/x": "" });
    const shared = path.join(root, "node_modules/.cache/millrace");
    fs.chmodSync(shared, mode);
    const own = makeProject({});
    await withCache(own, async () => {
      const pack = await preparePackage(path.join(root, "flow.ts"));
      expect(pack.folder.startsWith(path.join(own, "millrace"))).toBe(true);
      expect(fs.readdirSync(shared)).toEqual(["x"]);
    });
  });

  test("is refused when there is no other", async () => {
    const root = makeProject({ "flow.ts": HELLO });
    const shared = makeProject({ "millrace/x": "" });
    fs.chmodSync(path.join(shared, "millrace"), 0o777);
    await withCache(shared, async () => {
      await expect(preparePackage(path.join(root, "flow.ts"))).rejects.toMatchObject({
        code: "FLOW_PACKAGE_CACHE_UNWRITABLE",
        message: expect.stringContaining("others may write to it (mode 777)"),
        hint: expect.stringContaining("XDG_CACHE_HOME"),
      });
      expect(fs.readdirSync(path.join(shared, "millrace"))).toEqual(["x"]);
    });
  });

  test.skipIf(process.getuid?.() !== 0)("or belongs to another user is passed over", async () => {
    const root = makeProject({ "flow.ts": HELLO, "node_modules/.cache/millrace/x": "" });
    fs.chownSync(path.join(root, "node_modules/.cache/millrace"), 54_321, 54_321);
    const own = makeProject({});
    await withCache(own, async () => {
      const pack = await preparePackage(path.join(root, "flow.ts"));
      expect(pack.folder.startsWith(path.join(own, "millrace"))).toBe(true);
    });
  });
});

test("a faulty definition is reported again by each call", async () => {
  const { root, entry } = await prepared();
  writeFiles(root, { "src/flow.ts": HELLO.replace("greeting!: string", 'accessor greeting = ""') });
  for (let call = 0; call < 2; call++) await expect(preparePackage(entry)).rejects.toMatchObject({ name: "FlowError" });
});
