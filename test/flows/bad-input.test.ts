/**
 * What a user can do wrong, with the real command: each is refused with its exit code, a code, a message and a hint, without
 * a stack of ours, and leaves a store that was there byte for byte as it was.
 */

import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SCHEMA_VERSION } from "../../packages/core/src/metadata/sql/migrations/migrations.ts";
import type { CallOptions } from "../cli/kit.ts";
import { Project } from "../kit/project.ts";

const GOOD = `
import { Flow, param, step, z } from "@millrace/core";
export default class Good extends Flow {
  readonly foldCount = param(z.int().min(2).max(9).default(3));
  readonly rate = param(z.number().positive().default(0.1));
  readonly kind = param(z.enum(["tree", "linear"]).default("tree"));
  rows!: number[];
  @step({ next: "end" }) start() { this.rows = [1, 2]; }
  @step() end() {}
}
`;
const TWO_STEPS = `{ @step({ next: "end" }) start() {} @step() end() {} }`;

const project = new Project({
  "good.ts": GOOD,
  "reader.ts": `
import { Flow, step, upstream } from "@millrace/core";
import Good from "./good.ts";
export default class Reader extends Flow {
  readonly good = upstream(Good);
  count!: number;
  @step({ next: "end" }) start() { this.count = this.good.data.rows.length; }
  @step() end() {}
}
`,
  "plain.ts": "export const answer = 42;\n",
  "two.ts": `import { Flow, step } from "@millrace/core";
export class One extends Flow ${TWO_STEPS}
export class Two extends Flow ${TWO_STEPS}
`,
  "anonymous.ts": `import { Flow, step } from "@millrace/core";
export default class extends Flow ${TWO_STEPS}
`,
  "legacy/good.ts": GOOD,
  "legacy/tsconfig.json": '{ "compilerOptions": { "experimentalDecorators": true } }',
  "typo.ts": `import { Flow, step } from "@millrace/core";
export default class Typo extends Flow {
  // @ts-ignore
  @step({ next: "trian" })
  start() {}
  @step({ next: "end" })
  train() {}
  // @ts-ignore
  @step({ next: "edn" })
  lost() {}
  @step()
  end() {}
}
`,
  "several.ts": `import { Flow, step, type TaskFailure } from "@millrace/core";
export class Early extends Flow {
  // @ts-ignore
  @step({ next: "work", timeout: "soon" })
  start() {}
  // @ts-ignore
  @step({ next: "edn", retyr: 3 })
  work() {}
  @step()
  end() {}
}
export class Late extends Flow {
  // @ts-ignore
  @step({ nxt: "end", retry: "often" })
  start() {}
  @step()
  end() {}
}
export class Sound extends Flow {
  failure?: TaskFailure;
  limit = 3;
  @step({ next: "end" }) start() {}
  @step() end() {}
}
`,
  "sound.ts": `import { Flow, step, type TaskFailure } from "@millrace/core";
export default class Sound extends Flow {
  failure?: TaskFailure;
  limit = 3;
  @step({ next: "end" }) start() {}
  @step() end() {}
}
`,
  "strange.ts": `import { Flow, step } from "@millrace/core";
export default class Strange extends Flow {
  before!: number;
  note!: string;
  large!: string;
  settings!: { readonly list: readonly unknown[] };
  @step({ next: "work" }) start() { this.before = 1; }
  @step({ next: "end" })
  work() {
    this.before = 2;
    this.note = "unwritten ".repeat(3);
    this.large = "unwritten ".repeat(10_000);
    this.settings = { list: [1, new WeakMap()] };
  }
  @step() end() {}
}
`,
});
afterAll(() => project[Symbol.asyncDispose]());
beforeAll(async () => {
  const { code, stderr } = await project.flow(["run", "good.ts", "--tag", "prod:v1"]);
  if (code !== 0) throw new Error(stderr);
}, 60_000);

