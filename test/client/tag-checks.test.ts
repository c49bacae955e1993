/** What tags and their policies are held to, on a real store: ages, required checks, tags that nobody gave, holders, webhooks. */
import { once } from "node:events";
import http from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Client } from "../../packages/core/src/client/client.ts";
import { heldAgainst, setTagPolicy } from "../../packages/core/src/client/tag-policies.ts";
import { type ValidateOptions, validate } from "../../packages/core/src/client/validate/validate.ts";
import { addWebhook, deliverWebhooks } from "../../packages/core/src/client/webhooks.ts";
import type { FlowError } from "../../packages/core/src/errors/flow-error.ts";
import type { TagPolicy } from "../../packages/core/src/metadata/metadata-store.ts";
import { definition, largeValue, WrittenStore } from "./written-store.ts";

const NOON = new Date("2026-11-17T12:00:00Z");
const BY = { actor: "ana", host: "here", at: NOON, via: "client" };
const DAY_MS = 86_400_000;
const SOURCE = definition("source", "Data");
const MODEL = definition("model", "Train");

let store: WrittenStore;
beforeEach(async () => {
  store = await WrittenStore.create();
});
afterEach(async () => await store.close());

const client = () => new Client(store.stores, { actor: "ana", host: "here", project: "shop", now: () => NOON });
const before = (days: number) => new Date(NOON.getTime() - days * DAY_MS);
const policy = (asked: TagPolicy) => setTagPolicy(store.metadata, { policy: asked, ...BY });

async function failure(work: Promise<unknown>): Promise<FlowError> {
  return await work.then(
    () => {
      throw new Error("It was not refused");
    },
    (error: unknown) => error as FlowError,
  );
}
/** What a check says, without what passes. */
async function said(id: string, options: ValidateOptions): Promise<readonly (readonly [string, string])[]> {
  const { checks } = await validate(store.stores, { now: NOON, ...options });
  return checks
    .filter((check) => check.id === id && check.status !== "pass")
    .map(({ status, evidence }) => [status, evidence] as const);
}
/** Data of 9 days, a model of 2 days by a tag, a prediction of now. */
async function story(): Promise<void> {
  await store.run("Data", { artifacts: { rows: largeValue(1) }, createdAt: before(9) });
  const { upstreams } = await store.resolve([SOURCE]);
  await store.run("Train", {
    upstreams,
    reads: { source: ["rows"] },
    artifacts: { model: largeValue(2) },
    createdAt: before(2),
    tags: ["prod:v1"],
  });
  const read = await store.resolve([MODEL], { model: { tags: ["prod:v1"] } });
  await store.run("Predict", { upstreams: read.upstreams, reads: { model: ["model"] }, createdAt: NOON });
}

describe("the age that a policy allows", () => {
  test("is asked of the run that holds the tag, of its data, and of what was read by the tag", async () => {
    await story();
    expect(await said("V12", { selector: "Train@prod:v1" })).toEqual([]);
    await policy({ pattern: "prod:*", maxAgeMs: 5 * DAY_MS });
    const data =
      /^Data\/1, which .* as "(?:model\.)?source", is 9 d 0 h old, the limit is 5 d 0 h by the policy of "prod:v1"$/;
    for (const selector of ["Train@prod:v1", "Predict/1"]) {
      expect(await said("V12", { selector })).toEqual([["warn", expect.stringMatching(data)]]);
      expect(await said("V12", { selector, current: true })).toEqual([["fail", expect.anything()]]);
      expect(await said("V12", { selector, freshnessOnly: true })).toEqual([["fail", expect.anything()]]);
      // What is asked for by hand counts instead.
      expect(await said("V12", { selector, maxAgeMs: 10 * DAY_MS })).toEqual([]);
    }
    await policy({ pattern: "prod:*", maxAgeMs: DAY_MS });
    expect(await said("V12", { selector: "Predict/1" })).toEqual([
      ["warn", expect.stringContaining("Train/1")],
      ["warn", expect.stringContaining("Data/1")],
    ]);
  });

  test("refuses a run whose data is too old, where the policy asks for V12; --force-age insists", async () => {
    await story();
    await policy({ pattern: "gold", maxAgeMs: 5 * DAY_MS, requireChecks: ["V12"] });
    const train = await client().run("Train/1");
    const refused = await failure(train.promote("gold"));
    expect([refused.code, refused.message]).toEqual(["FLOW_TAG_CHECK_FAILED", expect.stringContaining("Data/1")]);
    expect((await train.promote("gold", { forceAge: true, reason: "incident" })).tags).toContain("gold");
  });
});

