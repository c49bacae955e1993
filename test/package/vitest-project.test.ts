import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { makeProject } from "./project-kit.ts";

const core = fileURLToPath(new URL("../../packages/core/src/", import.meta.url));
const vitest = path.dirname(createRequire(import.meta.url).resolve("vitest/package.json"));

test("a user's vitest runs a flow whose stored class it has imported itself", () => {
  const root = makeProject({
    "package.json": '{ "type": "module" }',
    "node_modules/.keep": "",
    "vitest.config.mjs": `import { millrace } from ${JSON.stringify(`${core}package/vitest.ts`)};
export default {
  plugins: [millrace()],
  resolve: { alias: { "@millrace/core": ${JSON.stringify(`${core}index.ts`)}, vitest: ${JSON.stringify(`${vitest}/dist/index.js`)} } },
};
`,
    "src/fit.ts": `import { Flow, step, storable } from "@millrace/core";

@storable({ name: "acme.Model" })
export class Model {
  weights = [1, 2];
}

export default class Fit extends Flow { model!: Model; @step({ next: "end" }) start() { this.model = new Model(); } @step() end() {} }
`,
    "src/fit.test.ts": `import { run } from "@millrace/core";
import { expect, test } from "vitest";
import Fit, { Model } from "./fit.ts";

test("fits", { timeout: 60_000 }, async () => {
  expect(new Model().weights).toEqual([1, 2]);
  expect((await run(Fit)).status).toBe("succeeded");
});
`,
  });
  const environment = Object.entries(process.env).filter(([name]) => !/^(?:vitest|vite_|node_env$)/i.test(name));
  const result = spawnSync(process.execPath, [path.join(vitest, "vitest.mjs"), "run", "--pool=forks"], {
    cwd: root,
    encoding: "utf8",
    env: { ...Object.fromEntries(environment), NO_COLOR: "1" },
  });
  expect(result.stdout + result.stderr).toMatch(/Tests\s+1 passed/);
  expect(result.status).toBe(0);
});
