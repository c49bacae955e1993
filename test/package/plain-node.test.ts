import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { hasDecorators } from "../../packages/core/src/package/lower-decorators.ts";
import { millrace } from "../../packages/core/src/package/vitest.ts";
import { makeProject } from "./project-kit.ts";

const DECORATED = `import assert from "node:assert";

function twice(method: () => number, _context: ClassMethodDecoratorContext) {
  return () => method() * 2;
}

export class Counter {
  @twice
  count(): number {
    return 21;
  }

  @twice
  fail(): number {
    throw new Error("here");
  }
}

assert(new Counter().count() === 42);
`;

const register = fileURLToPath(new URL("../../packages/core/src/package/register.ts", import.meta.url));

test("plain Node loads decorated TypeScript after --import @millrace/core/register, with the right lines", () => {
  const root = makeProject({
    "package.json": '{ "type": "module" }',
    "counter.ts": DECORATED,
    "main.ts":
      'import { Counter } from "./counter.ts";\nimport { plain } from "./plain.ts";\nconsole.log(new Counter().count(), plain satisfies string);\ntry { new Counter().fail(); } catch (error) { console.log((error as Error).stack); }\n',
    "plain.ts": 'export const plain: string = "stripped by Node";\n',
  });
  const main = path.join(root, "main.ts");
  const without = spawnSync(process.execPath, [main], { encoding: "utf8" });
  expect(without.stderr).toContain("SyntaxError");
  const result = spawnSync(process.execPath, ["--import", register, main], { encoding: "utf8" });
  expect(result.stderr).toBe("");
  expect(result.stdout).toContain("42 stripped by Node");
  expect(result.stdout).toContain(`(${root}/counter.ts:15:11)`);
});

test.each([
  "export default class One { @twice count() { return 1; } }",
  "class A { x = 1; @twice count() { return 1; } }",
  "class A { static @twice count() { return 1; } }",
  "class A { /** Comment. */ @twice count() { return 1; } }",
  "class A {\n  @ twice\n  count() { return 1; } }",
  "export @(twice) class A {}",
])("a decorator anywhere in a line is seen: %s", (text) => {
  expect(hasDecorators(text)).toBe(true);
});

test.each([
  'import { Flow } from "@millrace/core";',
  "/** @param x a number */",
  "/**\n * @example\n */\n// @ts-expect-error\nconst mail = `a@b.c`;",
])("what is no decorator is left to others: %s", (text) => {
  expect(hasDecorators(text)).toBe(false);
});

test("plain Node loads a decorated class that stands on one line", () => {
  const root = makeProject({
    "package.json": '{ "type": "module" }',
    "one.ts":
      "const d = (m: any, _c: unknown) => m; export default class One { @d count() { return 1; } }\nconsole.log(new One().count());\n",
  });
  const result = spawnSync(process.execPath, ["--import", register, path.join(root, "one.ts")], { encoding: "utf8" });
  expect([result.stdout, result.stderr]).toEqual(["1\n", ""]);
});

test("the vite plugin lowers decorated files and leaves others alone", async () => {
  const plugin = millrace();
  expect(await plugin.transform("export const x = 1;\n", "/p/x.ts")).toBeUndefined();
  expect(await plugin.transform(DECORATED, "/p/node_modules/dep/x.ts")).toBeUndefined();
  const lowered = await plugin.transform(DECORATED, "/p/counter.ts?v=1");
  const folder = makeProject({ "counter.mjs": lowered!.code });
  const { Counter } = (await import(path.join(folder, "counter.mjs"))) as { Counter: new () => { count(): number } };
  expect(new Counter().count()).toBe(42);
  expect(fs.readFileSync(path.join(folder, "counter.mjs"), "utf8")).not.toMatch(/^\s*@twice/m);
});
