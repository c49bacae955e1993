import fs from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { loadPackage } from "../../packages/core/src/package/load-package.ts";
import { preparePackage } from "../../packages/core/src/package/prepare-package.ts";
import { HELLO, installed, makeProject, writeFiles } from "./project-kit.ts";

type Steps = { readonly default: new () => Record<string, unknown> & { start(): void; end(): void } };

describe("what goes into a package", () => {
  test("aliases, workspace packages and relative files go in, installed packages stay out", async () => {
    const root = makeProject({
      "package.json": JSON.stringify({ name: "acme", type: "module", workspaces: ["packages/*"] }),
      "tsconfig.base.json": '{ "compilerOptions": { /* aliases */ "paths": { "@/*": ["./apps/train/src/*"], }, } }',
      "apps/train/package.json": JSON.stringify({ name: "@acme/train", type: "module" }),
      "apps/train/tsconfig.json": '{ "extends": "../../tsconfig.base.json" }',
      "apps/train/src/train.ts": `import { Flow, step, param, z } from "@millrace/core";
import { scale } from "@/scale";
import { Kind, nameOf } from "@acme/kinds";
import legacy from "./legacy.cjs";
import { version } from "dep";

/**
 * Trains
 * a model.
 *
 * @remarks none
 */
export default class Train extends Flow {
  /** How many rounds. */
  readonly rounds = param(z.number().int().default(3));
  result!: unknown;

  /** Begins the work. */
  @step({ next: "end" })
  start() {
    this.result = [scale(2), nameOf(Kind.Good), legacy.version, legacy.missing, version];
  }

  @step()
  end() {}
}
`,
      "apps/train/src/scale.ts": "export const scale = (x: number): number => x * 10;\n",
      "apps/train/src/legacy.cjs":
        'exports.version = require("dep").version;\ntry { require("not-installed"); } catch (error) { exports.missing = error.code; }\n',
      "packages/kinds/package.json": JSON.stringify({ name: "@acme/kinds", type: "module", exports: "./src/index.ts" }),
      "packages/kinds/src/index.ts":
        "export enum Kind { Bad, Good }\nexport const nameOf = (kind: Kind): string => Kind[kind];\n",
      "node_modules/@acme/kinds": "→ packages/kinds",
      ...installed("node_modules/dep", "dep", "1.2.3"),
    });
    const pack = await preparePackage(path.join(root, "apps/train/src/train.ts"));

    expect(pack.root).toBe(root);
    expect(pack.folder).toBe(path.join(root, "node_modules/.cache/millrace/packages", pack.digest));
    expect(pack.manifest.entry).toBe("apps/train/src/train.ts");
    expect(pack.manifest.sources.map((source) => source.path)).toEqual([
      "apps/train/src/legacy.cjs",
      "apps/train/src/scale.ts",
      "apps/train/src/train.ts",
      "packages/kinds/src/index.ts",
    ]);
    const key = "apps%2Ftrain";
    expect(pack.manifest.externals).toEqual([
      {
        key,
        importer: "apps/train",
        specifier: "@millrace/core",
        name: "@millrace/core",
        version: expect.stringMatching(/^\d+\./),
      },
      { key, importer: "apps/train", specifier: "dep", name: "dep", version: "1.2.3" },
      { key, importer: "apps/train", specifier: "not-installed", name: "not-installed" },
    ]);

    const { definition } = pack.flows[0]!;
    expect(pack.flows).toHaveLength(1);
    expect(definition).toMatchObject({ project: "@acme/train", name: "Train", summary: "Trains a model." });
    expect(definition.location).toEqual({ file: path.join(root, "apps/train/src/train.ts"), line: 13, column: 22 });
    expect(definition.params[0]).toMatchObject({ name: "rounds", help: "How many rounds." });
    expect(definition.steps[0]).toMatchObject({
      name: "start",
      summary: "Begins the work.",
      location: { line: 20, column: 3 },
    });

    const { default: Train } = (await loadPackage(pack)) as unknown as Steps;
    const self = { result: undefined };
    Train.prototype.start.call(self);
    expect(self.result).toEqual([20, "Good", "1.2.3", "MODULE_NOT_FOUND", "1.2.3"]);
  });

  test("one bare name means two versions in a pnpm-strict monorepo", async () => {
    const store = "node_modules/.pnpm";
    const root = makeProject({
      "pnpm-workspace.yaml": "packages: [apps/*, libs/*]\n",
      "package.json": "{}",
      "apps/a/package.json": JSON.stringify({ name: "a", type: "module" }),
      "apps/a/flow.ts": `import { version } from "dep";
import { libVersion } from "lib";
${HELLO.replace('"hello"', '[version, libVersion].join(" and ")')}`,
      "apps/a/node_modules/dep": `→ ${store}/dep@1.0.0/node_modules/dep`,
      "apps/a/node_modules/lib": "→ libs/lib",
      "libs/lib/package.json": JSON.stringify({ name: "lib", type: "module", main: "index.js" }),
      "libs/lib/index.js":
        'import found from "./find.cjs";\nimport { version } from "dep";\nexport const libVersion = version + " (" + found + ")";\n',
      "libs/lib/find.cjs":
        'const name = "dep";\nmodule.exports = [require("dep").version, require(name).version, require.resolve("dep").split("/").at(-4)].join();\n',
      "libs/lib/node_modules/dep": `→ ${store}/dep@2.0.0/node_modules/dep`,
      ...installed(
        `${store}/dep@1.0.0/node_modules/dep`,
        "dep",
        "1.0.0",
        'exports.version = require("only-beside-dep").name + " 1";\n',
      ),
      ...installed(
        `${store}/only-beside-dep@1.0.0/node_modules/only-beside-dep`,
        "only-beside-dep",
        "1.0.0",
        'exports.name = "dep";\n',
      ),
      [`${store}/dep@1.0.0/node_modules/only-beside-dep`]: `→ ${store}/only-beside-dep@1.0.0/node_modules/only-beside-dep`,
      ...installed(`${store}/dep@2.0.0/node_modules/dep`, "dep", "2.0.0", 'exports.version = "dep 2";\n'),
    });
    const pack = await preparePackage(path.join(root, "apps/a/flow.ts"));
    expect(pack.manifest.externals.filter((row) => row.name === "dep")).toEqual([
      { key: "apps%2Fa", importer: "apps/a", specifier: "dep", name: "dep", version: "1.0.0" },
      { key: "libs%2Flib", importer: "libs/lib", specifier: "dep", name: "dep", version: "2.0.0" },
    ]);
    const { default: Hello } = (await loadPackage(pack)) as unknown as Steps;
    const self = { greeting: "" };
    Hello.prototype.start.call(self);
    expect(self.greeting).toBe("dep 1 and dep 2 (dep 2,dep 2,dep@2.0.0)");
  });

  test("core stays outside, even where an alias or a link leads to sources of that name", async () => {
    const root = makeProject({
      "package.json": JSON.stringify({ type: "module", workspaces: ["core"] }),
      "tsconfig.json": JSON.stringify({ compilerOptions: { paths: { "@millrace/core": ["./core/index.ts"] } } }),
      "core/package.json": JSON.stringify({ name: "@millrace/core", version: "9.9.9", exports: "./index.ts" }),
      "core/index.ts": 'throw new Error("bundled");\n',
      "node_modules/@millrace/core": "→ core",
      "flow.ts": HELLO,
    });
    const pack = await preparePackage(path.join(root, "flow.ts"));
    expect(pack.manifest.sources.map((source) => source.path)).toEqual(["flow.ts"]);
    expect(pack.manifest.externals).toEqual([
      { key: ".", importer: ".", specifier: "@millrace/core", name: "@millrace/core", version: "9.9.9" },
    ]);
  });

  test("a dependency nested between the file and its package.json is the one that is used", async () => {
    const root = makeProject({
      "package.json": JSON.stringify({ name: "x", type: "module" }),
      ...installed("node_modules/dep", "dep", "1.0.0"),
      ...installed("src/node_modules/dep", "dep", "2.0.0"),
      "src/flow.ts": `import { version } from "dep";\n${HELLO.replace('"hello"', "version")}`,
    });
    const pack = await preparePackage(path.join(root, "src/flow.ts"));
    expect(pack.manifest.externals.find((row) => row.name === "dep")).toEqual({
      key: "src",
      importer: "src",
      specifier: "dep",
      name: "dep",
      version: "2.0.0",
    });
    const { default: Hello } = (await loadPackage(pack)) as unknown as Steps;
    const self = { greeting: "" };
    Hello.prototype.start.call(self);
    expect(self.greeting).toBe("2.0.0");
  });

  test("import.meta and __dirname mean the source file, and stay as they are in strings", async () => {
    const root = makeProject({
      "package.json": JSON.stringify({ type: "module" }),
      "src/flow.ts": `import { here } from "@/deep/here";
import dir from "./old.cjs";
${HELLO.replace('"hello"', 'JSON.stringify([import.meta.url, import.meta.dirname, import . meta.filename, "import.meta.url", here, dir])')}`,
      "src/deep/here.ts": 'export const here = import.meta.resolve("./there.txt"); // import.meta\n',
      "src/old.cjs": "module.exports = [__dirname, __filename];\n",
      "tsconfig.json": JSON.stringify({ compilerOptions: { paths: { "@/*": ["./src/*"] } } }),
    });
    const pack = await preparePackage(path.join(root, "src/flow.ts"), { cacheFolder: path.join(root, "cache") });
    const { default: Hello } = (await loadPackage(pack)) as unknown as Steps;
    const self = { greeting: "" };
    Hello.prototype.start.call(self);
    const file = path.join(root, "src/flow.ts");
    expect(JSON.parse(self.greeting)).toEqual([
      `file://${file}`,
      path.join(root, "src"),
      file,
      "import.meta.url",
      `file://${root}/src/deep/there.txt`,
      [path.join(root, "src"), path.join(root, "src/old.cjs")],
    ]);
    const map = JSON.parse(fs.readFileSync(path.join(pack.folder, "flow.mjs.map"), "utf8")) as {
      sources: string[];
      sourcesContent: string[];
    };
    expect(map.sourcesContent[map.sources.indexOf("src/flow.ts")]).toBe(fs.readFileSync(file, "utf8"));
  });
});

