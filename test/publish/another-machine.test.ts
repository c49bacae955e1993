/** A bucket that has a store, and a machine that has no records of it or other ones: what the real command says and does there. */
import fs from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { IDENTITY_KEY } from "../../packages/core/src/publish/layout.ts";
import { type FakeS3, startFakeS3 } from "../kit/fake-s3.ts";
import { failure } from "../kit/fake-s3-buckets.ts";
import { Project } from "../kit/project.ts";
import { SpawnedFlow } from "../kit/spawned-flow.ts";
import { flowText } from "../scenarios/observe.ts";

const FLOW = flowText(
  "Tiny",
  `n!: number;
   @step({ next: "wait" }) start() { this.n = 17; }
   @step({ next: "end" }) async wait() { if (process.env.SLOW_MS) await new Promise((resolve) => setTimeout(resolve, Number(process.env.SLOW_MS))); }
   @step() end() {}`,
);
const ENV = { AWS_ACCESS_KEY_ID: "test-key", AWS_SECRET_ACCESS_KEY: "test-secret", AWS_REGION: "us-east-1" };
let server: FakeS3;
const projects: Project[] = [];
beforeAll(async () => {
  server = await startFakeS3();
});
afterEach(async () => {
  server.settings.instead = undefined;
  for (const project of projects.splice(0)) await project[Symbol.asyncDispose]();
});
afterAll(() => server.stop());

/** A clone of the repository whose settings name the bucket. */
function clone(prefix: string) {
  const store = `s3://bucket/${prefix}?endpoint=${server.endpoint}`;
  const project = new Project({ "tiny.ts": FLOW, "millrace.json": JSON.stringify({ store }) });
  projects.push(project);
  const flow = (...words: readonly string[]) => project.flow(words, { env: ENV });
  const done = async (...words: readonly string[]) => {
    const called = await flow(...words);
    expect([called.code, called.stderr]).toEqual([0, expect.not.stringContaining("FLOW_")]);
    return called;
  };
  const refused = async (code: string, ...words: readonly string[]) => {
    const called = await flow(...words);
    expect([called.code === 0, called.stderr]).toEqual([false, expect.stringContaining(code)]);
    return called.stderr;
  };
  return { project, store, done, refused };
}

/** The bucket answers once that it has no store, as it does to a machine that asks a moment too early. */
function hideStoreOnce(): void {
  let isHidden = true;
  server.settings.instead = ({ method, key }) => {
    if (!isHidden || method !== "GET" || !key.endsWith(IDENTITY_KEY)) return undefined;
    isHidden = false;
    return failure(404, "NoSuchKey");
  };
}

const recordsOf = ({ project }: ReturnType<typeof clone>): readonly string[] => {
  const buckets = project.file(".millrace/buckets");
  if (!fs.existsSync(buckets)) return [];
  return fs.readdirSync(buckets, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith("millrace.db"));
};

test("a clone is told to rebuild before anything is made, and its runs go on with the numbers of the store", async () => {
  await clone("clone").done("run", "tiny.ts");
  const second = clone("clone");
  const said = await second.refused("FLOW_PUBLISH_OTHER_STORE", "run", "tiny.ts");
  expect(said).toContain("Type flow store rebuild, which");
  expect(recordsOf(second)).toEqual([]);
  expect(await second.refused("FLOW_CLIENT_NO_STORE", "runs")).toContain("flow store rebuild");
  fs.rmSync(second.project.file("millrace.json"));
  const named = await second.refused("FLOW_PUBLISH_OTHER_STORE", "run", "tiny.ts", "--store", second.store);
  expect(named).toContain(`flow store rebuild --store '${second.store}'`);
  await second.done("store", "rebuild", "--store", second.store);
  expect((await second.done("run", "tiny.ts", "--store", second.store)).stdout).toContain("Tiny/2 succeeded");
  expect((await second.done("runs", "--json", "--store", second.store)).lines).toHaveLength(2);
}, 60_000);

test("records of another store that have no runs make way for a rebuild, and init leaves none behind", async () => {
  await clone("race").done("run", "tiny.ts");
  const second = clone("race");
  hideStoreOnce();
  await second.refused("FLOW_PUBLISH_OTHER_STORE", "store", "init");
  expect(recordsOf(second)).toEqual([]);
  hideStoreOnce();
  await second.refused("FLOW_PUBLISH_OTHER_STORE", "run", "tiny.ts");
  const [records] = recordsOf(second);
  expect((await second.done("store", "rebuild")).stdout).toContain("millrace.db.before-rebuild-1");
  const folder = path.dirname(second.project.file(`.millrace/buckets/${records}`));
  expect(fs.readdirSync(folder)).toContain("millrace.db.before-rebuild-1");
  expect((await second.done("run", "tiny.ts")).stdout).toContain("Tiny/2 succeeded");
}, 60_000);

test("records of another store that have runs stay, and what to do with them is said", async () => {
  await clone("theirs").done("run", "tiny.ts");
  const second = clone("mine");
  await second.done("run", "tiny.ts");
  // The bucket became that of another store.
  const objects = server.buckets.objects();
  objects.set(`mine/${IDENTITY_KEY}`, objects.get(`theirs/${IDENTITY_KEY}`)!);
  for (const words of [[], ["--force"]])
    expect(await second.refused("FLOW_PUBLISH_OTHER_STORE", "store", "rebuild", ...words)).toContain("flow export");
  await second.done("show", "Tiny/1");
}, 60_000);

test("a rebuild leaves the records alone while a run is under way, and not for one that was killed", async () => {
  const here = clone("busy");
  await here.done("run", "tiny.ts");
  const env = { ...ENV, SLOW_MS: "3600000" };
  const run = new SpawnedFlow(["run", "tiny.ts"], { cwd: here.project.folder, env });
  await run.heard((text) => text.includes("Tiny/2/start  done"));
  await here.refused("FLOW_GC_RUNS_UNDER_WAY", "store", "rebuild", "--force");
  expect((await here.done("runs", "--json")).lines).toHaveLength(2);
  run.killGroup();
  await run.ended;
  expect((await here.done("store", "rebuild", "--force")).stdout).toContain("only they have the run Tiny/2");
}, 60_000);
