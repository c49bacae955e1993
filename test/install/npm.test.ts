/**
 * The packages in a user's hands: packed, installed by npm into an empty folder outside the repository, and used there with
 * the oldest supported Node. The tests go on from each other, as a user would.
 */
import { execFile, execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Done, orUnreachable, packPackages, type Tarballs, UserFolder } from "./install-kit.ts";
import { USER_FILES } from "./user-files.ts";

const TYPESCRIPTS = ["typescript@5.9.3", "typescript-7@npm:typescript@7.0.2"];

const user = new UserFolder();
let tarballs: Tarballs;
let unreachable: string | undefined;

beforeAll(async () => {
  const oldestNode = orUnreachable(() => user.useOldestNode());
  tarballs = await packPackages(path.join(user.base, "tarballs"));
  unreachable = await oldestNode;
  unreachable ??= await orUnreachable(async () => {
    user.write({ ...USER_FILES, "package.json": JSON.stringify({ name: "shop", private: true, type: "module" }) });
    const own = Object.values(tarballs).map((file) => path.relative(user.folder, file));
    // An old zod 4 beside core's own, which is newer.
    await user.install([
      ...own.map((file) => `./${file}`),
      "picocolors@1.1.1",
      "zod@4.1.0",
      ...TYPESCRIPTS,
      "@types/node@22",
    ]);
  });
}, 120_000);

afterAll(() => user[Symbol.dispose]());

function flow(...words: string[]): Promise<Done> {
  return user.run("npx", ["--no-install", "flow", ...words]);
}

describe("the tarballs", () => {
  test("hold code, declarations, readme and licence, and nothing of the machine that built them", async () => {
    for (const [name, tarball] of Object.entries(tarballs)) {
      const folder = path.join(user.base, "unpacked", name);
      fs.mkdirSync(folder, { recursive: true });
      await promisify(execFile)("tar", ["xzf", tarball, "-C", folder]);
      const files = fs.readdirSync(path.join(folder, "package"), { recursive: true, encoding: "utf8" });
      expect(files).toEqual(expect.arrayContaining(["LICENSE", "README.md", "package.json", "dist"]));
      expect(files.filter((file) => /\.(?:map|ts)$/.test(file) && !file.endsWith(".d.ts"))).toEqual([]);
      const manifest = JSON.parse(fs.readFileSync(path.join(folder, "package/package.json"), "utf8"));
      expect(manifest).not.toHaveProperty("devDependencies");
      expect(manifest).not.toHaveProperty("scripts");
      expect(JSON.stringify(manifest)).not.toContain("workspace:");
      for (const target of targetsOf(manifest)) expect(files).toContain(path.normalize(target));
      for (const file of files.filter((item) => /\.(?:[cm]?js|ts|json|md)$/.test(item))) {
        const text = fs.readFileSync(path.join(folder, "package", file), "utf8");
        expect(text.includes(path.resolve(".")), `${name}/${file} names the folder of the repository`).toBe(false);
      }
    }
  });

  test("core brings the licences of what is bundled into it", () => {
    const text = fs.readFileSync(path.join(user.base, "unpacked/core/package/dist/LICENSES.txt"), "utf8");
    for (const name of ["better-sqlite3", "kysely", "zod"]) expect(text).toMatch(new RegExp(`^${name} \\d+\\.`, "m"));
    expect(text.match(/Permission is hereby granted/g)!.length).toBeGreaterThanOrEqual(2);
  });
});

