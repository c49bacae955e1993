/** What a run records of its environment, with the real command: what is installed is looked at for each run. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "./observe.ts";

const LOCKFILE = '{ "lockfileVersion": 3 }';
const installed = (version: string) => JSON.stringify({ name: "adder", version, type: "module", main: "index.js" });
const project = new Project({
  "package.json": JSON.stringify({ name: "shop", type: "module" }),
  "package-lock.json": LOCKFILE,
  ".gitignore": "node_modules\n.millrace\n",
  "node_modules/adder/package.json": installed("1.2.3"),
  "node_modules/adder/index.js": "export const add = (a, b) => a + b;",
  "node_modules/@acme/unused/package.json": JSON.stringify({ name: "@acme/unused", version: "9.9.9" }),
  "inner.ts": flowText("Inner", `@step({ next: "end" }) start() {} @step() end() {}`),
  "train.ts": flowText(
    "Train",
    `sum!: number;
     @step({ next: "end" }) async start() { this.sum = add(1, 2); await run(Inner); }
     @step() end() {}`,
    `import { run } from "@millrace/core"; import { add } from "adder"; import Inner from "./inner.ts";`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

const environmentOf = async (run: string): Promise<any> =>
  JSON.parse((await project.flow(["show", run, "--json"])).stdout).environment;

test("a run says what it ran on and with: machine, packages, lockfile, git", { timeout: 120_000 }, async () => {
  const git = (...args: readonly string[]) =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...args], { cwd: project.folder });
  git("init", "-q");
  git("add", ".");
  git("commit", "-qm", "first");
  git("remote", "add", "origin", "https://ana:geheim@example.org/shop.git");
  const called = await project.flow(["run", "train.ts", "--json"], {
    env: { npm_config_user_agent: "npm/11.4.2 node/v24.1.0 linux x64" },
  });
  expect([called.code, called.stderr]).toEqual([0, expect.anything()]);
  const environment = await environmentOf("Train/1");
  expect(environment).toMatchObject({
    node: process.version,
    v8: process.versions.v8,
    arch: process.arch,
    packageManager: "npm 11.4.2",
    lockfile: { path: "package-lock.json", digest: createHash("sha256").update(LOCKFILE).digest("hex") },
    packages: { adder: "1.2.3" },
    git: { dirty: false, remote: "https://example.org/shop.git" },
  });
  expect(Object.keys(environment.packages)).toEqual(["adder"]);
  const shown = (await project.flow(["show", "Train/1"])).stdout;
  expect(shown).toContain("npm 11.4.2, package-lock.json sha256:");
  expect(shown).toMatch(/packages\s+adder 1\.2\.3/);

  // The run inside its step is of another file, which imports nothing.
  const inner = await environmentOf("Inner/1");
  expect([inner.packages, inner.node, inner.git.sha]).toEqual([undefined, process.version, environment.git.sha]);

  // Nothing of it is remembered from the run before.
  project.write({ "node_modules/adder/package.json": installed("2.0.0"), "package-lock.json": "{}\n" });
  expect((await project.flow(["run", "train.ts"])).code).toBe(0);
  const later = await environmentOf("Train/2");
  expect(later).toMatchObject({
    packageManager: expect.stringMatching(/^npm\b/), // with its version where npm itself runs the tests
    lockfile: { digest: createHash("sha256").update("{}\n").digest("hex") },
    packages: { adder: "2.0.0" },
    git: { dirty: true, diffDigest: expect.stringMatching(/^[0-9a-f]{64}$/) },
  });
});