test("data, subpath imports, dynamic imports and unusual installed packages", async () => {
  const root = makeProject({
    "package.json": JSON.stringify({ name: "x", type: "module", imports: { "#dep": "dep", "#own": "./own.ts" } }),
    "tsconfig.json": JSON.stringify({ compilerOptions: { paths: { aliased: ["./node_modules/dep/index.js"] } } }),
    ...installed("node_modules/dep", "dep", "1.0.0"),
    ...installed("node_modules/typed", "typed", "2.0.0"),
    "node_modules/typed/source.ts": "export const typed: number = 5;\n",
    "own.ts": "export const own = 1;\n",
    "lazy.ts": "export const lazy = 2;\n",
    "data.json": '{ "three": 3 }',
    "note.txt": "four",
    "flow.ts": `import { version } from "#dep";
import { version as aliasedVersion } from "aliased";
import { own } from "#own";
import data from "./data.json" with { type: "json" };
import note from "./note.txt";
import { typed } from "typed/source.ts";
import { basename } from "path";
${HELLO.replace("start() {", "async start() {").replace('"hello"', '[version, aliasedVersion, own, (await import("./lazy.ts")).lazy, data.three, note, typed, basename("/a/b"), await import("none").catch((error) => error.code)].join()')}`,
  });
  const pack = await preparePackage(path.join(root, "flow.ts"));
  expect(pack.manifest.externals.map((row) => [row.specifier, row.name, row.version])).toEqual([
    ["#dep", "dep", "1.0.0"],
    ["@millrace/core", "@millrace/core", expect.any(String)],
    ["none", "none", undefined],
  ]);
  expect(pack.manifest.sources.map((source) => source.path)).toEqual([
    "data.json",
    "flow.ts",
    "lazy.ts",
    "node_modules/dep/index.js",
    "node_modules/typed/source.ts",
    "note.txt",
    "own.ts",
  ]);
  const { default: Hello } = (await loadPackage(pack)) as unknown as Steps;
  const self = { greeting: "" };
  await Hello.prototype.start.call(self);
  expect(self.greeting).toBe("1.0.0,1.0.0,1,2,3,four,5,b,ERR_MODULE_NOT_FOUND");
});

