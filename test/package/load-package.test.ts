import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { loadPackage } from "../../packages/core/src/package/load-package.ts";
import { preparePackage } from "../../packages/core/src/package/prepare-package.ts";
import { HELLO, installed, makeProject, programText, runProgram } from "./project-kit.ts";

const THROWING = {
  "package.json": JSON.stringify({ type: "module", workspaces: ["apps/*"] }),
  "node_modules/.keep": "",
  "apps/a/tsconfig.json": JSON.stringify({ compilerOptions: { paths: { "~/*": ["./src/*"] } } }),
  "apps/a/flow.ts": `import { deep } from "~/util/deep";\n${HELLO.replace('this.greeting = "hello";', "deep(import.meta.url);")}`,
  "apps/a/src/util/deep.ts": `interface Unused {
  readonly a: number;
}

export function deep(url: string): never {
  try {
    throw new TypeError("inner");
  } catch (cause) {
    throw new Error(\`outer \${url.startsWith("file:")}\`, { cause });
  }
}
`,
};

const throwInStep = (folder: string) => `const { default: Hello } = await loadPackage(await preparePackage(entry));
try { new Hello().start(); } catch (error) { console.log(userStack(error, ${JSON.stringify(folder)})); }`;

const EXPECTED = `Error: outer true
    at deep (src/util/deep.ts:9:11)
    at Hello.start (flow.ts:9:5)
Caused by: TypeError: inner
    at deep (src/util/deep.ts:7:11)
    at Hello.start (flow.ts:9:5)
`;

test("a stack has the user's lines only, in sources and aliased modules, with causes", async () => {
  const root = makeProject(THROWING);
  const folder = path.join(root, "apps/a");
  const result = await runProgram(path.join(folder, "flow.ts"), throwInStep(folder));
  expect(result.stderr).toBe("");
  // The frame of the calling program is no file and is left out as well.
  expect(result.stdout).toBe(EXPECTED);
});

test("the same holds in a worker thread", async () => {
  const root = makeProject(THROWING);
  const folder = path.join(root, "apps/a");
  const entry = path.join(folder, "flow.ts");
  const inWorker = programText(entry, throwInStep(folder));
  const result = await runProgram(
    entry,
    `import { Worker } from "node:worker_threads"; new Worker(new URL(${JSON.stringify(dataUrl(inWorker))}));`,
  );
  expect(result.stderr).toBe("");
  expect(result.stdout).toBe(EXPECTED);
});

function dataUrl(source: string): string {
  return `data:text/javascript;base64,${Buffer.from(source).toString("base64")}`;
}

test("an uncaught error shows the source files that the user has open", async () => {
  const root = makeProject(THROWING);
  const entry = path.join(root, "apps/a/flow.ts");
  const result = await runProgram(
    entry,
    "const { default: Hello } = await loadPackage(await preparePackage(entry)); new Hello().start();",
  );
  expect(result.status).toBe(1);
  expect(result.stderr).toContain(`(${root}/apps/a/src/util/deep.ts:9:11)`);
});

test("a package that was removed after the build is named with version and importer", async () => {
  const root = makeProject({
    "package.json": '{ "type": "module" }',
    ...installed("node_modules/dep", "dep", "1.2.3"),
    "flow.ts": `import { version } from "dep";\n${HELLO.replace('"hello"', "version")}`,
  });
  const pack = await preparePackage(path.join(root, "flow.ts"));
  fs.rmSync(path.join(root, "node_modules/dep"), { recursive: true });
  const result = await runProgram(
    "",
    `await loadPackage(${JSON.stringify(pack)}).catch((error) => console.log(error.code + "\\n" + error.message + "\\n" + error.hint));`,
  );
  expect(result.stdout).toBe(
    `FLOW_PACKAGE_EXTERNAL_MISSING\nCannot find "dep": "dep" 1.2.3 is wanted by "${root}" but is not installed there\nInstall the packages of "${root}" again, for example with npm install dep@1.2.3\n`,
  );
});

test("a package moved to another root runs there", async () => {
  const files = {
    "package.json": '{ "type": "module" }',
    ...installed("node_modules/dep", "dep", "1.2.3"),
    "src/flow.ts": `import { version } from "dep";\n${HELLO.replace('"hello"', "version + import.meta.dirname")}`,
  };
  const [origin, target] = [
    makeProject(files),
    makeProject({ ...files, ...installed("node_modules/dep", "dep", "1.2.3") }),
  ];
  const pack = await preparePackage(path.join(origin, "src/flow.ts"));
  const folder = path.join(target, "unpacked");
  fs.cpSync(pack.folder, folder, { recursive: true });
  fs.rmSync(origin, { recursive: true });
  const { default: Hello } = (await loadPackage({ folder, root: target, manifest: pack.manifest })) as unknown as {
    default: { prototype: { start(): void } };
  };
  const self = { greeting: "" };
  Hello.prototype.start.call(self);
  expect(self.greeting).toBe(`1.2.3${target}/src`);
});

test("a package in a cache behind a link loads, in steps and stacks as any other", async () => {
  const root = makeProject({
    "package.json": '{ "type": "module" }',
    ...installed("elsewhere/modules/dep", "dep", "1.2.3"),
    node_modules: "→ elsewhere/modules",
    "elsewhere/cache/.keep": "",
    "elsewhere/modules/.cache": "→ elsewhere/cache",
    "flow.ts": `import { version } from "dep";\n${HELLO.replace('this.greeting = "hello";', "throw new Error(version);")}`,
  });
  const entry = path.join(root, "flow.ts");
  for (const _warm of [false, true]) {
    const result = await runProgram(entry, throwInStep(root));
    expect(result.stderr).toBe("");
    expect(result.stdout).toBe("Error: 1.2.3\n    at Hello.start (flow.ts:9:11)\n");
  }
  expect(fs.existsSync(path.join(root, "elsewhere/cache/millrace/packages"))).toBe(true);
});

test("a package without its bundle is reported", async () => {
  const root = makeProject({ "node_modules/.keep": "", "flow.ts": HELLO });
  const pack = await preparePackage(path.join(root, "flow.ts"));
  await expect(loadPackage({ ...pack, folder: path.join(root, "elsewhere") })).rejects.toMatchObject({
    code: "FLOW_PACKAGE_DAMAGED",
  });
});
