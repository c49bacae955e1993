/** Moves of tags by the client, on a real store: what is refused, what comes back, and who is told. */
import { once } from "node:events";
import http from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Client } from "../../packages/core/src/client/client.ts";
import { setTagPolicy } from "../../packages/core/src/client/tag-policies.ts";
import { addWebhook, deliverWebhooks, signatureOf, testWebhook } from "../../packages/core/src/client/webhooks.ts";
import type { FlowError } from "../../packages/core/src/errors/flow-error.ts";
import type { Problem } from "../../packages/core/src/index.ts";
import type { RunRow } from "../../packages/core/src/metadata/metadata-store.ts";
import { WrittenStore } from "./written-store.ts";

const NOON = new Date("2026-11-17T12:00:00Z");
const BY = { actor: "ana", host: "here", at: NOON, via: "client" };

let store: WrittenStore;
let now: number;
let warnings: Problem[];

beforeEach(async () => {
  store = await WrittenStore.create();
  now = NOON.getTime();
  warnings = [];
});
afterEach(async () => await store.close());

function client(environment: Readonly<Record<string, string>> = {}): Client {
  return new Client(store.stores, {
    actor: "ana",
    host: "here",
    project: "shop",
    environment,
    now: () => new Date(now),
    onWarning: (problem) => warnings.push(problem),
  });
}
async function train(count: number): Promise<readonly RunRow[]> {
  const rows: RunRow[] = [];
  for (let run = 0; run < count; run++)
    rows.push(await store.run("Train", { artifacts: { model: run }, createdAt: new Date(now) }));
  return rows;
}
async function failure(work: Promise<unknown>): Promise<FlowError> {
  return await work.then(
    () => {
      throw new Error("It was not refused");
    },
    (error: unknown) => error as FlowError,
  );
}
async function holder(tag: string): Promise<number | undefined> {
  return (await store.metadata.runs({ tags: [tag] }))[0]?.number;
}

