import { expect, test } from "vitest";
import { isInstalled, packageName } from "./external-table.ts";

test.each([
  ["lodash", "lodash"],
  ["lodash/fp", "lodash"],
  ["@acme/x/sub/y", "@acme/x"],
  ["#internal", undefined],
  ["./file", undefined],
])("the package of %s is %s", (specifier, name) => {
  expect(packageName(specifier)).toBe(name);
});

test("a file is installed when node_modules lies below the root, or anywhere outside of the root", () => {
  expect(isInstalled("/w/node_modules/dep/index.js", "/w")).toBe(true);
  expect(isInstalled("/w/packages/lib/index.js", "/w")).toBe(false);
  expect(isInstalled("/w/node_modules/app/src/index.js", "/w/node_modules/app")).toBe(false);
  expect(isInstalled("/other/node_modules/dep/index.js", "/w")).toBe(true);
  expect(isInstalled("/other/lib/index.js", "/w")).toBe(false);
});