describe("the digest", () => {
  const files = {
    "package.json": JSON.stringify({ name: "x", type: "module" }),
    "package-lock.json": "{}",
    ...installed("node_modules/dep", "dep", "1.0.0"),
    "src/flow.ts": `import { version } from "dep";\nimport { where } from "./where.ts";\n${HELLO.replace('"hello"', "version + where")}`,
    "src/where.ts": "export const where = import.meta.url;\n",
  };

  test("is the same for the same sources in another folder", async () => {
    const [one, two] = [makeProject(files), makeProject(files)];
    const first = await preparePackage(path.join(one, "src/flow.ts"));
    const second = await preparePackage(path.join(two, "src/flow.ts"));
    expect(second.digest).toBe(first.digest);
    for (const name of ["flow.mjs", "flow.mjs.map", "manifest.json"]) {
      const text = fs.readFileSync(path.join(first.folder, name), "utf8");
      expect(text).toBe(fs.readFileSync(path.join(second.folder, name), "utf8"));
      expect(text).not.toContain(one);
      expect(text).not.toContain(path.dirname(one));
    }
  });

  test("one shared cache serves both folders, each with its own paths", async () => {
    const [one, two] = [makeProject(files), makeProject(files)];
    const cacheFolder = path.join(makeProject({}), "cache");
    const greetings: string[] = [];
    for (const root of [one, two]) {
      const pack = await preparePackage(path.join(root, "src/flow.ts"), { cacheFolder });
      const { default: Hello } = (await loadPackage(pack)) as unknown as Steps;
      const self = { greeting: "" };
      Hello.prototype.start.call(self);
      greetings.push(self.greeting);
    }
    expect(greetings).toEqual([`1.0.0file://${one}/src/where.ts`, `1.0.0file://${two}/src/where.ts`]);
    expect(fs.readdirSync(path.join(cacheFolder, "packages"))).toHaveLength(1);
  });

  test("changes with a source, with a dependency's version and with the lockfile", async () => {
    const root = makeProject(files);
    const entry = path.join(root, "src/flow.ts");
    const digests = new Set([(await preparePackage(entry)).digest]);
    writeFiles(root, { "src/where.ts": "export const where = 1;\n" });
    digests.add((await preparePackage(entry)).digest);
    writeFiles(root, {
      "node_modules/dep/package.json": JSON.stringify({ name: "dep", version: "1.0.1", main: "index.js" }),
    });
    digests.add((await preparePackage(entry)).digest);
    writeFiles(root, { "package-lock.json": '{ "lockfileVersion": 3 }' });
    digests.add((await preparePackage(entry)).digest);
    expect(digests.size).toBe(4);
  });
});
