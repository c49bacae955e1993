/** `flow doctor` on what really goes wrong: each trouble is made, found, and told with its next step. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { renderDoctor } from "../../packages/cli/src/render/doctor.ts";
import { displayWidth } from "../../packages/cli/src/render/text.ts";
import { type DoctorFinding, type DoctorReport, examine } from "../../packages/core/src/internal.ts";
import { Project } from "../kit/project.ts";
import { SpawnedFlow } from "../kit/spawned-flow.ts";
import { BINARY, memoryOutput, temporaryFolder } from "./kit.ts";

const require = createRequire(new URL("../../packages/core/package.json", import.meta.url));
const Database = require("better-sqlite3") as new (file: string) => { exec(sql: string): void; close(): void };

const FLOW = `
import { Flow, step } from "@millrace/core";
export default class Train extends Flow {
  value!: number;
  @step({ next: "end" }) async start() { this.value = 1; await new Promise((resolve) => setTimeout(resolve, Number(process.env.WAIT ?? 0))); }
  @step() end() {}
}`;

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

/** The findings of the library's own door, in this process. */
async function look(project: Project, environment: Record<string, string> = {}): Promise<DoctorReport> {
  return await examine({ cwd: project.folder, environment, commandVersion: "0.1.0" });
}

function finding(report: DoctorReport, check: string, status?: DoctorFinding["status"]): DoctorFinding {
  const all = report.findings.filter(
    (each) => each.check === check && (status === undefined || each.status === status),
  );
  expect(all, `${check} ${status ?? ""} in ${JSON.stringify(report.findings, null, 1)}`).not.toEqual([]);
  return all[0]!;
}

/** A store with one run, made by the real command. */
async function projectWithRun(files: Readonly<Record<string, string>> = {}): Promise<Project> {
  const project = new Project({ "train.ts": FLOW, ...files });
  expect((await project.flow(["run", "train.ts", "--quiet"])).code).toBe(0);
  return project;
}

describe("flow doctor", () => {
  test("works outside of any project and without a store, and changes nothing", async () => {
    using folder = temporaryFolder();
    await using project = new Project();
    const called = await project.flow(["doctor"], { cwd: folder.path });
    expect([called.code, called.stderr]).toEqual([0, ""]);
    expect(called.stdout).toContain(`the first run makes one in ${folder.path}/.millrace`);
    expect(called.stdout).toMatch(/\n✓ All is well: \d+ ok\n$|\n! It works; look at the warnings: /);
    expect(fs.readdirSync(folder.path)).toEqual([]);
    const named = await project.flow(["doctor", "--json", "--store", "none"], { cwd: folder.path });
    const [report] = named.lines as [DoctorReport];
    expect([named.code, finding(report, "place")]).toMatchObject([
      0,
      { status: "warn", facts: { from: "option", folder: `${folder.path}/none` }, next: expect.any(String) },
    ]);
  });

  test("finds nothing wrong with a store of its own", async () => {
    await using project = await projectWithRun();
    const called = await project.flow(["doctor", "--json"], { env: { MILLRACE_TEST_SEED: "" } });
    const [report] = called.lines as [DoctorReport];
    expect(report.findings.filter(({ status, area }) => status !== "ok" && area !== "caches")).toEqual([]);
    expect(called.code).toBe(0);
    expect(finding(report, "place").facts).toMatchObject({ folder: project.store, from: "found" });
    expect(finding(report, "records").found).toMatch(/^schema \d+, a quick look found its structure sound/);
    expect(finding(report, "runs")).toMatchObject({ found: "1 run, none running, none lost", facts: { runs: 1 } });
    expect(finding(report, "files").facts).toMatchObject({ recordBytes: expect.any(Number), blobFiles: 0 });
    expect(finding(report, "node").facts).toMatchObject({ version: process.versions.node, arch: process.arch });
    expect(finding(report, "permissions").found).toBe("the store is private");
  });

  test("fits the terminal, whatever it has to say", async () => {
    const finding: DoctorFinding = {
      area: "store",
      check: "permissions",
      status: "fail",
      found: `others may write to ${"/a very/long path".repeat(12)} \x1b]0;owned\x07 \u202e and 日本`,
      next: "Close it: chmod -R go= /somewhere",
    };
    for (const columns of [50, 80, 200]) {
      const output = memoryOutput({ columns, rows: 24 });
      const text = renderDoctor({ ok: false, totals: { ok: 0, warn: 0, fail: 1 }, findings: [finding] }, output);
      expect(text.split("\n").filter((line) => displayWidth(line) > columns)).toEqual([]);
      expect(text).toContain("→ Close it:");
      // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be there.
      expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
    }
  });

  test("says that core cannot be loaded", async () => {
    using folder = temporaryFolder();
    const cli = path.join(folder.path, "node_modules/@millrace/cli");
    fs.cpSync(path.join(path.dirname(BINARY), ".."), cli, {
      recursive: true,
      filter: (file) => !file.includes("node_modules/@millrace/cli/node_modules") && !/cli\/node_modules/.test(file),
    });
    const child = spawn(process.execPath, [path.join(cli, "bin/flow.mjs"), "doctor"], { cwd: folder.path });
    started.push(child);
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    const [code] = await once(child, "close");
    expect(code).toBe(1);
    expect(stdout).toContain("@millrace/core cannot be loaded: Cannot find package '@millrace/core'");
    expect(stdout).toContain("→ Delete node_modules");
  });
});

