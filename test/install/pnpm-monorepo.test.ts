/**
 * A monorepo with pnpm's strict layout: each package finds only what it asks for, and a flow and a library of the same
 * workspace have different versions of one dependency. The flow must meet its own, the library's code the other.
 */
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { downloaded, orUnreachable, packPackages, UserFolder } from "./install-kit.ts";

const PNPM = "pnpm@12.21.0";

const FLOW = `import { isMainThread } from "node:worker_threads";
import { Flow, type Inputs, join, step } from "@millrace/core";
import isNumber from "is-number";
import { libraryVersion } from "@shop/lib";
import { versionOf } from "./version-of.js";

export default class Versions extends Flow {
  items = ["7", "x"];
  seen!: string;
  all!: string[];

  @step({ next: "look", foreach: "items" })
  start() {}

  @step({ next: "collect" })
  look(item: string) {
    if (isMainThread) throw new Error("steps run in worker threads");
    this.seen = \`\${item}: flow \${versionOf(import.meta.url)} \${isNumber(item)}, lib \${libraryVersion(item)}\`;
  }

  @join({ next: "end" })
  collect(inputs: Inputs<Versions>) {
    this.all = inputs.map((input) => input.seen);
  }

  @step()
  end() {
    for (const line of this.all) console.log(line);
  }
}
`;

const VERSION_OF = `import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

/** The version of is-number that a module at this address meets. */
export function versionOf(url: string): string {
  const file = createRequire(url).resolve("is-number/package.json");
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
`;

const LIBRARY = `import isNumber from "is-number";
import { versionOf } from "./version-of.js";

export function libraryVersion(item: string): string {
  return \`\${versionOf(import.meta.url)} \${isNumber(item)}\`;
}
`;

const user = new UserFolder();
let unreachable: string | undefined;

beforeAll(async () => {
  const oldestNode = orUnreachable(() => user.useOldestNode());
  const { core, cli } = await packPackages(path.join(user.base, "tarballs"));
  const tarball = (file: string | undefined) => `file:${file}`;
  user.write({
    "package.json": JSON.stringify({ name: "shop", private: true }),
    "pnpm-workspace.yaml": `packages:
  - packages/*
nodeLinker: isolated
hoist: false
shamefullyHoist: false
strictDepBuilds: true
allowBuilds:
  better-sqlite3: false
  esbuild: false
overrides:
  "@millrace/core": "${tarball(core)}"
`,
    "packages/flows/package.json": JSON.stringify({
      name: "@shop/flows",
      private: true,
      type: "module",
      dependencies: {
        "@millrace/cli": tarball(cli),
        "@millrace/core": tarball(core),
        "@shop/lib": "workspace:*",
        "is-number": "6.0.0",
      },
    }),
    "packages/flows/src/versions.ts": FLOW,
    "packages/flows/src/version-of.ts": VERSION_OF,
    "packages/lib/package.json": JSON.stringify({
      name: "@shop/lib",
      private: true,
      type: "module",
      exports: "./src/index.ts",
      dependencies: { "is-number": "7.0.0" },
    }),
    "packages/lib/src/index.ts": LIBRARY,
    "packages/lib/src/version-of.ts": VERSION_OF,
  });
  unreachable = await oldestNode;
  unreachable ??= await orUnreachable(async () => {
    downloaded(await pnpm("install", "--prefer-offline", "--no-frozen-lockfile"));
  });
}, 120_000);

afterAll(() => user[Symbol.dispose]());

beforeEach((context) => {
  if (unreachable !== undefined) context.skip(unreachable);
});

function pnpm(...words: string[]) {
  return user.run("npx", ["--yes", PNPM, ...words]);
}

test("the layout is strict: nothing is found that is not asked for", () => {
  const at = (name: string) => fs.existsSync(path.join(user.folder, name));
  expect(at("packages/flows/node_modules/@millrace/core/package.json")).toBe(true);
  for (const name of [
    "node_modules/@millrace",
    "node_modules/zod",
    "packages/flows/node_modules/zod",
    "packages/lib/node_modules/@millrace",
  ])
    expect(at(name), name).toBe(false);
});

test("flow and library meet each its own version of a dependency, in worker threads too", async () => {
  const bin = path.join(user.folder, "packages/flows/node_modules/.bin/flow");
  // From the root and from the package: the first makes the code package, the second uses it again.
  for (const [folder, file] of [
    [".", "packages/flows/src/versions.ts"],
    ["packages/flows", "src/versions.ts"],
  ] as const) {
    const { code, stdout, stderr } = await user.run(bin, ["run", file], path.join(user.folder, folder));
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout + stderr).toContain("7: flow 6.0.0 true, lib 7.0.0 true");
    expect(stdout + stderr).toContain("x: flow 6.0.0 false, lib 7.0.0 false");
  }
});
