/**
 * Twenty secrets, planted wherever a secret may come from, and looked for wherever something is left: records, values
 * (uncompressed), caches, code packages, both streams, `--json`, and the command lines of all processes of a run. Runs
 * that succeed, that fail with a secret in each part of an error, whose worker crashes, and whose runner is killed.
 */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { SpawnedFlow } from "../kit/spawned-flow.ts";

const canary = (name: string): string => `canary-${name}-${"0123456789abcdef".slice(name.length % 8)}`;

/** In the environment of the command, used by nobody or by what asks for it. */
const ENVIRONMENT = {
  AWS_ACCESS_KEY_ID: canary("aws-id"),
  AWS_SECRET_ACCESS_KEY: canary("aws-key"),
  AWS_SESSION_TOKEN: canary("aws-session"),
  PGPASSWORD: canary("pg-password"),
  DATABASE_URL: `postgres://app:${canary("pg-url")}@db.example/shop`,
  GITHUB_TOKEN: canary("github"),
  NPM_TOKEN: canary("npm"),
  SHOP_TOKEN: canary("param-env"),
  STEP_TOKEN: canary("step-env"),
  STEP_URL: `https://u:${canary("step-url")}@example.org/?q=${encodeURIComponent("a b&c")}`,
  MILLRACE_PARAM_PIN: "8675309421",
};
const FILES = {
  token: canary("param-file"),
  list: [canary("list-one"), canary("list-two")],
  nested: { deep: { key: canary("nested") } },
  quoted: `${canary("quoted")}"\\\n${canary("second-line")}`,
};
const REMOTE = canary("git-remote");
const PEM = `-----BEGIN KEY-----\n${canary("pem-one")}\n${canary("pem-two")}\n-----END KEY-----`;
const ALL: readonly string[] = [
  ...[
    "aws-id",
    "aws-key",
    "aws-session",
    "pg-password",
    "pg-url",
    "github",
    "npm",
    "param-env",
    "step-env",
    "step-url",
  ].map(canary),
  ENVIRONMENT.MILLRACE_PARAM_PIN,
  FILES.token,
  ...FILES.list,
  FILES.nested.deep.key,
  canary("quoted"),
  canary("second-line"),
  REMOTE,
  canary("pem-one"),
  canary("pem-two"),
];

const FLOW = `
import { Flow, param, step, z } from "@millrace/core";
import fs from "node:fs";
const steps = { TOKEN: { env: "STEP_TOKEN" }, URL_: { env: "STEP_URL" }, PEM: { file: "key.pem" } } as const;
export default class Secrets extends Flow {
  readonly token = param(z.string(), { secret: true });
  readonly shop = param(z.string(), { secret: true, env: "SHOP_TOKEN" });
  readonly pin = param(z.coerce.number(), { secret: true });
  readonly list = param(z.array(z.string()), { secret: true });
  readonly nested = param(z.object({ deep: z.object({ key: z.string() }) }), { secret: true });
  readonly quoted = param(z.string(), { secret: true });
  readonly how = param(z.enum(["succeed", "fail", "abort", "hang"]));
  lengths!: number[];
  texts() { return [this.token, this.shop, String(this.pin), ...this.list, this.nested.deep.key, this.quoted, process.env.TOKEN!, process.env.URL_!, process.env.PEM!]; }
  @step({ next: "apart", secrets: steps })
  start() { this.tell(); }
  @step({ next: "end", isolate: "process", secrets: steps })
  async apart() {
    this.tell();
    if (this.how === "fail") {
      const all = this.texts().join(" ");
      const error = new Error("with " + all, { cause: new AggregateError([new Error("inside " + all)], "cause " + all) });
      throw Object.assign(error, { name: "Name " + this.token, request: { headers: { authorization: all } } });
    }
    if (this.how === "abort") { console.error("last words: " + this.texts().join(" ")); process.abort(); }
    if (this.how === "hang") { fs.writeFileSync("hangs", ""); await new Promise((resolve) => setTimeout(resolve, 600_000)); }
  }
  tell() {
    this.lengths = this.texts().map((text) => text.length);
    for (const text of this.texts()) {
      console.log("out", text, JSON.stringify({ text }), encodeURIComponent(text));
      console.error("err", text);
      process.stdout.write(text.slice(0, 5)); process.stdout.write(text.slice(5) + "\\n");
    }
    console.log(JSON.stringify(this.nested), this.list);
    console.log(("line " + this.token + "\\n").repeat(2_000)); // large enough for a compressed blob, if it were one
  }
  @step() end() {}
}`;

