/** An exclusive tag under fire: many at once, runs killed about their end, a command killed between its move and its webhook. */
import { once } from "node:events";
import http from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyTagLog } from "../../packages/core/src/metadata/tag-chain.ts";
import { seeded } from "../kit/seed.ts";
import { inStore } from "./kit/look.ts";
import { errorOf, Victim } from "./kit/victim.ts";
import { times } from "./twenty.ts";

const victim = new Victim();
const { random } = seeded("tag-policies");
const POLICY = ["tag", "policy", "set", "prod:*", "--exclusive", "--succeeded-only"];
beforeAll(() => victim.prepare(), 120_000);
afterAll(() => victim[Symbol.asyncDispose]());

async function done(store: string, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await victim.ended(victim.start(store, words));
  expect([code, stderr], `${words.join(" ")}: ${stdout}`).toEqual([0, ""]);
  return stdout;
}

/** The one run that holds the tag now: never two, and always one that succeeded; the log says the same. */
async function holderOf(store: string): Promise<string> {
  return await inStore(store, async ({ metadata }) => {
    const log = (await metadata.tagEvents({})).toReversed();
    expect(verifyTagLog(log)).toMatchObject({ kind: "whole", events: log.length });
    let held: string | undefined;
    for (const { verb, tag, run, from } of log) {
      if (tag !== "prod:v1") continue;
      if (verb === "remove") expect(run).toBe(held);
      else expect([held, from ?? held]).toEqual([undefined, from]);
      held = verb === "add" ? run : undefined;
    }
    const holders = await metadata.runs({ tags: ["prod:v1"] });
    expect(holders.map(({ id, status }) => [id, status])).toEqual([[held, "succeeded"]]);
    return `Small/${holders[0]!.number}`;
  });
}

describe("an exclusive tag", () => {
  test(`that ${times(5, 50)} commands move at one instant, some killed, is held by one run`, {
    timeout: 1_800_000,
  }, async () => {
    const store = victim.newStore();
    for (let run = 0; run < 3; run++) await done(store, "run", "small.ts");
    await done(store, ...POLICY);
    await done(store, "tag", "add", "Small/1", "prod:v1");
    let [killed, refused] = [0, 0];
    for (let round = 0; round < times(2, 5); round++) {
      const before = await holderOf(store);
      const moves = Array.from({ length: times(5, 50) }, (_, index) => {
        const run = `Small/${1 + Math.floor(random() * 3)}`;
        // Every fifth one expects that nobody else is there: at most one of these may find it so.
        const expecting = index % 5 === 4;
        const words = expecting
          ? ["promote", run, "--to", "prod:v1", "--expect", before]
          : ["tag", "add", run, "prod:v1"];
        return { expecting, flow: victim.start(store, words), isKilled: index % 3 === 1 };
      });
      await Promise.all(
        moves.map(async ({ flow, isKilled }) => {
          if (!isKilled) return;
          await flow.after(random() * 2_000);
          flow.killGroup();
        }),
      );
      for (const { flow, expecting } of moves) {
        const { code, stdout, stderr, signal } = await victim.ended(flow);
        if (signal === "SIGKILL") killed++;
        else if (code === 1 && expecting) {
          expect(errorOf(stdout)).toMatchObject({ code: "FLOW_TAG_NOT_EXPECTED" });
          refused++;
        } else expect([code, stderr], stdout).toEqual([0, ""]);
      }
      await holderOf(store);
    }
    console.log(`exclusive: ${killed} commands killed, ${refused} refused because somebody else had moved the tag`);
  });

  test(`that a run asks for stays where it is, unless the run succeeds, ${times(4, 60)} kills`, {
    timeout: 3_600_000,
  }, async () => {
    const store = victim.newStore();
    await done(store, "run", "small.ts");
    await done(store, ...POLICY);
    await done(store, "tag", "add", "Small/1", "prod:v1");
    let [taken, left] = [0, 0];
    for (let kill = 0; kill < times(4, 60); kill++) {
      const before = await holderOf(store);
      const run = victim.start(store, ["run", "small.ts", "--tag", "prod:v1"]);
      // Half of them about the transaction that makes the run succeeded, the others wherever they are.
      if (kill % 2 === 0) await run.heard((text) => /"kind":"task\.finished"[^\n]*"step":"gather"/.test(text));
      await run.after(random() * (kill % 2 === 0 ? 150 : 3_000));
      run.killGroup();
      const { stdout } = await victim.ended(run);
      const name = /"run":"(Small\/\d+)"/.exec(stdout)?.[1];
      const now = await holderOf(store);
      const newest = await inStore(store, async ({ metadata }) => (await metadata.runs({ limit: 1 }))[0]!);
      const isNew = name !== undefined && `Small/${newest.number}` === name;
      if (kill % 2 === 0) expect(isNew, stdout).toBe(true); // It has run up to its last step but one.
      if (isNew && newest.status === "succeeded") {
        expect(now).toBe(name);
        taken++;
        continue;
      }
      expect(now).toBe(before);
      left++;
      if (!isNew || kill % 4 !== 0) continue;
      expect(newest.status).toBe("lost");
      await done(store, "resume", name); // The request is still there.
      expect(await holderOf(store)).toBe(name);
    }
    console.log(`requests: ${taken} taken, ${left} left`);
  });
});

describe("a webhook whose command is killed between the move and its answer", () => {
  test("is told by a later command, with the same key", { timeout: 300_000 }, async () => {
    const keys: string[] = [];
    let isAnswering = false;
    const calls = Promise.withResolvers<void>();
    const server = http.createServer((request, response) => {
      keys.push(String(request.headers["idempotency-key"]));
      calls.resolve();
      if (isAnswering) response.writeHead(200).end();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const store = victim.newStore();
      for (let run = 0; run < 2; run++) await done(store, "run", "small.ts");
      const { port } = server.address() as { readonly port: number };
      await done(store, "webhook", "add", `http://127.0.0.1:${port}/`, "--tag", "prod:*");
      const move = victim.start(store, ["promote", "Small/1", "--to", "prod:v1"]);
      await calls.promise;
      move.killGroup();
      await move.ended;
      expect(await holderOf(store)).toBe("Small/1"); // It was committed before anybody was told.
      isAnswering = true;
      const report = JSON.parse(await done(store, "webhook", "deliver"));
      expect(report).toEqual({ delivered: 1, failed: [] });
      expect(keys).toHaveLength(2);
      expect(new Set(keys).size).toBe(1);
      expect(JSON.parse(await done(store, "webhook", "list"))).toMatchObject({ waiting: 0 });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
