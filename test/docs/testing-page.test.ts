/** The tests on the page about testing, as a user would have them: in vitest with the plugin, and in node:test with the hook. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { expect, test } from "vitest";
import { ROOT, readText } from "../kit/repository.ts";
import { makeProject } from "../package/project-kit.ts";

const vitest = path.dirname(createRequire(import.meta.url).resolve("vitest/package.json"));

const blocks = Object.fromEntries(
  [...readText("docs/guide/testing.md").matchAll(/^```ts file=(\S+)\n([\s\S]*?)^```/gm)].map(([, file, text]) => [
    file!,
    text!,
  ]),
);

function project(): string {
  const root = makeProject({ "package.json": '{ "name": "shop", "type": "module" }', ...blocks });
  fs.mkdirSync(path.join(root, "node_modules/@millrace"), { recursive: true });
  fs.symlinkSync(`${ROOT}packages/core`, path.join(root, "node_modules/@millrace/core"));
  fs.symlinkSync(vitest, path.join(root, "node_modules/vitest"));
  return root;
}

test("in vitest", () => {
  const root = project();
  const environment = Object.entries(process.env).filter(([name]) => !/^(?:vitest|vite_|node_env$)/i.test(name));
  const result = spawnSync(process.execPath, [path.join(vitest, "vitest.mjs"), "run", "--pool=forks"], {
    cwd: root,
    encoding: "utf8",
    env: { ...Object.fromEntries(environment), NO_COLOR: "1" },
  });
  expect(result.stdout + result.stderr).toMatch(/Tests\s+11 passed/);
  expect(result.status).toBe(0);
});

test("in node:test, without a store or a file", () => {
  const root = project();
  const words = ["--import", "@millrace/core/register", "--test", "--test-reporter=tap", "price.node-test.ts"];
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const result = spawnSync(process.execPath, words, { cwd: root, encoding: "utf8", env });
  expect(result.stdout).toMatch(/^# pass 1$/m);
  expect(result.status).toBe(0);
  expect(fs.readdirSync(root).toSorted()).toEqual([...Object.keys(blocks), "node_modules", "package.json"].toSorted());
  expect(fs.readdirSync(path.join(root, "node_modules")).toSorted()).toEqual(["@millrace", "vitest"]);
});
