/** `flow build`: a flow as one file that runs without its sources and without the bundler, wherever it is loaded. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";
import { text } from "node:stream/consumers";
import { gunzipSync, gzipSync } from "node:zlib";
import { isFlowError } from "@millrace/core";
import { expect, onTestFinished, test } from "vitest";
import { loadFlowArchive, packFlow } from "../../packages/core/src/package/flow-archive.ts";
import { loadPackage } from "../../packages/core/src/package/load-package.ts";
import { preparePackage } from "../../packages/core/src/package/prepare-package.ts";
import { readTar, writeTar } from "../../packages/core/src/util/tar.ts";
import { Project } from "../kit/project.ts";
import { HELLO, installed, makeProject } from "./project-kit.ts";

const FLOW = {
  "train.ts": `import { Flow, step, param, z } from "@millrace/core";
import { scale } from "./scale.ts";
import { version } from "dep";
export default class Train extends Flow {
  /** By what everything is multiplied. */
  readonly factor = param(z.number().default(2));
  score!: number; version!: string;
  @step({ next: "end" }) start() { this.score = scale(this.factor); this.version = version; }
  @step() end() {}
}
`,
  "scale.ts": "export const scale = (x: number): number => x * 21;\n",
};
const DEP = installed("node_modules/dep", "dep", "1.0.0");

/** Ends the process when anything asks for the bundler or the parser. */
const NO_BUNDLER = `import { registerHooks } from "node:module";
registerHooks({ resolve(specifier, context, next) {
  if (specifier === "esbuild" || specifier === "oxc-parser") { console.error("asked for " + specifier); process.exit(9); }
  return next(specifier, context);
} });
`;

function projectOf(files: Readonly<Record<string, string>>): Project {
  const project = new Project(files);
  onTestFinished(() => project[Symbol.asyncDispose]());
  return project;
}

/** A project with the built flow and without anything that it was made of. */
async function built(): Promise<Project> {
  const project = projectOf({ ...FLOW, ...DEP, "no-bundler.mjs": NO_BUNDLER });
  const made = await project.flow(["build", "train.ts", "-o", "train"]);
  expect(made).toMatchObject({ code: 0, stderr: "" });
  expect(made.stdout).toContain("1 package to install where it runs: dep@1.0.0");
  expect(made.stdout).toContain("flow run train.flow");
  for (const name of Object.keys(FLOW)) fs.rmSync(project.file(name));
  fs.rmSync(project.file("node_modules/.cache"), { recursive: true });
  return project;
}

test("a built flow runs without its sources and without a bundler, by the command and from a program", async () => {
  const project = await built();
  const preload = ["--import", project.file("no-bundler.mjs")];
  const ran = await project.flow(["run", "train.flow", "--factor", "3", "--json"], { node: preload });
  expect(ran).toMatchObject({ code: 0 });
  expect(ran.lines.at(-1).record).toMatchObject({
    status: "succeeded",
    parameters: { factor: 3 },
    codePackage: { entry: "train.ts" },
  });

  project.write({
    "server.mjs": `import { run } from "@millrace/core";
const kinds = new Set();
const running = run("./train.flow", { params: { factor: 4 }, tags: ["served"] });
const watching = (async () => { for await (const event of running) kinds.add(event.kind); })();
const trained = await running;
await watching;
console.log(JSON.stringify([trained.status, await trained.data.score, await trained.data.version, kinds.has("task.succeeded")]));
`,
  });
  const server = spawn(process.execPath, [...preload, "server.mjs"], {
    cwd: project.folder,
    env: { ...process.env, MILLRACE_STORE: project.store },
  });
  const [stdout, stderr, [code]] = await Promise.all([text(server.stdout), text(server.stderr), once(server, "close")]);
  expect([code, stderr, stdout]).toEqual([0, "", '["succeeded",84,"1.0.0",true]\n']);
});

test("check, graph and help read it like a flow file", async () => {
  const project = await built();
  expect((await project.flow(["check", "train.flow"])).stdout).toContain("Train: 2 steps, 1 parameter");
  expect((await project.flow(["graph", "train.flow"])).stdout).toContain("start");
  expect((await project.flow(["run", "--factor", "3", "train.flow", "--help"])).stdout).toContain(
    "By what everything is multiplied",
  );
});

test("a server that was bundled runs it, with core as the only package outside", async () => {
  const project = await built();
  project.write({
    "server.ts": `import { run } from "@millrace/core";