describe("a run of a flow", () => {
  test("that is not over is neither promoted nor checked, and can be asked to take a tag", async () => {
    await train(1);
    const runs = client().runs("Train");
    await (await runs.get(1)).promote("prod");
    await store.run("Train", { status: "running", artifacts: {} });
    const running = await runs.get(2);
    for (const work of [
      () => running.promote("prod"),
      () => running.promote("prod", { check: true }),
      () => running.addTags(["prod"], { expect: "Train/1" }),
    ])
      expect((await failure(work())).code).toBe("FLOW_TAG_NOT_OVER");
    expect(await holder("prod")).toBe(1);
    expect((await running.addTags(["nightly"])).tags).toEqual(["nightly"]);
  });

  test("is promoted, replaced and rolled back, and its handle is as it is then", async () => {
    await train(3);
    const runs = client().runs("Train");
    expect((await (await runs.get(1)).promote("prod:v1")).tags).toEqual(["prod:v1"]);
    await (await runs.get(2)).promote("prod:v1", { reason: "better", expect: "1" });
    const stale = await failure((await runs.get(3)).promote("prod:v1", { expect: "Train/1" }));
    expect([stale.code, stale.message]).toEqual(["FLOW_TAG_NOT_EXPECTED", expect.stringContaining("Train/2 holds it")]);
    expect((await (await runs.get(3)).addTags(["test:v1"])).tags).toEqual(["test:v1"]);
    expect((await (await runs.get(3)).replaceTag("test:v1", "prod:v1")).tags).toEqual(["prod:v1"]);
    const several = await failure(runs.rollback("prod:v1"));
    expect([several.code, several.message]).toEqual([
      "FLOW_TAG_SEVERAL_HOLDERS",
      expect.stringContaining("Train/2, Train/3 hold it"),
    ]);
    await (await runs.get(3)).promote("prod:v1");
    expect((await runs.rollback("prod:v1", { reason: "errors" })).name).toBe("Train/2");
    expect((await runs.rollback("prod:v1")).name).toBe("Train/1");
    const first = await failure(runs.rollback("prod:v1"));
    expect([first.code, first.message]).toEqual([
      "FLOW_TAG_NO_PREVIOUS",
      'Cannot roll "prod:v1" of Train back: Train/1 is the first that held it',
    ]);
    const never = await failure(runs.rollback("never"));
    expect([never.code, never.message]).toEqual([
      "FLOW_TAG_NO_PREVIOUS",
      expect.stringContaining("no run ever held it"),
    ]);
  });

  test("is rolled back to only within its flow: another flow's history is not its own", async () => {
    await train(2);
    await store.run("Other", {});
    const runs = client().runs("Train");
    await (await client().runs("Other").get(1)).promote("prod:v1");
    await (await runs.get(2)).promote("prod:v1");
    expect((await failure(runs.rollback("prod:v1"))).code).toBe("FLOW_TAG_NO_PREVIOUS");
  });

  test("says who held a tag when", async () => {
    await train(2);
    const runs = client().runs("Train");
    await (await runs.get(1)).promote("prod:v1", { reason: "first" });
    now += 3_600_000;
    await (await runs.get(2)).promote("prod:v1");
    const all = await runs.tagHistory("prod:v1");
    expect(all.map(({ run, from, until }) => [run, from.getTime(), until?.getTime()])).toEqual([
      ["Train/1", NOON.getTime(), NOON.getTime() + 3_600_000],
      ["Train/2", NOON.getTime() + 3_600_000, undefined],
    ]);
    const at = async (ms: number) =>
      (await runs.tagHistory("prod:v1", { at: new Date(NOON.getTime() + ms) })).map(({ run }) => run);
    expect([await at(-1), await at(0), await at(3_599_999), await at(3_600_000)]).toEqual([
      [],
      ["Train/1"],
      ["Train/1"],
      ["Train/2"],
    ]);
    expect(all[0]).toMatchObject({ givenBy: "ana", takenBy: "ana", reason: "first" });
  });

  test("is followed from a move on, and from now on", { timeout: 30_000 }, async () => {
    await train(2);
    const runs = client().runs("Train");
    await (await runs.get(1)).addTags(["other", "prod:v1"]);
    const stop = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      for await (const { tag, run, from } of runs.tagMoves({ tag: "prod:*", after: 0, signal: stop.signal })) {
        seen.push(`${tag} ${from ?? ""} ${run}`);
        if (seen.length === 1) await (await runs.get(2)).promote("prod:v1");
        if (seen.length === 3) stop.abort();
      }
    })();
    await following;
    expect(seen).toEqual(["prod:v1  Train/1", "prod:v1  Train/1", "prod:v1 Train/1 Train/2"]);
  });
});

describe("checks that a policy asks for", () => {
  test("are those that flow validate has", async () => {
    const error = await failure(
      setTagPolicy(store.metadata, { policy: { pattern: "p", requireChecks: ["V03", "V98"] }, ...BY }),
    );
    expect([error.code, error.message]).toEqual(["FLOW_TAG_BAD_POLICY", expect.stringContaining("no check V98")]);
    expect(error.hint).toContain("V03");
  });

  test("are kept with the move; one that fails refuses it, and with check: all are made", async () => {
    await train(2);
    await setTagPolicy(store.metadata, { policy: { pattern: "p", requireChecks: ["V02", "V03"] }, ...BY });
    const runs = client().runs("Train");
    await (await runs.get(1)).promote("p");
    const [event] = await store.metadata.tagEvents({ tag: "p" });
    expect(event!.checks).toEqual([
      { id: "V02", status: "none" },
      { id: "V03", status: "pass" },
    ]);
    store.sql("UPDATE blob SET stored = x'00' WHERE digest IN (SELECT digest FROM artifact WHERE name = 'model')");
    const refused = await failure((await runs.get(2)).promote("p"));
    expect([refused.code, refused.message]).toEqual(["FLOW_TAG_CHECK_FAILED", expect.stringContaining("check V03")]);
    const all = await failure((await runs.get(2)).promote("free", { check: true }));
    expect(all.code).toBe("FLOW_TAG_CHECK_FAILED");
    expect([await holder("p"), await holder("free")]).toEqual([1, undefined]);
  });
});

