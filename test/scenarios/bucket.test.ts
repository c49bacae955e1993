/**
 * Runs whose values lie in a bucket: the real command, against a small S3 server in this process that counts what is asked of
 * it. Numbers of requests say what times would only suggest.
 */
import fs from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type FakeS3, startFakeS3 } from "../kit/fake-s3.ts";
import { failure } from "../kit/fake-s3-buckets.ts";
import { Project } from "../kit/project.ts";
import { SpawnedFlow } from "../kit/spawned-flow.ts";

let server: FakeS3;
let project: Project | undefined;
beforeAll(async () => {
  server = await startFakeS3();
});
afterEach(async () => {
  await project?.[Symbol.asyncDispose]();
  project = undefined;
  server.settings.instead = undefined;
  server.settings.latencyMs = 0;
  server.requests.length = 0;
});
afterAll(() => server.stop());

let count = 0;
/** A project whose store is a prefix of its own. */
function inBucket(files: Readonly<Record<string, string>>) {
  project = new Project(files);
  const prefix = `team-${++count}`;
  const env = {
    MILLRACE_STORE: `s3://bucket/${prefix}?endpoint=${server.endpoint}&region=eu-1`,
    AWS_ACCESS_KEY_ID: "AK",
    AWS_SECRET_ACCESS_KEY: "not told to anybody",
  };
  const flow = (words: readonly string[], more: Readonly<Record<string, string>> = {}) =>
    project!.flow(words, { env: { ...env, ...more } });
  const folder = (): string => {
    const buckets = path.join(project!.folder, ".millrace/buckets");
    return path.join(buckets, fs.readdirSync(buckets)[0]!);
  };
  const of = (method: string, beginning = "blobs/"): readonly string[] =>
    server.requests.filter((request) => request.startsWith(`${method} bucket/${prefix}/${beginning}`));
  return { flow, folder, of, env, project, prefix };
}

const WIDE = `
import { Flow, type Inputs, join, param, step, z } from "@millrace/core";

/** Bytes that no compression makes smaller, and that follow from a number. */
function bytes(seed: number, size: number): Uint8Array {
  const made = new Uint8Array(size);
  let state = seed * 2654435761 + 1;
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    made[at] = state >>> 24;
  }
  return made;
}

export default class Wide extends Flow {
  readonly width = param(z.coerce.number().default(20));
  numbers!: number[];
  shared!: Uint8Array;
  large!: Uint8Array;
  sum!: number;

  @step({ next: "work", foreach: "numbers" })
  start() {
    this.numbers = Array.from({ length: this.width }, (_, index) => index + 1);
    this.shared = bytes(0, 50_000);
  }

  @step({ next: "collect" })
  work(number: number) {
    if (this.shared.length !== 50_000) throw new Error("not what start left");
    this.large = bytes(number, 30_000);
  }

  @join({ next: "end" })
  collect(inputs: Inputs<Wide>) {
    if (process.env.FAIL_JOIN !== undefined) throw new Error("as it was asked to");
    this.sum = inputs.reduce((sum, input) => sum + input.large[7]! + input.large.length, 0);
  }

  @step()
  end() {}
}
`;

/** What the flow makes of so many numbers. */
function sumOf(width: number): number {
  const byte = (seed: number): number => {
    let state = seed * 2654435761 + 1;
    for (let at = 0; at <= 7; at++) state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state >>> 24;
  };
  return Array.from({ length: width }, (_, index) => byte(index + 1) + 30_000).reduce((left, right) => left + right, 0);
}