interface Refusal {
  readonly words: string;
  readonly exit: number;
  readonly code: string;
  /** All of them stand in what is shown. */
  readonly says: readonly string[];
  /** How the hint begins. */
  readonly hint: string;
}

const refusals: Readonly<Record<string, Refusal>> = {
  "a missing file": {
    words: "run god.ts",
    exit: 2,
    code: "FLOW_PACKAGE_FILE_MISSING",
    says: ['Cannot find "god.ts": there is no such file'],
    hint: 'Did you mean "good.ts"?',
  },
  "a file without a flow": {
    words: "run plain.ts",
    exit: 2,
    code: "FLOW_PACKAGE_NO_FLOW",
    says: ['"plain.ts"', 'exports "answer"'],
    hint: "Export a class that extends Flow",
  },
  "two flows and no --flow": {
    words: "run two.ts",
    exit: 2,
    code: "FLOW_PACKAGE_AMBIGUOUS",
    says: ['"One", "Two"'],
    hint: "Choose one with --flow One",
  },
  "a flow that the file does not have": {
    words: "run two.ts --flow Towo",
    exit: 2,
    code: "FLOW_PACKAGE_UNKNOWN_FLOW",
    says: ['"Towo"', '"One", "Two"'],
    hint: 'Did you mean "Two"?',
  },
  "an anonymous class": {
    words: "run anonymous.ts",
    exit: 2,
    code: "FLOW_DEFINITION_ANONYMOUS",
    says: ["has no name"],
    hint: "Name the class",
  },
  "legacy decorators": {
    words: "run legacy/good.ts",
    exit: 2,
    code: "FLOW_PACKAGE_LEGACY_DECORATORS",
    says: ['"legacy/tsconfig.json" sets "experimentalDecorators"'],
    hint: 'Remove "experimentalDecorators"',
  },
  "type errors that the user has silenced, all at once": {
    words: "run typo.ts",
    exit: 2,
    code: "FLOW_GRAPH_UNKNOWN_STEP",
    says: ['typo.ts:5:3  Step "start" leads to "trian"', 'typo.ts:10:3  Step "lost" leads to "edn"', '"end"?'],
    hint: 'Did you mean "train"?',
  },
  "options and transitions, in all flows of a file": {
    words: "check several.ts",
    exit: 2,
    code: "FLOW_DEFINITION_BAD_OPTION",
    says: [
      'Cannot load "several.ts": 5 problems',
      'several.ts:4:4  "timeout" of step "start" is "soon"',
      'several.ts:7:4  Step "work" has the unknown option "retyr"',
      'several.ts:8:3  Step "work" leads to "edn"',
      '"retry" of step "start" is "often"',
      'Step "start" has the unknown option "nxt"',
    ],
    hint: "Write a number and a unit",
  },
  "behaviour for all steps without its value": {
    words: "run sound.ts --with retry --with timeout",
    exit: 2,
    code: "FLOW_DEFINITION_BAD_WITH",
    says: ['"retry" does not say what it is', "→ Write timeout=10m"],
    hint: "Write retry=3",
  },
  "a field to catch in that the flow lacks": {
    words: "run sound.ts --with catch=failrue --with catch=limit",
    exit: 2,
    code: "FLOW_DEFINITION_BAD_WITH",
    says: [
      '"catch" names "failrue", which is no field of Sound that can hold a failure',
      '"catch" names "limit", which is no field of Sound that can hold a failure',
    ],
    hint: 'Did you mean "failure"?',
  },
  "a flag and its opposite": {
    words: "run sound.ts --cache --no-cache",
    exit: 2,
    code: "FLOW_CLI_REPEATED_FLAG",
    says: ['"--cache" and "--no-cache" say the opposite of each other'],
    hint: "Keep one of them",
  },
  "an unknown flag": {
    words: "run good.ts --fold-cuont 3",
    exit: 2,
    code: "FLOW_CLI_UNKNOWN_FLAG",
    says: ['Unknown flag "--fold-cuont"'],
    hint: 'Did you mean "--fold-count"?',
  },
  "wrong parameter values, all listed": {
    words: "run good.ts --fold-count many --rate=-1 --kind forest",
    exit: 2,
    code: "FLOW_PARAMETER_INVALID",
    says: [
      "Cannot run Good: 3 problems",
      "--fold-count many: ",
      "--rate -1: ",
      '--kind forest: Choices: "tree", "linear"',
    ],
    hint: "Type flow run good.ts --help",
  },
  "one wrong parameter value": {
    words: "run good.ts --fold-count 1",
    exit: 2,
    code: "FLOW_PARAMETER_INVALID",
    says: ["Cannot run Good: --fold-count 1: Too small"],
    hint: "Type flow run good.ts --help",
  },
  "a tag that matches no run": {
    words: "run reader.ts --good-tag prod:v2",
    exit: 1,
    code: "FLOW_LINEAGE_NO_RUN",
    says: ['upstream "good": no successful run of Good carries "prod:v2"'],
    hint: 'Did you mean "prod:v1" (Good/1)?',
  },
  "a store that is a file": {
    words: "run good.ts --store good.ts",
    exit: 3,
    code: "FLOW_CLIENT_NOT_A_STORE",
    says: ["/good.ts", "it is a file"],
    hint: "Name a folder with --store",
  },
  "a store below a file": {
    words: "run good.ts --store good.ts/store",
    exit: 3,
    code: "FLOW_CLIENT_NOT_A_STORE",
    says: ["/good.ts/store", '/good.ts" is a file'],
    hint: "Name a folder with --store",
  },
  "a store where no folder can be made": {
    words: "run good.ts --store /proc/millrace",
    exit: 3,
    code: "FLOW_STORAGE_UNAVAILABLE",
    says: ['Cannot make the store in "/proc/millrace": no such file or directory (ENOENT)'],
    hint: 'See that "/proc/millrace" can be used, or choose another folder with --store',
  },
  "reading a store that is not there": {
    words: "runs --store nowhere",
    exit: 3,
    code: "FLOW_CLIENT_NO_STORE",
    says: ["there is none in", "nowhere"],
    hint: "Run a flow first",
  },
};