describe("webhooks", () => {
  let server: http.Server;
  let url: string;
  let answer: (response: http.ServerResponse) => void;
  let bodies: string[];

  beforeEach(async () => {
    bodies = [];
    answer = (response) => void response.writeHead(204).end();
    server = http.createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      request.on("end", () => {
        bodies.push(body);
        answer(response);
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as { readonly port: number }).port}/`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });
  const caller = (environment: Readonly<Record<string, string>> = {}) => ({
    metadata: store.metadata,
    environment,
    now: () => now,
  });

  test.each(["nowhere", "file:///etc/passwd", "https://ana@example.com", "https://:x@example.com"])(
    "refuse the address %j",
    async (bad) => {
      expect((await failure(addWebhook(store.metadata, { url: bad }, BY))).code).toBe("FLOW_WEBHOOK_BAD_URL");
    },
  );

  test("are told in the order of the moves, once each, of both what is given and what is taken", async () => {
    await train(2);
    const runs = client().runs("Train");
    await (await runs.get(1)).addTags(["before"]);
    await addWebhook(store.metadata, { url }, BY);
    await (await runs.get(1)).promote("p");
    await (await runs.get(2)).promote("p");
    await (await runs.get(2)).removeTags(["p"]);
    expect(bodies.map((body) => JSON.parse(body)).map(({ verb, run, from }) => [verb, run, from])).toEqual([
      ["add", "shop/Train/1", undefined],
      ["add", "shop/Train/2", "shop/Train/1"],
      ["remove", "shop/Train/2", undefined],
    ]);
    expect(await deliverWebhooks(caller())).toEqual({ delivered: 0, failed: [] });
  });

  test("that fail are tried again later and later, with the same key; redirects are not followed", async () => {
    await train(1);
    await addWebhook(store.metadata, { url }, BY);
    answer = (response) => void response.writeHead(302, { location: url }).end();
    await (await client().runs("Train").get(1)).addTags(["p"]);
    expect(warnings.map(({ code, message }) => [code, message])).toEqual([
      ["FLOW_WEBHOOK_NOT_DELIVERED", "Webhook 1 was not told: its server answered 302"],
    ]);
    expect(bodies).toHaveLength(1);
    const waits: number[] = [];
    for (let attempt = 0; attempt < 12; attempt++) {
      const { nextAt } = (await store.metadata.webhooks.list())[0]!;
      waits.push((nextAt!.getTime() - now) / 1_000);
      now = nextAt!.getTime() - 1;
      expect((await deliverWebhooks(caller())).failed).toEqual([]);
      now += 1;
      expect((await deliverWebhooks(caller())).failed).toHaveLength(1);
    }
    expect(waits).toEqual([30, 60, 120, 240, 480, 960, 1_920, 3_840, 7_680, 15_360, 21_600, 21_600]);
    expect(new Set(bodies).size).toBe(1);
  });

  test("that do not answer in time have not been told; a claim that is not kept runs out", {
    timeout: 30_000,
  }, async () => {
    await train(1);
    await addWebhook(store.metadata, { url }, BY);
    answer = () => {};
    await (await client().runs("Train").get(1)).addTags(["p"]);
    expect(warnings).toHaveLength(1);
    const at = new Date(now + 86_400_000);
    expect(await store.metadata.webhooks.claim(at, 1_000)).toMatchObject({ webhook: 1, attempts: 1 });
    expect(await store.metadata.webhooks.claim(at, 1_000)).toBeUndefined();
    expect(await store.metadata.webhooks.claim(new Date(at.getTime() + 1_000), 1_000)).toMatchObject({ webhook: 1 });
  });

  test("are signed; a secret that is not there is no reason to tell unsigned", async () => {
    expect(signatureOf("key", "{}", new Date(1_700_000_000_999))).toBe(
      "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae",
    );
    const id = await addWebhook(store.metadata, { url, secretEnv: "HOOK" }, BY);
    const webhook = { id, url, secretEnv: "HOOK" };
    const error = await failure(testWebhook(caller(), webhook));
    expect([error.code, error.message]).toEqual([
      "FLOW_WEBHOOK_NOT_DELIVERED",
      expect.stringContaining("the variable HOOK"),
    ]);
    expect(bodies).toEqual([]);
    await testWebhook(caller({ HOOK: "x" }), webhook);
    expect(bodies).toHaveLength(1);
  });
});