test("a wide run leaves its large values in the bucket, and its records beside", async () => {
  const { flow, folder, of } = inBucket({ "wide.ts": WIDE });
  // Long beside what a task takes, even where others have the machine: what does not wait is then under way at once.
  server.settings.delayOf = ({ method }) => (method === "PUT" ? 400 : 0);
  const ran = await flow(["run", "wide.ts"]);
  server.settings.delayOf = undefined;
  expect(ran).toMatchObject({ code: 0 });
  expect(of("PUT").length).toBe(1 + 20); // What start left, and what each task left, each once.
  expect(of("GET")).toEqual([]); // All of it was made here.
  expect(fs.readdirSync(path.join(folder(), "blobs"))).toEqual([]);
  expect(
    fs
      .readdirSync(path.join(folder(), "spool"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile()),
  ).toEqual([]);
  expect(server.mostAtOnce()).toBeGreaterThan(4); // Uploads do not wait for each other.
  const { sum } = await values(flow);
  expect(sum).toBe(sumOf(20));
});

/** What the newest run has left. */
async function values(
  flow: (words: readonly string[]) => Promise<{ readonly stdout: string }>,
): Promise<{ sum: number }> {
  return { sum: Number((await flow(["dump", "Wide", "sum"])).stdout) };
}

/** All copies of values on this machine. */
function dropCopies(folder: string): void {
  fs.rmSync(path.join(folder, "cache"), { recursive: true });
}

test("a join whose inputs are far away reads them many at a time", async () => {
  const { flow, folder, of } = inBucket({ "wide.ts": WIDE });
  const failed = await flow(["run", "wide.ts", "--width", "300"], { FAIL_JOIN: "1" });
  expect(failed.code).toBe(1);
  dropCopies(folder());
  server.settings.latencyMs = 20;
  const resumed = await flow(["resume", "Wide"]);
  expect(resumed).toMatchObject({ code: 0 });
  expect(of("GET").length).toBe(300);
  expect(await values(flow)).toEqual({ sum: sumOf(300) });
});

test("a process that is killed between an upload and its commit loses no more than that task", async () => {
  const { flow, of, env, project } = inBucket({ "wide.ts": WIDE });
  const first = new SpawnedFlow(["run", "wide.ts"], { cwd: project.folder, env });
  server.settings.instead = ({ method }) => {
    if (method === "PUT" && of("PUT").length === 10) first.killGroup();
    return undefined;
  };
  await first.ended;
  server.settings.instead = undefined;
  expect(await flow(["resume", "Wide"])).toMatchObject({ code: 0 });
  expect(await values(flow)).toEqual({ sum: sumOf(20) });
});

test("two processes fill one cache", async () => {
  const { flow, folder } = inBucket({ "wide.ts": WIDE });
  expect(await flow(["run", "wide.ts", "--width", "30"])).toMatchObject({ code: 0 });
  dropCopies(folder());
  server.settings.latencyMs = 20;
  const both = await Promise.all([flow(["validate", "Wide"]), flow(["validate", "Wide"])]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
});

test("worker processes talk to the bucket by themselves", async () => {
  const isolated = WIDE.replace('@step({ next: "collect" })', '@step({ next: "collect", isolate: "process" })');
  expect(isolated).not.toBe(WIDE);
  const { flow, of } = inBucket({ "wide.ts": isolated });
  expect(await flow(["run", "wide.ts", "--width", "4"])).toMatchObject({ code: 0 });
  expect(of("PUT").length).toBe(1 + 4);
  expect(await values(flow)).toEqual({ sum: sumOf(4) });
});

test("a bucket that takes no value fails the run with its code; when it does again, the run goes on", async () => {
  const { flow, of } = inBucket({ "wide.ts": WIDE });
  server.settings.instead = ({ method, key }) =>
    method !== "GET" && key.includes("/blobs/") ? failure(403, "AccessDenied") : undefined;
  const failed = await flow(["run", "wide.ts"]);
  expect(failed.code).toBe(3);
  expect(failed.stderr).toContain("FLOW_STORAGE_CREDENTIALS");
  expect(failed.stdout + failed.stderr).not.toContain("not told to anybody");
  // It ends like any other run that failed, and its record says why; frames of Millrace would help nobody.
  expect(failed.stdout).toMatch(/^✗ Wide\/1 failed after .*\n .*flow resume Wide\/1 /m);
  expect(failed.stderr).toMatch(/^✗ Wide\/1 failed: .*\n {2}→ .*AWS_ACCESS_KEY_ID/m);
  const shown = await flow(["show", "Wide/1"]);
  expect(shown.stdout).toContain("FLOW_STORAGE_CREDENTIALS");
  expect(shown.stdout).not.toContain("flow logs"); // No task has written why.
  expect(shown.stdout + failed.stderr).not.toMatch(/^ +at /m);
  server.settings.instead = undefined;
  expect(await flow(["resume", "Wide"])).toMatchObject({ code: 0 });
  expect(new Set(of("PUT")).size).toBe(1 + 20);
  expect(await values(flow)).toEqual({ sum: sumOf(20) });
});

test("a service that ignores conditional writes is found out by the first run, and looked at before each write", async () => {
  server.settings.conditionalWrites = "ignored";
  try {
    const { flow, folder, of } = inBucket({ "wide.ts": WIDE });
    const first = await flow(["run", "wide.ts"]);
    expect(first).toMatchObject({ code: 0, stderr: expect.stringContaining("ignores conditional writes") });
    expect(JSON.parse(fs.readFileSync(path.join(folder(), "bucket.json"), "utf8"))).toMatchObject({
      conditionalWrites: { createOnce: "ignored", compareAndSet: false },
    });
    const looked = new Set(of("HEAD").map((request) => request.slice("HEAD ".length)));
    const put = of("PUT").map((request) => request.slice("PUT ".length));
    expect(put.length).toBeGreaterThan(0);
    expect(put.filter((key) => !looked.has(key))).toEqual([]);
    // The next run knows it: no second trial, and no second warning.
    server.requests.length = 0;
    const second = await flow(["run", "wide.ts"]);
    expect([second.code, second.stderr.includes("ignores")]).toEqual([0, false]);
    expect(server.requests.filter((request) => request.includes("/probe/"))).toEqual([]);
  } finally {
    server.settings.conditionalWrites = "honoured";
  }
});