describe("refused before anything runs", () => {
  test.each(Object.entries(refusals))("%s", async (_, refusal) => {
    const before = bytesOf(project.store);
    const words = refusal.words.split(" ");
    const [text, json] = await Promise.all([project.flow(words), project.flow([...words, "--json"])]);
    expect(text).toMatchObject({ code: refusal.exit, signal: null, stdout: "" });
    for (const part of refusal.says) expect(text.stderr).toContain(part);
    expect(text.stderr).toMatch(/^✗ /);
    expect(text.stderr).toContain(`→ ${refusal.hint}`);
    expect(text.stderr.trimEnd().split("\n").at(-1)).toBe(`  ${refusal.code}`);
    expectNoStack(text.stderr);

    expect(json).toMatchObject({ code: refusal.exit });
    const error = json.lines.at(-1).error;
    expect(error.code).toBe(refusal.code);
    const hints = [error.hint, ...(error.problems ?? []).map(({ hint }: { hint?: string }) => hint)];
    expect(hints.some((hint) => hint?.startsWith(refusal.hint))).toBe(true);
    expectNoStack(json.stdout + json.stderr);

    expect(bytesOf(project.store)).toEqual(before);
  });

  test("--debug shows the stack, as text and as JSON", async () => {
    const [text, json] = await Promise.all([
      project.flow(["run", "typo.ts", "--debug"]),
      project.flow(["run", "typo.ts", "--debug", "--json"]),
    ]);
    expect(text.code).toBe(2);
    expect(text.stderr).toMatch(/^ +at .*check-graph\.ts:\d+:\d+\)$/m);
    expect(json.lines.at(-1).error.stack).toMatch(/^FlowError: .*\n +at /);
  });

  test("a project without a store is left without one", async () => {
    await using fresh = new Project({ "typo.ts": fs.readFileSync(project.file("typo.ts"), "utf8") });
    for (const words of [
      ["run", "typo.ts"],
      ["run", "none.ts"],
    ])
      expect((await fresh.flow(words)).code).toBe(2);
    expect((await fresh.flow(["runs"])).code).toBe(3);
    expect(fs.existsSync(fresh.store)).toBe(false);
  });
});