const answer: string = await run("./train.flow").then(async (trained: any) => "score " + (await trained.data.score));
console.log(answer);`,
  });
  const { build } = await import("esbuild");
  await build({
    entryPoints: [project.file("server.ts")],
    outfile: project.file("dist/server.mjs"),
    bundle: true,
    format: "esm",
    platform: "node",
    external: ["@millrace/core"],
  });
  const stdout = execFileSync(
    process.execPath,
    ["--import", project.file("no-bundler.mjs"), project.file("dist/server.mjs")],
    { cwd: project.folder, encoding: "utf8", env: { ...process.env, MILLRACE_STORE: project.store } },
  );
  expect(stdout).toBe("score 42\n");
});

test("the same flow gives the same bytes in any folder, and tar can look inside", async () => {
  const [one, other] = [makeProject({ ...FLOW, ...DEP }), makeProject({ ...FLOW, ...DEP })];
  const bytes = packFlow(await preparePackage(path.join(one, "train.ts")));
  expect(Buffer.from(packFlow(await preparePackage(path.join(other, "train.ts"))))).toEqual(Buffer.from(bytes));
  expect(Buffer.from(bytes).includes(one)).toBe(false);
  const file = path.join(one, "train.flow");
  fs.writeFileSync(file, bytes);
  expect(execFileSync("tar", ["tzf", file], { encoding: "utf8" }).trim().split("\n")).toEqual([
    "flow.json",
    "flow.mjs",
    "flow.mjs.map",
    "manifest.json",
  ]);
  expect(execFileSync("tar", ["xzOf", file, "flow.json"], { encoding: "utf8" })).not.toContain(one);
});

test("it is the package that was built: digest, definitions and step digests", async () => {
  const root = makeProject({ ...FLOW, ...DEP });
  const pack = await preparePackage(path.join(root, "train.ts"));
  fs.writeFileSync(path.join(root, "train.flow"), packFlow(pack));
  const loaded = await preparePackage(path.join(root, "train.flow"), { cacheFolder: path.join(root, "other-cache") });
  expect(loaded.folder).toBe(path.join(root, "other-cache/packages", pack.digest));
  // What is installed beside the sources is for the machine that built it to say.
  const { installed: _, ...built } = pack;
  expect({ ...loaded, folder: pack.folder }).toEqual(built);
  expect(Object.keys(await loadPackage(loaded))).toEqual(["default", "millrace:variables"]);
});

test("what it needs and is not installed is named; another version is told", async () => {
  const root = makeProject({ ...FLOW, ...DEP });
  const bytes = packFlow(await preparePackage(path.join(root, "train.ts")));
  const elsewhere = makeProject({ "app/package.json": '{ "name": "app" }' });
  const file = path.join(elsewhere, "app/train.flow");
  fs.writeFileSync(file, bytes);
  await expect(loadFlowArchive(file, path.join(elsewhere, "cache"))).rejects.toMatchObject({
    code: "FLOW_PACKAGE_EXTERNAL_MISSING",
    message: expect.stringContaining(`"dep@1.0.0" is not installed from "${path.join(elsewhere, "app")}"`),
    hint: "Install it there: npm install dep@1.0.0",
  });
  for (const [name, content] of Object.entries(installed("node_modules/dep", "dep", "2.0.0"))) {
    fs.mkdirSync(path.dirname(path.join(elsewhere, name)), { recursive: true });
    fs.writeFileSync(path.join(elsewhere, name), content);
  }
  const loaded = await loadFlowArchive(file, path.join(elsewhere, "cache"));
  expect(loaded.warnings).toMatchObject([
    {
      code: "FLOW_PACKAGE_EXTERNAL_CHANGED",
      message: '"dep" is installed as 2.0.0 and was 1.0.0 when the code package was made',
    },
  ]);
});

test("a run of a built flow tells that a package has another version", async () => {
  const project = await built();
  project.write(installed("node_modules/dep", "dep", "3.0.0"));
  const ran = await project.flow(["run", "train.flow"]);
  expect(ran.code).toBe(0);
  expect(ran.stderr).toContain('"dep" is installed as 3.0.0 and was 1.0.0');
});

test("a file that is cut short, changed, empty or of another kind is refused by name", async () => {
  const root = makeProject({ "hello.ts": HELLO, "package.json": '{ "name": "x" }' });
  const whole = packFlow(await preparePackage(path.join(root, "hello.ts")));
  const tar = gunzipSync(whole);
  const files = [...readTar(tar)!];
  const withFile = (name: string, change: (content: Buffer) => Uint8Array): Uint8Array =>
    gzipSync(writeTar(files.map(([key, content]) => [key, key === name ? change(Buffer.from(content)) : content])));
  const cases: Readonly<Record<string, Uint8Array>> = {
    cut: whole.subarray(0, whole.length / 2),
    "cut inside": gzipSync(tar.subarray(0, 2048)),
    empty: new Uint8Array(),
    "no archive": Buffer.from("export default 1;"),
    "another archive": gzipSync(writeTar([["readme.txt", Buffer.from("hello")]])),
    "no json": withFile("flow.json", () => Buffer.from("{")),
    "changed code": withFile("flow.mjs", (content) => Buffer.concat([content, Buffer.from("\nprocess.exit(0);\n")])),
    "a file missing": gzipSync(writeTar(files.filter(([name]) => name !== "flow.mjs.map"))),
    "a wrong sum": gzipSync(Buffer.concat([Buffer.from("x"), tar.subarray(1)])),
  };
  for (const [what, bytes] of Object.entries(cases)) {
    const file = path.join(root, "bad.flow");
    fs.writeFileSync(file, bytes);
    const error = await loadFlowArchive(file, path.join(root, `cache-${what}`)).catch((thrown: unknown) => thrown);
    expect(isFlowError(error) ? error.code : error, what).toBe("FLOW_PACKAGE_DAMAGED");
  }
  const newer = withFile("flow.json", (content) =>
    Buffer.from(content.toString().replace('"schema": 1', '"schema": 2')),
  );
  fs.writeFileSync(path.join(root, "bad.flow"), newer);
  await expect(loadFlowArchive(path.join(root, "bad.flow"))).rejects.toMatchObject({ code: "FLOW_PACKAGE_TOO_NEW" });
});

test("an output that cannot be written and a flow that cannot run are refused", async () => {
  const project = projectOf({
    "hello.ts": HELLO,
    "broken.ts": HELLO.replace('next: "end"', 'next: "nowhere"'),
  });
  const nowhere = await project.flow(["build", "hello.ts", "--output", "no/such/folder/x.flow"]);
  expect([nowhere.code, nowhere.stderr.includes("FLOW_CLI_OUTPUT_NOT_WRITABLE")]).toEqual([1, true]);
  const broken = await project.flow(["build", "broken.ts"]);
  expect([broken.code, broken.stderr.includes("FLOW_GRAPH_UNKNOWN_STEP")]).toEqual([2, true]);
  expect(fs.existsSync(project.file("broken.flow"))).toBe(false);
  const json = await project.flow(["build", "hello.ts", "--json"]);
  expect(json.lines).toMatchObject([{ file: "hello.flow", flows: [{ project: "shop", name: "Hello" }], packages: [] }]);
});