const require = createRequire(new URL("../../packages/core/package.json", import.meta.url));
const Database = require("better-sqlite3") as new (
  file: string,
  options: object,
) => { prepare(sql: string): { all(): Record<string, unknown>[] }; close(): void };

let project: Project;
beforeAll(() => {
  project = new Project({ "secrets.ts": FLOW, "params.json": JSON.stringify(FILES), "key.pem": PEM });
  const git = (...words: string[]) => execFileSync("git", words, { cwd: project.folder, stdio: "ignore" });
  git("init");
  git("remote", "add", "origin", `https://user:${REMOTE}@git.example/shop.git?token=${REMOTE}`);
  git("add", "secrets.ts");
  git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-m", "first");
}, 120_000);
afterAll(() => project?.[Symbol.asyncDispose]());

const env = () => ({ ...ENVIRONMENT, XDG_CACHE_HOME: project.file("cache"), MILLRACE_STORE: project.store });

async function run(how: string, more: readonly string[] = []) {
  const words = ["run", "secrets.ts", "--params", "params.json", "--how", how, ...more];
  return await project.flow(words, { env: env() });
}

/** Names of canaries that a text or some bytes hold. */
function hits(bytes: string | Uint8Array): readonly string[] {
  const buffer = Buffer.from(bytes as Uint8Array);
  return ALL.filter((secret) => buffer.includes(secret) || buffer.includes(encodeURIComponent(secret)));
}

/** Every file of a folder as it is and, where it is compressed, as it was. */
function hitsIn(folder: string): readonly string[] {
  const files = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.flatMap((entry) => {
    const file = path.join(entry.parentPath, entry.name);
    const bytes = fs.readFileSync(file);
    const plain = entry.name.endsWith(".zst") ? zstdDecompressSync(bytes) : bytes;
    return [...hits(bytes), ...hits(plain)].map((secret) => `${entry.name}: ${secret}`);
  });
}

function hitsInRecords(): readonly string[] {
  const db = new Database(path.join(project.store, "millrace.db"), { readonly: true });
  const found: string[] = [];
  for (const { name } of db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()) {
    for (const row of db.prepare(`SELECT * FROM "${String(name)}"`).all()) {
      for (const [column, value] of Object.entries(row)) {
        const isFrame = value instanceof Uint8Array && row.compression === "zstd" && column === "stored";
        const bytes = isFrame ? zstdDecompressSync(value) : value instanceof Uint8Array ? value : String(value);
        found.push(...hits(bytes).map((secret) => `${String(name)}.${column}: ${secret}`));
      }
    }
  }
  db.close();
  return found;
}