test("an artifact that cannot be kept: its path is named, the task fails, and nothing of it is written", async () => {
  const before = blobsOf(project.store);
  const { code, stdout, stderr } = await project.flow(["run", "strange.ts"]);
  expect(code).toBe(1);
  expect(stderr).toContain("✗ Strange/1/work failed: Cannot save this.settings.list[1]: it is a WeakMap");
  expect(stderr).toContain("→ Use a Map or Set");
  expect(stderr).toContain("FLOW_ARTIFACT_UNSERIALISABLE");
  expect(stdout).toMatch(/✗ Strange\/1 failed after .+: 1 task done, 1 failed, 1 not started/);
  expectNoStack(stdout + stderr);

  const record = (await project.flow(["show", "Strange/1", "--json"])).lines[0];
  expect(record).toMatchObject({
    status: "failed",
    artifacts: [],
    failure: { task: "Strange/1/work", error: { code: "FLOW_ARTIFACT_UNSERIALISABLE" } },
  });
  const work = (await project.flow(["show", "Strange/1/work", "--json"])).lines[0];
  expect(work).toMatchObject({ status: "failed", artifacts: [{ name: "before" }] }); // What it was given, not its own 2.
  expect((await project.flow(["dump", "Strange/1/work", "before", "--json"])).lines[0].value).toBe(1);
  // Both texts were ready before the bad value: a short one goes into the database, a long one into a file.
  expect(project.storeHolds("unwritten unwritten")).toBe(false);
  expect(blobsOf(project.store)).toEqual(before);
  expect(fs.readdirSync(path.join(project.store, "tmp"))).toEqual([]);
});

