/** Tests come out the same, whatever the shell says and whoever left a store, a package or a tsconfig.json above them. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { clearSurroundings } from "../kit/surroundings.ts";

const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "millrace-surroundings-")));
const [usual, other] = [path.join(root, "usual/tmp"), path.join(root, "other/tmp")];
for (const folder of [usual, other]) fs.mkdirSync(folder, { recursive: true });
afterAll(() => fs.rmSync(root, { recursive: true }));

test("what nothing lies above stays where it is", () => {
  const environment = { TMPDIR: usual };
  expect(clearSurroundings(environment, [usual, other])).toBeUndefined();
  expect(environment).toEqual({ TMPDIR: usual });
});

test.each([".millrace", "../.millrace", "package.json", "../tsconfig.json"])(
  "%s in the way moves them to the next folder",
  (name) => {
    const left = path.join(usual, name);
    fs.writeFileSync(left, "");
    const environment = { TMPDIR: usual };
    try {
      const said = clearSurroundings(environment, [usual, path.join(root, "none"), other]);
      expect(said).toBe(`Temporary folders are in ${other}: those in ${usual} would find ${left}`);
      expect(environment).toEqual({ TMPDIR: other });
      expect(() => clearSurroundings(environment, [usual])).toThrow(`${left}. Remove it, or set TMPDIR`);
    } finally {
      fs.rmSync(left);
    }
  },
);

test("what the shell says to runs is not said to tests", () => {
  const environment = { MILLRACE_STORE: "s3://elsewhere", MILLRACE_PARAM_N: "1", MILLRACE_TEST_SEED: "1", HOME: usual };
  clearSurroundings(environment, [usual]);
  expect(environment).toEqual({ MILLRACE_TEST_SEED: "1", HOME: usual });
});

test("this process has such surroundings", () => {
  expect(clearSurroundings({ ...process.env })).toBeUndefined();
  expect(Object.keys(process.env).filter((name) => /^MILLRACE_(STORE|USER|PARAM_)/.test(name))).toEqual([]);
});
