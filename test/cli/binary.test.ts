import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { expect, test } from "vitest";
import { BINARY, flow, temporaryFolder } from "./kit.ts";

test("help goes to stdout, and to stderr with code 2 when nothing was asked for", async () => {
  const help = await flow(["--help"]);
  expect([help.code, help.stderr]).toEqual([0, ""]);
  expect(help.stdout).toContain("flow validate");
  const bare = await flow([]);
  expect([bare.code, bare.stdout, bare.stderr]).toEqual([2, "", help.stdout]);
});

test.each(["run", "check", "graph", "runs", "show", "logs", "dump", "validate", "tag add", "tag remove", "tag list"])(
  "flow %s --help has usage, examples and flags",
  async (name) => {
    const { code, stdout, stderr } = await flow([...name.split(" "), "--help"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(new RegExp(`Usage {2}flow ${name}`));
    expect(stdout).toContain("Examples\n");
    expect(stdout).toContain("--json");
    expect(stdout).toContain("--help");
  },
);

test("the version is the package's", async () => {
  const { code, stdout } = await flow(["--version"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(JSON.parse((await flow(["--version", "--json"])).stdout)).toEqual({
    version: stdout.trim(),
    node: process.versions.node,
  });
});

test("an unknown command names the nearest", async () => {
  const { code, stdout, stderr } = await flow(["rnus"]);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toBe('✗ Cannot find the command "rnus"\n  → Did you mean "flow runs"?\n  FLOW_CLI_UNKNOWN_COMMAND\n');
  expect((await flow(["train.ts"])).stderr).toContain("Type flow run train.ts");
  expect((await flow(["tag", "ad", "Train/1", "x"])).stderr).toContain('Did you mean "flow tag add"?');
});

test("all wrong flags are told at once, as JSON when asked", async () => {
  const words = ["runs", "--tga", "x", "--limit", "many", "--status", "fialed"];
  const { code, stdout, stderr } = await flow(words);
  expect([code, stdout]).toEqual([2, ""]);
  for (const part of ['"--tga"', 'Did you mean "--tag"?', '"--limit" is "many"', 'Did you mean "failed"?'])
    expect(stderr).toContain(part);
  expect(stderr).not.toMatch(/\n\s+at /);
  const json = await flow([...words, "--json"]);
  expect([json.code, json.stderr]).toEqual([2, ""]);
  expect(JSON.parse(json.stdout).error.problems).toHaveLength(3);
});

test("--debug shows our stack", async () => {
  expect((await flow(["rnus", "--debug"])).stderr).toMatch(/\n\s+at /);
});

test("flags before the verb are those behind it", async () => {
  const { code, stdout } = await flow(["--json", "runs", "--nope"]);
  expect(code).toBe(2);
  expect(JSON.parse(stdout).error.code).toBe("FLOW_CLI_UNKNOWN_FLAG");
});

test("an older Node is told so before anything else is loaded", async () => {
  const pretend = `data:text/javascript,Object.defineProperty(process.versions,"node",{value:"20.11.0"})`;
  const { code, stderr, stdout } = await flow(["--help"], { node: ["--import", pretend] });
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toContain("Millrace needs Node 22.15 or newer, this is Node 20.11.0");
});

test("without a store, reading commands end with code 3 and make none", async () => {
  using folder = temporaryFolder();
  for (const words of [
    ["runs"],
    ["show", "Train/1"],
    ["dump", "Train/1"],
    ["logs", "Train/1"],
    ["validate"],
    ["tag", "list"],
    ["tag", "add", "Train/1", "x"],
  ]) {
    const { code, stdout, stderr } = await flow([...words, "--store", `${folder.path}/none`]);
    expect([words, code, stdout]).toEqual([words, 3, ""]);
    expect(stderr).toContain("FLOW_CLIENT_NO_STORE");
  }
});

test("a reader that goes away is no error", async () => {
  const child = spawn("sh", ["-c", `"${process.execPath}" "${BINARY}" --help | head -c 10; echo "\${PIPESTATUS:-}"`], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text) => (stdout += text));
  child.stderr.on("data", (text) => (stderr += text));
  await new Promise((resolve) => child.on("close", resolve));
  expect(stdout).toContain("Runs typed");
  expect(stderr).toBe("");
});

test.skipIf(process.platform !== "linux")("a full disk behind stdout is no success", async () => {
  const child = spawn("sh", ["-c", `"${process.execPath}" "${BINARY}" --help > /dev/full`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  expect(await new Promise((resolve) => child.on("close", resolve))).toBe(1);
  expect(stderr).toContain("FLOW_CLI_OUTPUT_NOT_WRITABLE");
});

test("colours follow FORCE_COLOR and NO_COLOR", async () => {
  expect((await flow(["rnus"], { env: { FORCE_COLOR: "1" } })).stderr).toContain("\x1b[31m");
  expect((await flow(["rnus"], { env: { FORCE_COLOR: "1", NO_COLOR: "1" } })).stderr).not.toContain("\x1b");
});

test.skipIf(process.platform === "win32")(
  "compiled code is kept where nobody else can write, or not at all",
  async () => {
    using folder = temporaryFolder();
    const cached = (cache: string) =>
      existsSync(`${cache}/millrace/compile`) && readdirSync(`${cache}/millrace/compile`);
    const call = async (cache: string) => {
      // Node writes the cache when it ends; a command that loads nothing else is enough.
      expect((await flow(["--help"], { env: { XDG_CACHE_HOME: cache }, cwd: folder.path })).code).toBe(0);
      return cached(cache);
    };
    const before = process.umask(0);
    try {
      expect(await call(`${folder.path}/own`)).toHaveLength(1);
      expect(statSync(`${folder.path}/own/millrace/compile`).mode & 0o777).toBe(0o700);
      mkdirSync(`${folder.path}/shared/millrace/compile`, { recursive: true, mode: 0o777 });
      expect(await call(`${folder.path}/shared`)).toEqual([]);
    } finally {
      process.umask(before);
    }
    // A folder below the working directory is not the user's own: the working directory may be anyone's.
    expect(
      (await flow(["--help"], { env: { XDG_CACHE_HOME: "relative", HOME: `${folder.path}/home` }, cwd: folder.path }))
        .code,
    ).toBe(0);
    expect(readdirSync(folder.path).toSorted()).toEqual(["home", "own", "shared"]);
  },
);