describe("flow doctor finds", () => {
  test("a damaged store, and says which; the rest is looked at all the same", async () => {
    await using project = await projectWithRun();
    const file = path.join(project.store, "millrace.db");
    const bytes = fs.readFileSync(file);
    // One page of a tree, which nothing of what the doctor asks for leads to: only the look at the structure finds it.
    const page = Buffer.from(bytes);
    page[page.length - 4096] = 0;
    fs.writeFileSync(file, page);
    expect(finding(await look(project), "records", "fail").found).toMatch(/^the database is damaged: /);
    for (let at = 4096 * 3; at < bytes.length; at += 97) bytes[at] = bytes[at]! ^ 0xff;
    fs.writeFileSync(file, bytes);
    const called = await project.flow(["doctor", "--json"]);
    const [report] = called.lines as [DoctorReport];
    expect(called.code).toBe(1);
    expect(finding(report, "records", "fail").next).toContain("from a copy");
    expect(finding(report, "disk").status).toBe("ok");
    fs.writeFileSync(file, "no database at all, but longer than a header of one hundred bytes".repeat(20));
    const second = await look(project);
    expect(finding(second, "records", "fail").facts).toMatchObject({ code: "FLOW_METADATA_NOT_A_STORE" });
    expect(second.ok).toBe(false);
  });

  test("a store of a newer version, and one that was only begun", async () => {
    await using project = await projectWithRun();
    const change = (statement: string) => {
      const db = new Database(path.join(project.store, "millrace.db"));
      db.exec(statement);
      db.close();
    };
    change("UPDATE store SET schema_version = 99");
    expect(finding(await look(project), "records", "fail")).toMatchObject({
      found: expect.stringContaining("schema 99"),
      next: "Update Millrace",
    });
    fs.writeFileSync(path.join(project.store, "millrace.db"), "");
    expect(finding(await look(project), "records", "warn").found).toContain("its making was interrupted");
  });

  test("rights that are too wide, and links", async () => {
    await using project = await projectWithRun();
    fs.chmodSync(project.store, 0o755);
    expect((await look(project)).ok).toBe(true); // the files in it are still private
    fs.chmodSync(path.join(project.store, "millrace.db"), 0o644);
    expect(finding(await look(project), "permissions", "warn")).toMatchObject({
      found: expect.stringContaining("others may read"),
      next: `Close it: chmod -R go= ${project.store}`,
    });
    fs.chmodSync(path.join(project.store, "millrace.db"), 0o666);
    expect(finding(await look(project), "permissions", "fail").found).toContain("others may write");
    fs.chmodSync(project.store, 0o700);
    expect(finding(await look(project), "permissions").status).toBe("ok"); // behind a closed door
    fs.rmSync(path.join(project.store, "tmp"), { recursive: true });
    fs.symlinkSync("/tmp", path.join(project.store, "tmp"));
    expect(finding(await look(project), "permissions", "fail").found).toContain("is a link");
  });

  test.skipIf(process.getuid?.() !== 0)("a store of another user", async () => {
    await using project = await projectWithRun();
    fs.chownSync(project.store, 54_321, 54_321);
    expect(finding(await look(project), "place", "fail").facts).toMatchObject({ code: "FLOW_CLIENT_FOREIGN_STORE" });
  });

  test("files in place of folders, values that have lost theirs, and a store that is a file", async () => {
    await using project = await projectWithRun({
      "large.ts": FLOW.replace("Train", "Large")
        .replace("value!: number", "value: unknown")
        .replace("= 1;", '= "0123456789".repeat(9_000);'),
    });
    const [blobs, tmp] = ["blobs", "tmp"].map((name) => path.join(project.store, name)) as [string, string];
    fs.rmSync(blobs, { recursive: true });
    expect((await look(project)).ok).toBe(true); // No value was ever in it, and the next run makes it.
    fs.rmSync(tmp, { recursive: true });
    for (const file of [blobs, tmp]) fs.writeFileSync(file, "");
    const { findings } = await look(project);
    expect(findings.filter(({ status }) => status === "fail").map(({ found }) => found)).toEqual([
      `${blobs} is no folder`,
      `${tmp} is no folder`,
    ]);
    for (const file of [blobs, tmp]) fs.rmSync(file);
    expect((await project.flow(["run", "large.ts", "--quiet"])).code).toBe(0);
    fs.rmSync(blobs, { recursive: true });
    expect(finding(await look(project), "records", "fail")).toMatchObject({
      found: `the records name values in ${blobs}, which is not there`,
      next: expect.stringContaining("from a copy"),
    });
    const file = await project.flow(["doctor", "--store", "large.ts"]);
    expect([file.code, file.stdout]).toEqual([1, expect.stringMatching(/large.ts, named by --store, is no folder/)]);
  });

  test.skipIf(process.platform === "win32" || process.getuid?.() !== 0)(
    "records that this user may not write, and parts of core that are missing",
    async () => {
      await using project = await projectWithRun();
      // A copy of the installation that lacks what threads load, and that another user may read.
      const packages = project.file("packages");
      const copy = (name: string, ...parts: string[]) => {
        const from = path.join(path.dirname(BINARY), "../..", name);
        for (const part of parts)
          fs.cpSync(path.join(from, part), path.join(packages, name, part), { recursive: true });
      };
      copy("core", "package.json", "dist");
      copy("cli", "package.json", "dist", "bin");
      fs.symlinkSync(
        path.join(path.dirname(BINARY), "../../core/node_modules"),
        path.join(packages, "core/node_modules"),
      );
      fs.mkdirSync(path.join(packages, "cli/node_modules/@millrace"), { recursive: true });
      fs.symlinkSync(path.join(packages, "core"), path.join(packages, "cli/node_modules/@millrace/core"));
      fs.symlinkSync(
        path.join(path.dirname(BINARY), "../node_modules/picocolors"),
        path.join(packages, "cli/node_modules/picocolors"),
      );
      fs.rmSync(path.join(packages, "core/dist/worker.cjs"));
      fs.chmodSync(project.folder, 0o755);
      fs.chmodSync(project.store, 0o755);
      fs.chmodSync(path.join(project.store, "millrace.db"), 0o444);
      const child = spawn(process.execPath, [path.join(packages, "cli/bin/flow.mjs"), "doctor", "--json"], {
        cwd: project.folder,
        uid: 65_534,
        gid: 65_534,
      });
      started.push(child);
      let stdout = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        stdout += text;
      });
      expect((await once(child, "close"))[0]).toBe(1);
      const report = JSON.parse(stdout) as DoctorReport;
      expect(finding(report, "files of core", "fail").found).toBe(
        `${path.join(packages, "core/dist/worker.cjs")} is missing`,
      );
      const shut = report.findings.find(({ facts }) => facts?.notWritable !== undefined);
      expect([shut?.status, shut?.found]).toEqual([
        "warn",
        expect.stringContaining(path.join(project.store, "millrace.db")),
      ]);
    },
  );

  test("files that were being written when their program died, and no others", async () => {
    await using project = await projectWithRun();
    const old = new Date(Date.now() - 3 * 3_600_000);
    const write = (name: string, at = old) => {
      fs.writeFileSync(path.join(project.store, "tmp", name), "half");
      fs.utimesSync(path.join(project.store, "tmp", name), at, at);
    };
    write(`TMP-${process.pid}-aa`); // this very process lives
    write("TMP-999999999-bb", new Date());
    expect((await look(project)).findings.filter((each) => each.check === "files")).toHaveLength(1);
    write("TMP-999999999-cc");
    write("TMP-999999998-dd");
    expect(finding(await look(project), "files", "warn")).toMatchObject({
      found: expect.stringMatching(/^2 files with 8 B in .*tmp were being written/),
      facts: { files: 2, bytes: 8 },
    });
  });

  test("values that are on the way into a bucket are counted", async () => {
    await using project = await projectWithRun();
    fs.mkdirSync(path.join(project.store, "spool/blobs"), { recursive: true });
    fs.writeFileSync(path.join(project.store, "spool/blobs/one"), "left");
    expect(finding(await look(project), "files")).toMatchObject({
      found: expect.stringContaining("1 value with 4 B on the way into the bucket"),
      facts: { spoolFiles: 1, spoolBytes: 4 },
    });
  });

  test("runs whose runner is dead, with the command that goes on with the newest", async () => {
    await using project = await projectWithRun();
    const spawned = new SpawnedFlow(["run", "train.ts"], {
      cwd: project.folder,
      env: { WAIT: "600000", MILLRACE_STORE: project.store },
    });
    await spawned.heard((text) => text.includes("Train/2"));
    expect(finding(await look(project), "runs").facts).toMatchObject({ running: 1, lost: [] });
    spawned.killGroup();
    await spawned.ended;
    const report = await look(project);
    expect(finding(report, "runs", "warn")).toMatchObject({
      found: "1 run lost the runner before the end: Train/2",
      next: "Go on with the newest: flow resume Train/2",
    });
    expect(report.ok).toBe(true); // nothing is broken: exit code 0
  });

  test("records from the future", async () => {
    await using project = await projectWithRun();
    expect(finding(await look(project), "clock").status).toBe("ok");
    const report = await examine({ cwd: project.folder, environment: {}, now: () => Date.now() - 86_400_000 });
    expect(finding(report, "clock", "warn").found).toMatch(/^a record is from the future: 20/);
  });

  test("what the compiler's settings, the environment and the manifest get wrong", async () => {
    await using project = new Project({
      "base.json": '{ "compilerOptions": { "experimentalDecorators": true } }',
      "tsconfig.json": '{ "extends": "./base.json" }',
    });
    const report = await look(project, { MILLRACE_STROE: "x", MILLRACE_PARAM_N: "1", MILLRACE_USER: "ana" });
    expect(finding(report, "tsconfig.json", "fail").found).toContain(project.file("base.json"));
    expect(finding(report, "environment", "warn")).toMatchObject({
      found: "MILLRACE_STROE means nothing to Millrace",
      next: "Did you mean MILLRACE_STORE?",
    });
    project.write({ "tsconfig.json": "{ no", "package.json": "{ no" });
    const second = await look(project);
    expect(finding(second, "tsconfig.json", "fail").found).toContain("cannot be read");
    expect(finding(second, "package.json", "fail").next).toContain("JSON");
    project.write({ "package.json": "{}" });
    expect(finding(await look(project), "package.json", "warn").found).toContain("has no name");
    // The value of a parameter may be a secret: names alone are told.
    expect(JSON.stringify(report)).not.toContain('"1"');
  });

  test("two versions of Millrace, and two copies of core", async () => {
    await using project = new Project();
    const report = await examine({ cwd: project.folder, environment: {}, commandVersion: "0.0.9" });
    expect(finding(report, "millrace", "fail").next).toContain("npm install");
    const copy = (version: string) => {
      fs.rmSync(project.file("node_modules/@millrace/core"), { recursive: true, force: true });
      project.write({
        "node_modules/@millrace/core/package.json": JSON.stringify({ name: "@millrace/core", version }),
      });
    };
    expect(finding(await look(project), "millrace").status).toBe("ok");
    copy("0.1.0");
    expect(finding(await look(project), "millrace", "warn").found).toContain("and the project has another");
    copy("9.9.9");
    expect(finding(await look(project), "millrace", "fail").found).toContain("9.9.9 in");
  });

  test.skipIf(process.platform !== "linux")(
    "worker processes that lost their runner, not those that have one",
    async () => {
      await using project = new Project({
        "@millrace/core/dist/worker-process.js": "setInterval(() => {}, 1000); console.log(process.pid);",
      });
      const file = project.file("@millrace/core/dist/worker-process.js");
      const own = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
      // A shell that ends at once leaves its child to the system.
      const shell = spawn("sh", ["-c", `"${process.execPath}" "${file}" &`], { stdio: ["ignore", "pipe", "inherit"] });
      started.push(own, shell);
      const [ownPid, orphan] = await Promise.all(
        [own, shell].map(async (child) => Number(String((await once(child.stdout!, "data"))[0]))),
      );
      try {
        const found = finding(await look(project), "workers", "warn");
        expect(found.facts!.workers).toEqual(expect.arrayContaining([ownPid, orphan]));
        expect(found.facts!.orphans).toContain(orphan);
        expect(found.facts!.orphans).not.toContain(ownPid);
        expect(found.next).toContain(`kill -9`);
      } finally {
        process.kill(orphan!, "SIGKILL");
      }
    },
  );

  test("a cache that is not used because others may write to it", async () => {
    await using project = new Project({ "node_modules/.cache/millrace/x": "" });
    fs.chmodSync(project.file("node_modules/.cache/millrace"), 0o777);
    expect(finding(await look(project), "code packages", "warn").found).toContain("others may write to it");
  });
});