describe("with npm", () => {
  beforeEach((context) => {
    if (unreachable !== undefined) context.skip(unreachable);
  });

  test("a flow runs, another reads it by tag, and all of it is valid", async () => {
    expect((await user.run("node", ["--version"])).stdout).toBe(
      process.platform === "linux" ? "v22.15.0\n" : `${process.version}\n`,
    );
    const first = await flow("run", "train.ts", "--tag", "prod:v1", "-k", "3");
    expect(first).toMatchObject({ code: 0 });
    expect(first.stderr + first.stdout).toContain("trained: the × 4, mill × 2, turns × 2");
    const second = await flow("run", "predict.ts", "--model-tag", "prod:v1");
    expect(second).toMatchObject({ code: 0 });
    expect(second.stderr + second.stdout).toContain("predicted: 6 from the × 4, mill × 2, turns × 2");
    const valid = await flow("validate");
    expect(valid).toMatchObject({ code: 0 });
    expect(valid.stdout).toMatch(/Valid: 2 runs|Valid: 1 run/);
    const graph = await flow("graph", "train.ts");
    expect(graph).toMatchObject({ code: 0 });
    expect(graph.stdout).toContain("foreach lines → split");
    expect(fs.existsSync(path.join(user.folder, ".millrace"))).toBe(true);
  });

  test("a program reads the runs and starts another, though it has the classes from a loader of its own", async () => {
    const program = await user.run("node", ["--import", "@millrace/core/register", "program.ts"]);
    expect(program).toMatchObject({ code: 0 });
    expect(program.stdout).toBe("read: the × 4, 6\nran: the × 4\nrefused: FLOW_PARAMETER_INVALID\n");
  });

  test("schemas of the project's own zod are parameters", async () => {
    const installed = (name: string) =>
      JSON.parse(fs.readFileSync(path.join(user.folder, name, "package.json"), "utf8")).version;
    expect(installed("node_modules/zod")).toBe("4.1.0");
    expect(installed("node_modules/@millrace/core/node_modules/zod")).not.toBe("4.1.0");
    const run = await flow("run", "own-zod.ts", "-n", "4", "--mode", "exact", "--since", "2026-05-06");
    expect(run).toMatchObject({ code: 0 });
    expect(run.stderr + run.stdout).toContain("own zod: 46");
    const refused = await flow("run", "own-zod.ts", "--mode", "slow");
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).toContain("FLOW_PARAMETER_INVALID");
  });

  test("models of @millrace/ml are kept and predict", async () => {
    const run = await flow("run", "forest.ts");
    expect(run).toMatchObject({ code: 0 });
    expect(run.stderr + run.stdout).toContain("forest: true");
  });

  test.each([
    ["typescript", "nodenext", "nodenext"],
    ["typescript-7", "preserve", "bundler"],
  ])(
    "all declarations hold in strict mode, and a wrong step is an error: %s, module %s",
    async (compiler, module, moduleResolution) => {
      user.write({
        "entries.ts": `import { MILLRACE_VERSION } from "@millrace/core/internal";
import "@millrace/core/register";
import millrace from "@millrace/core/vitest";
export const name: string = millrace().name + MILLRACE_VERSION;
`,
        "readme.ts": readmeExample("core", "export default class"),
        "readme-ml.ts": readmeExample("ml", "makeRegression"),
        "wrong.ts": USER_FILES["train.ts"]!.replace('next: "collect"', 'next: "colect"'),
        "tsconfig.json": JSON.stringify({
          compilerOptions: {
            ...{
              target: "es2024",
              module,
              moduleResolution,
              types: ["node"],
              noEmit: true,
              allowImportingTsExtensions: true,
            },
            ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false },
          },
          include: ["*.ts"],
        }),
      });
      const { stdout } = await user.run("node", [path.join("node_modules", compiler, "bin/tsc"), "-p", "."]);
      expect(stdout).toMatch(/^wrong\.ts\(21,11\): error TS\d+: Type '"colect"' is not assignable .*\n$/);
    },
  );

  test("a package.json without type, and none at all, change nothing", async () => {
    const without = JSON.parse(fs.readFileSync(path.join(user.folder, "package.json"), "utf8"));
    delete without.type;
    user.write({ "package.json": JSON.stringify(without) });
    expect(await flow("run", "train.ts", "--tag", "plain:v1")).toMatchObject({ code: 0 });
    for (const file of ["package.json", "package-lock.json"]) fs.rmSync(path.join(user.folder, file));
    const bin = path.join(user.folder, "node_modules/.bin/flow");
    expect(await user.run(bin, ["run", "train.ts", "--tag", "bare:v1"])).toMatchObject({ code: 0 });
    expect(await user.run(bin, ["run", "predict.ts", "--model-tag", "bare:v1"])).toMatchObject({ code: 0 });
  });

  test("a Node that is too old is told so", async (context) => {
    const old = oldNode();
    if (old === undefined) return context.skip("there is no Node older than 22.15 on the PATH to try");
    const bin = path.join(user.folder, "node_modules/@millrace/cli/bin/flow.mjs");
    const told = await user.run(old, [bin, "run", "train.ts"]);
    expect(told).toMatchObject({ code: 2, stdout: "" });
    expect(told.stderr).toContain("Millrace needs Node 22.15 or newer, this is Node ");
    expect(told.stderr).not.toMatch(/^\s+at /m);
  });
});

/** What a manifest's exports and bin lead to. */
function targetsOf(manifest: { exports?: object; bin?: Record<string, string> }): readonly string[] {
  const exported = Object.values(manifest.exports ?? {}).flatMap((target: string | Record<string, string>) =>
    typeof target === "string" ? [target] : Object.values(target),
  );
  return [...exported, ...Object.values(manifest.bin ?? {})];
}

/** The block of code in a package's README that holds a text. */
function readmeExample(name: string, text: string): string {
  const readme = fs.readFileSync(path.join(user.folder, "node_modules/@millrace", name, "README.md"), "utf8");
  const blocks = [...readme.matchAll(/^```ts\n(.*?)^```/gms)].map((match) => match[1]!);
  const found = blocks.find((block) => block.includes(text));
  if (found === undefined) throw new Error(`README of ${name} has no example with "${text}"`);
  return found;
}

function oldNode(): string | undefined {
  const candidates = (process.env.PATH ?? "").split(path.delimiter).map((folder) => path.join(folder, "node"));
  return candidates.find((file) => {
    if (!fs.existsSync(file) || fs.realpathSync(file) === fs.realpathSync(process.execPath)) return false;
    const [major, minor] = execFileSync(file, ["--version"], { encoding: "utf8" }).slice(1).split(".").map(Number);
    return major! < 22 || (major === 22 && minor! < 15);
  });
}
