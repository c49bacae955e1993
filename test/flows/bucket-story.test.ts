/**
 * The founding story with its values in a bucket, by the real command: it runs there, the records come out of the bucket alone,
 * and a copy goes from a folder to the bucket and back, with equal digests all the way.
 *
 * By default all of it on one S3, the real one where it can be had, and the story alone on Azurite; `MILLRACE_MATRIX=all` tells and
 * copies it on every service.
 */
import fs from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startAzurite } from "../kit/azurite.ts";
import { startFakeGcs } from "../kit/fake-gcs.ts";
import { startFakeS3 } from "../kit/fake-s3.ts";
import { radosgw } from "../kit/radosgw.ts";
import { Workplace } from "./workplace.ts";

type Json = any;

/** A service that runs here, with what the command must know of it. */
interface Service {
  /** The store below a prefix of its bucket. */
  url(prefix: string): string;
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

interface Story {
  readonly commands: readonly string[];
  readonly runs: readonly string[];
}

const GENERATE = "run generate-data.ts --configuration test_config";
const TRAIN = "run train.ts --configuration test_config --tag";
const PREDICT = "run predict.ts --model-tag prod:v1";
const STORY: Story = {
  commands: [GENERATE, `${TRAIN} test:v1`, `${TRAIN} prod:v1`, PREDICT],
  runs: ["GenerateData/1", "Train/1", "Train/2", "Predict/1"],
};
/** With the one training that is predicted by. */
const SHORT: Story = {
  commands: [GENERATE, `${TRAIN} prod:v1`, PREDICT],
  runs: ["GenerateData/1", "Train/1", "Predict/1"],
};

interface Place {
  readonly start: () => Promise<Service | undefined>;
  readonly story: Story;
  readonly isCopied: boolean;
}

const onAll = { story: STORY, isCopied: true };
const places: Readonly<Record<string, Place>> =
  process.env.MILLRACE_MATRIX === "all"
    ? {
        "our S3": { start: ourS3, ...onAll },
        radosgw: { start: realS3, ...onAll },
        Azurite: { start: azurite, ...onAll },
        "our Google": { start: ourGoogle, ...onAll },
      }
    : {
        "an S3": { start: async () => (await realS3()) ?? (await ourS3()), ...onAll },
        Azurite: { start: azurite, story: SHORT, isCopied: false },
      };

/** The story in a folder, told once: what is copied into buckets. */
const local = new Workplace("model-versioning");
beforeAll(async () => {
  for (const command of SHORT.commands) await local.expect(0, command);
}, 200_000);
afterAll(() => local[Symbol.dispose]());

describe.each(Object.entries(places))("%s", (name, { start, story, isCopied }) => {
  let service: Service | undefined;
  let place: Workplace;
  beforeAll(async () => {
    place = new Workplace("model-versioning");
    service = await start();
    if (service === undefined) return;
    for (const command of story.commands) await bucket(command);
  }, 400_000);
  afterAll(async () => {
    await service?.stop();
    place[Symbol.dispose]();
  });

  /** The command on the store in the bucket, which must succeed. */
  async function bucket(command: string, prefix = "story") {
    const env = { ...service!.environment, MILLRACE_STORE: service!.url(prefix) };
    return await place.expect(0, command, { env });
  }

  /** Every artifact of every run with its digest. */
  async function digests(
    runs: Story["runs"],
    of: (command: string) => Promise<{ readonly lines: readonly unknown[] }>,
  ): Promise<Json> {
    const found: Record<string, Json> = {};
    for (const run of runs) {
      const record = (await of(`show ${run} --json`)).lines[0] as Json;
      found[run] = { id: record.id, tags: record.tags, status: record.status, artifacts: record.artifacts };
    }
    return found;
  }

  test("runs there, is valid there, and lies there as a folder would have it", async (context) => {
    if (service === undefined) return context.skip(`${name} is not there`);
    const [report] = (await bucket("validate --json")).lines as Json[];
    expect(report).toMatchObject({ ok: true, totals: { fail: 0 } });
    expect(report.runs.map(({ run }: Json) => run).sort()).toEqual(story.runs.slice(-2).toSorted());
    expect((await bucket("store verify --read-data --json")).lines[0]).toMatchObject({ ok: true });
  });

  test("the records come out of the bucket alone", async (context) => {
    if (service === undefined) return context.skip(`${name} is not there`);
    const env = { ...service.environment, MILLRACE_STORE: service.url("story") };
    const before = await digests(story.runs, (command) => place.here(command, { env }));
    fs.renameSync(place.file(".millrace"), place.file("lost"));
    await bucket("store rebuild");
    expect(await digests(story.runs, (command) => place.here(command, { env }))).toEqual(before);
    expect((await bucket("validate --json")).lines[0]).toMatchObject({ ok: true });
    expect((await bucket("store verify --read-data --json")).lines[0]).toMatchObject({ ok: true });
    // And it goes on: the next run has the next number, and finds the model by its tag.
    await bucket("run predict.ts --model-tag prod:v1");
    expect((await bucket("show Predict/2 --json")).lines[0]).toMatchObject({ status: "succeeded" });
  });

  if (!isCopied) return;
  test("a copy goes from a folder into the bucket and back, with equal digests", async (context) => {
    if (service === undefined) return context.skip(`${name} is not there`);
    using elsewhere = local.copy();
    const env = service.environment;
    const before = await digests(SHORT.runs, (command) => elsewhere.here(command));
    await elsewhere.expect(0, `store copy ${elsewhere.store} ${service.url("copy")}`, { env });
    await elsewhere.expect(0, `store copy ${service.url("copy")} ${elsewhere.file("back")}`, { env });
    const inBucket = { env: { ...env, MILLRACE_STORE: service.url("copy") } };
    expect(await digests(SHORT.runs, (command) => elsewhere.expect(0, command, inBucket))).toEqual(before);
    const back = { env: { MILLRACE_STORE: elsewhere.file("back") } };
    expect(await digests(SHORT.runs, (command) => elsewhere.here(command, back))).toEqual(before);
    expect((await elsewhere.here("validate --json", back)).lines[0]).toMatchObject({ ok: true });
    const [whole, returned] = ["before.tar", "after.tar"].map((name) => elsewhere.file(name));
    await elsewhere.here(`export ${SHORT.runs.join(" ")} -o ${whole}`);
    await elsewhere.here(`export ${SHORT.runs.join(" ")} -o ${returned}`, back);
    expect(fs.readFileSync(whole!).equals(fs.readFileSync(returned!))).toBe(true);
    // It is gone on with in its new place; and what is copied again is what is new.
    await elsewhere.expect(0, "run predict.ts --model-tag prod:v1", inBucket);
    await elsewhere.expect(0, `store copy ${service.url("copy")} ${elsewhere.file("back")}`, { env });
    expect((await elsewhere.here("runs --json", back)).stdout).toContain("Predict/2");
    // Again, it has nothing to do.
    const again = `store copy ${service.url("copy")} ${elsewhere.file("back")} --json`;
    const [report] = (await elsewhere.expect(0, again, { env })).lines as Json[];
    expect(report.copied).toEqual({ values: 0, bytes: 0 });
  });
});

async function ourS3(): Promise<Service> {
  const server = await startFakeS3();
  return {
    url: (prefix) => `s3://bucket/${prefix}?endpoint=${server.endpoint}&region=eu-1`,
    environment: { AWS_ACCESS_KEY_ID: "AK", AWS_SECRET_ACCESS_KEY: "SK" },
    stop: () => server.stop(),
  };
}

async function azurite(): Promise<Service> {
  const server = await startAzurite();
  const container = await server.makeContainer("story");
  return {
    url: (prefix) => `azure://${container}/${prefix}`,
    environment: server.environment,
    stop: () => server.stop(),
  };
}

async function realS3(): Promise<Service | undefined> {
  const server = await radosgw();
  if (server === undefined) return undefined;
  const bucket = await server.makeBucket();
  return {
    url: (prefix) => `s3://${bucket}/${prefix}?endpoint=${server.endpoint}&region=default`,
    environment: {
      AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
    },
    stop: async () => {}, // It is there for all tests.
  };
}

async function ourGoogle(): Promise<Service> {
  const server = await startFakeGcs();
  const bucket = server.makeBucket("story");
  return {
    url: (prefix) => `gs://${bucket}/${prefix}?endpoint=${server.endpoint}`,
    environment: {},
    stop: () => server.stop(),
  };
}