describe("a required check", () => {
  test("is made alone: no value is read for one that looks at records, and damage elsewhere is not its business", async () => {
    await story();
    store.flipByte(
      (await store.artifact((await store.metadata.runByNumber({ name: "Train" }, 1))[0]!, "model")).digest,
    );
    let reads = 0;
    const artifacts = new Proxy(store.stores.artifacts, {
      get(target, name) {
        if (name === "examine" || name === "pieces") reads++;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const counting = new Client(
      { metadata: store.metadata, artifacts },
      { actor: "ana", host: "here", project: "shop" },
    );
    await policy({ pattern: "light", requireChecks: ["V02", "V04", "V15"] });
    const run = await counting.run("Predict/1");
    await run.promote("light");
    const [event] = await store.metadata.tagEvents({ tag: "light", run: run.id as never });
    expect(event!.checks).toEqual(["V02", "V04", "V15"].map((id) => ({ id, status: "pass" })));
    // One look is at `examine` itself, to see that the store can be asked.
    expect(reads).toBeLessThanOrEqual(1);
    await policy({ pattern: "heavy", requireChecks: ["V03"] });
    expect((await failure(run.promote("heavy"))).message).toContain("check V03");
    expect(reads).toBeGreaterThan(1);
  });
});

describe("V04", () => {
  test("a tag that the log never gave, on the run that was read by it: taken away again, the trace stays", async () => {
    const good = await store.run("Train", { artifacts: { model: 1 }, tags: ["prod:v1"] });
    const bad = await store.run("Train", { artifacts: { model: 2 } });
    store.sql(`INSERT INTO run_tag (run, tag, flow, status)
      SELECT ${bad.sequence}, 'prod:v1', flow, 'succeeded' FROM run WHERE sequence = ${good.sequence}`);
    const { upstreams } = await store.resolve([MODEL], { model: { tags: ["prod:v1"] } });
    await store.run("Predict", { upstreams, reads: { model: ["model"] } });
    expect(await said("V04", { selector: "Train@prod:v1" })).toMatchObject([
      ["fail", expect.stringContaining("never gave it")],
    ]);
    store.sql(`DELETE FROM run_tag WHERE run = ${bad.sequence}`);
    expect(await said("V04", { selector: "Predict/1" })).toEqual([
      [
        "fail",
        'Train/2, which Predict/1 read from as "model", was found by "prod:v1", which the log of tags never gave it',
      ],
    ]);
    await store.move(good, { remove: ["prod:v1"] });
    const honest = await store.resolve([MODEL]);
    await store.run("Predict", { upstreams: honest.upstreams });
    expect(await said("V04", { selector: "Predict/2" })).toEqual([]);
  });

  test("a run that is found by a tag which its own rows do not have", async () => {
    const run = await store.run("Train", { artifacts: { model: 1 }, tags: ["prod:v1"] });
    const all = { ...run, tags: [] };
    const metadata = new Proxy(store.metadata, {
      get(target, name) {
        // An index that leads where its table does not: the run is found, and holds nothing.
        if (name === "runs") return async () => [all];
        if (name === "tagEvents") return async () => [];
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const { checks } = await validate({ ...store.stores, metadata }, { selector: "Train@prod:v1", only: ["V04"] });
    expect(checks).toMatchObject([{ status: "fail", evidence: expect.stringContaining('"prod:v1"') }]);
  });
});

describe("two holders that two flows brought when they became one", () => {
  async function merged(): Promise<void> {
    await policy({ pattern: "prod", exclusive: true });
    for (const flow of ["Fit", "Train"]) {
      await store.run(flow, { artifacts: { model: 0 } });
      const run = await store.run(flow, { artifacts: { model: 1 }, createdAt: NOON });
      await store.move((await store.metadata.runByNumber({ name: flow }, 1))[0]!, { add: ["prod"] });
      await store.move(run, { add: ["prod"] });
    }
    await store.run("Train", { formerly: ["Fit"], artifacts: { model: 2 } });
    const holders = await store.metadata.holders({ project: "shop", name: "Train" }, "prod");
    expect(holders.map(({ flow, number }) => `${flow.name}/${number}`)).toEqual(["Fit/2", "Train/2"]);
  }
  const holding = async (): Promise<readonly string[]> =>
    (await store.metadata.runs({ tags: ["prod"] })).map(({ flow, number }) => `${flow.name}/${number}`);

  test("are both expected by whoever names both", async () => {
    await merged();
    const run = await client().runs("Train").get(3);
    const refused = await failure(run.promote("prod", { expect: "Train/2" }));
    expect([refused.code, refused.hint ?? refused.problems[0]?.hint]).toEqual([
      "FLOW_TAG_NOT_EXPECTED",
      "Name all of them to take it from all: --expect Fit/2 --expect Train/2",
    ]);
    expect((await run.promote("prod", { expect: ["Train/2", "Fit/2"] })).tags).toEqual(["prod"]);
    expect(await holding()).toEqual(["Train/3"]);
  });

  test("are rolled back by naming the run that is to have it", async () => {
    await merged();
    const runs = client().runs("Train");
    const refused = await failure(runs.rollback("prod"));
    expect([refused.code, refused.hint]).toEqual([
      "FLOW_TAG_SEVERAL_HOLDERS",
      "Name the run that is to hold it alone: flow rollback Train@prod --to Train/2",
    ]);
    expect((await runs.rollback("prod", { to: "Train/2" })).name).toBe("Train/2");
    expect(await holding()).toEqual(["Train/2"]);
    expect((await runs.rollback("prod", { to: "Train/1" })).name).toBe("Train/1");
    expect(await holding()).toEqual(["Train/1"]);
  });
});

test("a policy that comes late names the runs that hold its tags against it, each with all reasons", async () => {
  await store.run("Train", { status: "failed", tags: ["prod:v1"], createdAt: before(9) });
  await store.run("Train", { artifacts: { model: 1 }, tags: ["prod:v1"], createdAt: before(1) });
  await store.run("Other", { artifacts: { model: largeValue(3) }, tags: ["prod:eu", "free"], createdAt: before(1) });
  store.flipByte((await store.artifact((await store.metadata.runByNumber({ name: "Other" }, 1))[0]!, "model")).digest);
  await policy({ pattern: "prod:*", succeededOnly: true, maxAgeMs: 5 * DAY_MS, requireChecks: ["V03"] });
  const against = await heldAgainst(store.stores, "prod:*", NOON);
  expect(against.map(({ run, tag, why }) => [run, tag, why.length])).toEqual(
    expect.arrayContaining([
      ["Train/1", "prod:v1", 2],
      ["Other/1", "prod:eu", 1],
    ]),
  );
  expect(against).toHaveLength(2);
  expect(against.find(({ run }) => run === "Other/1")!.why[0]).toContain("check V03");
  expect(await heldAgainst(store.stores, "free", NOON)).toEqual([]);
});

describe("webhooks", () => {
  test("have numbers that are never given again", async () => {
    const add = () => addWebhook(store.metadata, { url: "http://127.0.0.1:9/" }, BY);
    expect([await add(), await add()]).toEqual([1, 2]);
    await store.metadata.webhooks.remove(2);
    expect(await add()).toBe(3);
    for (const id of [1, 3]) await store.metadata.webhooks.remove(id);
    expect(await add()).toBe(4);
  });

  test("are told of the others where an event of the log cannot be read, or is gone; what is wrong is kept", async () => {
    const bodies: string[] = [];
    const server = http.createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      request.on("end", () => {
        bodies.push(body);
        response.writeHead(204).end();
      });
    });
    try {
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as { readonly port: number };
      await addWebhook(store.metadata, { url: `http://127.0.0.1:${port}/` }, BY);
      const run = await store.run("Train", { artifacts: { model: 1 } });
      for (const tag of ["a", "b", "c", "d"]) await store.move(run, { add: [tag] });
      store.dropTriggers("tag_event");
      store.sql("UPDATE tag_event SET at = 9007199254740991 WHERE tag = 'a'");
      store.sql("DELETE FROM tag_event WHERE tag = 'c'");
      const now = Date.now() + 1_000;
      const caller = { metadata: store.metadata, environment: {}, now: () => now };
      expect(await deliverWebhooks(caller)).toEqual({ delivered: 2, failed: [] });
      expect(bodies.map((body) => JSON.parse(body).tag)).toEqual(["b", "d"]);
      const [hook] = await store.metadata.webhooks.list();
      expect(hook).toMatchObject({
        waiting: 2,
        lastError: expect.stringMatching(/^event \d of the log of tags is not there$/),
      });
      expect(hook!.nextAt!.getTime()).toBe(now + 6 * 3_600_000);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
