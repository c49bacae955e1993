import { expect, test } from "vitest";
import { localizeSource } from "./localize-source.ts";

test("import.meta is replaced by a name of the same length, imported at the end", async () => {
  const text = 'const a = import.meta.url; // import.meta\nexport const b = ["import.meta", import /* x */ . meta];\n';
  expect(await localizeSource(text, "src/a.ts")).toBe(
    `const a = sourceMeta_.url; // import.meta\nexport const b = ["import.meta", sourceMeta_          ];\n\nimport { meta as sourceMeta_ } from "millrace-source:src/a.ts";\n`,
  );
});

test("CommonJS declares what it uses on its first line", async () => {
  const text = 'const dep = require("dep");\nexports.at = [__dirname, require.resolve("dep"), require(dep.name)];\n';
  expect(await localizeSource(text, "a.cjs")).toBe(
    `var { resolve: sourceResolve__, load: source_, meta: { filename: __filename, dirname: __dirname } } = require("millrace:@local").source("a.cjs"); const dep = require("dep");\nexports.at = [__dirname, sourceResolve__("dep"), source_(dep.name)];\n`,
  );
});

test.each([
  ["only mentions", 'export const a = "import.meta"; // require(x)\n'],
  [
    "a require of its own",
    'import { createRequire } from "node:module";\nconst require = createRequire("/x");\nexport const a = require(name);\n',
  ],
  ["a require that is handed in", "module.exports = (require, name) => require(name);\n"],
  ["what the bundler follows", 'exports.a = require("a"), require(x ? "b" : "c"), require(`d`);\n'],
  ["a syntax error", "const = import.meta;\n"],
])("%s: the text stays", async (_what, text) => {
  expect(await localizeSource(text, "a.js")).toBe(text);
});

test("a name that the module uses is not taken", async () => {
  expect(await localizeSource("let sourceMeta_; export default import.meta;\n", "a.ts")).toContain(
    "export default sourceMeta1;",
  );
});