describe("a store that cannot be used", () => {
  test("one that a newer version has written is neither read nor changed", async () => {
    const store = copyStore("newer");
    const database = new DatabaseSync(path.join(store, "millrace.db"));
    database.exec("UPDATE store SET schema_version = schema_version + 1");
    database.close();
    await expectRefused(store, {
      code: "FLOW_METADATA_NEWER_STORE",
      says: [`schema ${SCHEMA_VERSION + 1}, this version of Millrace knows ${SCHEMA_VERSION}`],
      hint: "Update Millrace",
    });
  });

  test("a database that is none", async () => {
    const store = copyStore("garbled");
    fs.writeFileSync(path.join(store, "millrace.db"), "not a database ".repeat(1_000));
    await expectRefused(store, {
      code: "FLOW_METADATA_NOT_A_STORE",
      says: ["millrace.db"],
      hint: "Choose the folder of a store",
    });
  });

  test("a folder of other things is not turned into one", async () => {
    const folder = project.file("photos");
    fs.mkdirSync(folder);
    fs.writeFileSync(path.join(folder, "cat.jpg"), "cat");
    const { code, stderr } = await project.flow(["run", "good.ts", "--store", "photos"]);
    expect(code).toBe(3);
    expect(stderr).toContain('such as "cat.jpg"');
    expect(stderr).toContain("FLOW_CLIENT_NOT_A_STORE");
    expect(fs.readdirSync(folder)).toEqual(["cat.jpg"]);
  });

  test("a folder without the right to write can be read, and nothing else", async (context) => {
    const store = copyStore("locked");
    // Readable for all, writable for nobody but its owner, who is root here or has given the right away.
    for (const name of fs.readdirSync(store, { recursive: true }) as string[]) {
      const file = path.join(store, name);
      fs.chmodSync(file, fs.statSync(file).isDirectory() ? 0o555 : 0o444);
    }
    for (const folder of [store, project.folder]) fs.chmodSync(folder, 0o555);
    const cache = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-cache-"));
    if (process.getuid?.() === 0) fs.chownSync(cache, 65534, 65534); // Whom `withoutRights` makes of root.
    const options = { node: withoutRights(), env: { XDG_CACHE_HOME: cache } };
    try {
      const probe = await project.flow(["--version"], options);
      if (probe.code !== 0) {
        console.warn(`SKIPPED: a user without rights cannot read this checkout\n${probe.stderr}`);
        context.skip();
      }
      await expectRefused(
        store,
        { code: "FLOW_METADATA_READ_ONLY", says: [store], hint: "Give this user write access" },
        [
          ["run", "good.ts"],
          ["tag", "add", "Good/1", "x"],
        ],
        options,
      );
      const refused = await project.flow(["run", "good.ts", "--store", "new"], options);
      expect(refused).toMatchObject({ code: 3, stdout: "" });
      expect(refused.stderr).toMatch(
        /new": permission denied \(EACCES\)\n {2}→ Give this user write access.*\n {2}FLOW_STORAGE_DENIED\n$/,
      );

      expect((await project.flow(["runs", "--store", store], options)).stdout).toContain("Good/1");
      expect((await project.flow(["validate", "--store", store], options)).stdout).toContain("✓ Valid");
    } finally {
      for (const folder of [project.folder, store, ...["blobs", "tmp"].map((name) => path.join(store, name))])
        fs.chmodSync(folder, 0o700);
      fs.rmSync(cache, { recursive: true, force: true });
    }
  });

  /** Commands that write and commands that read end with 3, and no byte of the store changes. */
  async function expectRefused(
    store: string,
    refusal: Pick<Refusal, "code" | "says" | "hint">,
    commands: readonly (readonly string[])[] = [
      ["run", "good.ts"],
      ["runs"],
      ["tag", "add", "Good/1", "x"],
      ["validate"],
    ],
    options: CallOptions = {},
  ): Promise<void> {
    const before = bytesOf(store);
    for (const words of commands) {
      const { code, stdout, stderr } = await project.flow([...words, "--store", store], options);
      expect([words.join(" "), code, stdout]).toEqual([words.join(" "), 3, ""]);
      expect(stderr).toContain(refusal.code);
      for (const part of refusal.says) expect(stderr).toContain(part);
      expect(stderr).toContain(`→ ${refusal.hint}`);
      expectNoStack(stderr);
    }
    expect(bytesOf(store)).toEqual(before);
  }
});

function copyStore(name: string): string {
  const copy = project.file(name);
  fs.cpSync(project.store, copy, { recursive: true });
  return copy;
}

/** No line that a JavaScript stack has, and no path into our sources. */
function expectNoStack(text: string): void {
  expect(text).not.toMatch(/^\s+at .+[:(]/m);
  expect(text).not.toMatch(/\\n\s+at /);
  expect(text).not.toMatch(/packages\/(core|cli)\/(src|dist)/);
}

/** Every file of a store with the digest of its bytes; SQLite's working files come and go with readers. */
function bytesOf(store: string): Readonly<Record<string, string>> {
  const files = fs.readdirSync(store, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    files
      .filter((file) => file.isFile() && !/-(wal|shm)$/.test(file.name))
      .map((file) => path.join(file.parentPath, file.name))
      .sort()
      .map((file) => [path.relative(store, file), createHash("sha256").update(fs.readFileSync(file)).digest("hex")]),
  );
}

function blobsOf(store: string): readonly string[] {
  return Object.keys(bytesOf(store)).filter((file) => file.startsWith("blobs/"));
}

/** Arguments of Node under which a command of root's runs as a user who owns nothing; other users have no more rights. */
function withoutRights(): readonly string[] {
  if (process.getuid?.() !== 0) return [];
  return ["--import", "data:text/javascript,process.setgid(65534);process.setuid(65534)"];
}