describe("of twenty secrets nothing is left", () => {
  test("there are twenty of them, and the search finds what is there", () => {
    expect(new Set(ALL).size).toBe(20);
    expect(hitsIn(project.folder).length).toBeGreaterThan(5); // in params.json, key.pem and .git/config
  });

  test("by a run that succeeds, on either stream and with --json", async () => {
    const called = await run("succeed");
    expect([called.code, hits(called.stdout), hits(called.stderr)]).toEqual([0, [], []]);
    expect(called.stderr + called.stdout).toContain("***");
    const json = await run("succeed", ["--json"]);
    expect([json.code, hits(json.stdout), hits(json.stderr)]).toEqual([0, [], []]);
    const lengths = await project.flow(["dump", "Secrets/1", "lengths", "--json"], { env: env() });
    expect(lengths.lines[0].value).toHaveLength(10); // the steps had them all
  });

  test("by a run that fails with them in message, cause, name and properties of the error", async () => {
    const called = await run("fail");
    expect([called.code, hits(called.stdout), hits(called.stderr)]).toEqual([1, [], []]);
    const json = await run("fail", ["--json", "--debug"]);
    expect([json.code, hits(json.stdout), hits(json.stderr)]).toEqual([1, [], []]);
  });

  test("by a worker that crashes with them on its lips", async () => {
    const called = await run("abort");
    expect([called.code, hits(called.stdout), hits(called.stderr)]).toEqual([1, [], []]);
    expect(called.stderr).toContain("last words: ***");
  });

  test("by a runner that is killed, nor in a command line of any of its processes", async () => {
    const words = ["run", "secrets.ts", "--params", "params.json", "--how", "hang"];
    const spawned = new SpawnedFlow(words, { cwd: project.folder, env: env() });
    const hangs = project.file("hangs");
    for (let waited = 0; waited < 600 && !fs.existsSync(hangs) && !spawned.isOver; waited++) await spawned.after(100);
    expect(fs.existsSync(hangs)).toBe(true);
    const processes = [spawned.pid, ...spawned.descendants()];
    if (process.platform === "linux") {
      expect(processes.length).toBeGreaterThan(1);
      for (const pid of processes) expect(hits(fs.readFileSync(`/proc/${pid}/cmdline`))).toEqual([]);
    }
    spawned.killGroup();
    const { stdout, stderr } = await spawned.ended;
    expect([hits(stdout), hits(stderr)]).toEqual([[], []]);
  });

  test("by a refusal of their values", async () => {
    project.write({ "bad.json": JSON.stringify({ ...FILES, nested: canary("nested"), list: canary("list-one") }) });
    for (const more of [[], ["--json"], ["--debug"]]) {
      const words = ["run", "secrets.ts", "--params", "bad.json", "--how", "succeed", ...more];
      const called = await project.flow(words, { env: { ...env(), MILLRACE_PARAM_PIN: canary("pin") } });
      expect([called.code, hits(called.stdout), hits(called.stderr)]).toEqual([2, [], []]);
      expect(called.stderr + called.stdout).not.toContain(canary("pin"));
    }
    // What a parser says of a broken file quotes it.
    project.write({ "broken.json": `{\n  "token": "${"x".repeat(60)}", ${FILES.token} }` });
    for (const more of [[], ["--json"], ["--debug"]]) {
      const words = ["run", "secrets.ts", "--params", "broken.json", "--how", "succeed", ...more];
      const called = await project.flow(words, { env: env() });
      expect([called.code, hits(called.stdout), hits(called.stderr)]).toEqual([2, [], []]);
      expect(called.stderr + called.stdout).toContain("line 2, column 76");
      expect(called.stderr + called.stdout).not.toContain(FILES.token.slice(0, 8));
    }
  });

  test("in records, values, logs, code packages and compiled code", async () => {
    expect(hitsInRecords()).toEqual([]);
    expect(hitsIn(project.store)).toEqual([]);
    expect(hitsIn(project.file("cache"))).toEqual([]);
    expect(hitsIn(project.file("node_modules/.cache"))).toEqual([]);
    const runs = await project.flow(["runs", "--json"], { env: env() });
    expect(runs.lines).toHaveLength(6);
    // The remote itself is kept, but where git took too long to tell it.
    const shown = await Promise.all(runs.lines.map(({ run }) => project.flow(["show", run, "--json"], { env: env() })));
    expect(shown.some(({ stdout }) => stdout.includes("git.example"))).toBe(true);
    for (const { stdout } of shown) expect(hits(stdout)).toEqual([]);
    for (const words of [
      ["logs", "Secrets/1"],
      ["logs", "Secrets/5"],
      ["show", "Secrets/3", "--json"],
      ["doctor", "--json"],
    ]) {
      const called = await project.flow(words, { env: env() });
      expect([words, hits(called.stdout), hits(called.stderr)]).toEqual([words, [], []]);
    }
  });
});
