/** Tags that can be trusted, by the real command: policies, moves, what held a tag when, and who is told. */
import { createHmac } from "node:crypto";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Project } from "../kit/project.ts";

const TRAIN = `
import { Flow, param, step, z } from "@millrace/core";
export default class Train extends Flow {
  readonly fail = param(z.boolean().default(false));
  model!: Uint8Array;
  @step({ next: "end" })
  start() { this.model = new Uint8Array(40_000).fill(Number(Date.now() % 251)); }
  @step()
  end() { if (this.fail) throw new Error("no luck"); }
}`;
const PARENT = `
import { Flow, run, step } from "@millrace/core";
export default class Parent extends Flow {
  child!: string;
  @step({ next: "end" })
  async start() { this.child = (await run("./train.ts", { tags: ["sub:v1"], tagReason: "nightly" })).name; }
  @step()
  end() {}
}`;

const shop = new Project({ "train.ts": TRAIN, "parent.ts": PARENT });
const BY = { MILLRACE_USER: "ana" };

async function flow(...words: string[]) {
  const { code, stdout, stderr } = await shop.flow(words, { env: BY });
  return { code, stdout, stderr };
}
async function done(...words: string[]) {
  const result = await flow(...words);
  expect(result.code, `${words.join(" ")}: ${result.stdout}${result.stderr}`).toBe(0);
  return result;
}
async function trained(): Promise<void> {
  expect((await shop.here(["run", "train.ts", "--quiet"], { env: BY })).code).toBe(0);
}
async function json(...words: string[]): Promise<any> {
  const { stdout } = await done(...words, "--json");
  return JSON.parse(stdout);
}
async function holders(tag: string): Promise<readonly string[]> {
  return (await shop.here(["runs", "Train", "--tag", tag, "--json"])).lines.map(({ run }) => run);
}

beforeAll(async () => {
  for (let run = 0; run < 4; run++) await trained();
}, 120_000);
afterAll(() => shop[Symbol.asyncDispose]());

describe("one production run", () => {
  test("an exclusive policy over a tag on two runs names them; the newest keeps it; a third run takes it", async () => {
    for (const run of ["Train/1", "Train/2"]) await done("tag", "add", run, "prod:v1");
    const refused = await flow("tag", "policy", "set", "prod:*", "--exclusive", "--succeeded-only");
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringContaining('"prod:v1" is held by Train/1, Train/2, and one run of a flow alone may hold it'),
    ]);
    expect(refused.stderr).toContain("flow tag remove Train/1 prod:v1");
    const set = await done("tag", "policy", "set", "prod:*", "--exclusive", "--succeeded-only", "--keep", "newest");
    expect(set.stdout).toContain("taken prod:v1 from Train/1");
    expect(await holders("prod:v1")).toEqual(["Train/2"]);
    expect((await done("tag", "policy", "list")).stdout).toMatch(/prod:\*\s+exclusive, succeeded only/);
    const added = await done("tag", "add", "Train/3", "prod:v1", "--reason", "better");
    expect(added.stdout).toContain("Train/3 tagged prod:v1");
    expect(await holders("prod:v1")).toEqual(["Train/3"]);
  });

  test("a failing run never takes the tag; the run that goes on gets it when it succeeds", async () => {
    const failed = await flow("run", "train.ts", "--fail", "--tag", "prod:v1", "--tag", "free");
    expect(failed.code).toBe(1);
    expect(failed.stdout).toContain("prod:v1 is not given: the run failed");
    expect(await holders("prod:v1")).toEqual(["Train/3"]);
    expect(await holders("free")).toEqual(["Train/5"]);
    const shown = await done("show", "Train/5");
    expect(shown.stdout).toContain("prod:v1 is not given: the run failed");
    const resumed = await done("resume", "Train/5", "--no-fail");
    expect(resumed.stdout).toContain("[free, prod:v1]\n  prod:v1 Train/3 → Train/6\n");
    expect(await holders("prod:v1")).toEqual(["Train/6"]);
    const record = await json("show", "Train/6");
    expect(record.tagRequests).toMatchObject([{ tag: "prod:v1", status: "moved", actor: "ana", from: "Train/3" }]);
  });

  test("promoting needs no rerun, takes the tag, and makes no run newer", async () => {
    await done("tag", "add", "Train/1", "test:v1");
    const before = await json("show", "Train/1");
    const promoted = await json("promote", "Train", "--from", "test:v1", "--to", "prod:v1", "--reason", "it is best");
    expect(promoted).toMatchObject({ run: "Train/1", from: ["Train/6"], tags: ["prod:v1", "test:v1"] });
    expect(promoted.moves.map((move: any) => [move.verb, move.action, move.reason])).toEqual([
      ["remove", "promote", "it is best"],
      ["add", "promote", "it is best"],
    ]);
    expect(promoted.moves[1].from).toBe(promoted.moves[0].run);
    const after = await json("show", "Train/1");
    expect(after.createdAt).toBe(before.createdAt);
    expect((await json("show", "Train")).run).toBe("Train/6");
    const wrong = await flow("promote", "Train/2", "--from", "test:v1", "--to", "prod:v1");
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining("it does not hold this tag")]);
    expect((await flow("promote", "Train/2")).code).toBe(2);
  });

  test("rolling back twice leads two runs back; a promotion after it forgets what was rolled back", async () => {
    // The history so far: 2 (kept), 3, 6, 1.
    expect((await json("rollback", "Train@prod:v1", "--reason", "errors")).run).toBe("Train/6");
    expect((await json("rollback", "Train@prod:v1")).run).toBe("Train/3");
    expect(await holders("prod:v1")).toEqual(["Train/3"]);
    await done("promote", "Train/4", "--to", "prod:v1");
    expect((await json("rollback", "Train@prod:v1")).run).toBe("Train/3");
    expect((await json("rollback", "Train@prod:v1", "--to", "6")).run).toBe("Train/6");
    await trained();
    const never = await flow("rollback", "Train@prod:v1", "--to", "Train/7");
    expect([never.code, never.stderr]).toEqual([1, expect.stringContaining("it never held it")]);
    await done("tag", "remove", "Train/6", "prod:v1");
    expect((await json("rollback", "Train@prod:v1")).run).toBe("Train/6");
  });

  test("a previous run that was deleted is named, and nothing moves", async () => {
    await done("promote", "Train/7", "--to", "canary");
    await done("promote", "Train/4", "--to", "canary");
    await trained();
    await done("promote", "Train/8", "--to", "canary");
    await done("runs", "delete", "Train/4", "--reason", "customer");
    const refused = await flow("rollback", "Train@canary");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/Train\/4 was deleted on .* by ana on .*customer\), and held it before/);
    expect(refused.stderr).toContain("flow rollback Train@canary --to Train/7");
    expect(await holders("canary")).toEqual(["Train/8"]);
    await done("rollback", "Train@canary", "--to", "Train/7");
    expect(await holders("canary")).toEqual(["Train/7"]);
  });

  test("a policy that comes late names who holds its tags against it, and leaves them the tags", async () => {
    await done("tag", "add", "Train/5", "late:v1");
    await done("tag", "add", "Train/2", "late:v1");
    const set = await done("tag", "policy", "set", "late:*", "--succeeded-only");
    expect(set.stderr).toBe(
      '! Train/5 holds late:v1 and keeps it, and would not be given it: only a run that succeeded may hold "late:v1", by the policy "late:*": Train/5 is failed\n',
    );
    expect(await json("tag", "policy", "set", "late:*", "--succeeded-only")).toMatchObject({
      events: [],
      against: [{ run: "Train/5", tag: "late:v1", why: [expect.any(String)] }],
    });
    expect(await holders("late:v1")).toEqual(["Train/5", "Train/2"]);
  });

  test("compare and set: --expect refuses when somebody else has moved the tag", async () => {
    const refused = await flow("promote", "Train/2", "--to", "canary", "--expect", "Train/8");
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("Train/7 holds it")]);
    await done("promote", "Train/2", "--to", "canary", "--expect", "Train/7");
    const replaced = await json("tag", "replace", "Train/2", "canary", "stable", "--expect", "none");
    expect(replaced.tags).toContain("stable");
    expect(replaced.tags).not.toContain("canary");
    expect((await flow("tag", "replace", "Train/2", "canary", "x")).stderr).toContain("it does not hold this tag");
  });
});

describe("who moved what, and what was production then", () => {
  test("the log names runs, what they were taken from, who and why", async () => {
    const { stdout } = await done("tag", "log", "prod:v1");
    expect(stdout).toMatch(/promoted\s+prod:v1\s+Train\/6 → Train\/1\s+ana\s+it is best/);
    expect(stdout).toMatch(/rolled back\s+prod:v1\s+Train\/1 → Train\/6\s+ana\s+errors/);
    const all = await done("tag", "log", "-n", "500");
    expect(all.stdout).toMatch(/policy set\s+prod:\*/);
  });

  test("at a time: the run that held it then, also one that was deleted since", async () => {
    const lines = (await done("tag", "log", "canary", "--json", "-n", "500")).stdout.trim().split("\n");
    const events = lines.map((line) => JSON.parse(line)).toReversed();
    const given = events.find(({ run, verb }) => run === "Train/4" && verb === "add");
    const at = await done("tag", "log", "canary", "--at", given.at, "--json");
    expect(JSON.parse(at.stdout)).toMatchObject({ run: "Train/4", givenBy: "ana", deletedAt: expect.any(String) });
    const today = new Date(given.at);
    const day = [today.getFullYear(), today.getMonth() + 1, today.getDate()]
      .map((part) => String(part).padStart(2, "0"))
      .join("-");
    const whole = await done("tag", "log", "canary", "--at", day, "--flow", "Train");
    for (const run of ["Train/7", "Train/4 (deleted)", "Train/8"]) expect(whole.stdout).toContain(run);
    const before = await done("tag", "log", "canary", "--at", "2001-01-01");
    expect([before.stdout, before.stderr]).toEqual(["", expect.stringContaining("Nothing held")]);
    for (const bad of ["tuesday", "2026-02-31", "2026-13-01"])
      expect((await flow("tag", "log", "--at", bad, "--json")).stdout, bad).toContain('"FLOW_TAG_BAD_TIME"');
  });
});

describe("a guarded tag", () => {
  test("asks who, why and what was checked; the checks are kept with the move", async () => {
    const set = [
      "tag",
      "policy",
      "set",
      "safe:*",
      "--exclusive",
      "--protected",
      "--reason-required",
      "--allow",
      "ana,ben",
    ];
    const unknown = await flow(...set, "--require-check", "V03,V99");
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining("there is no check V99")]);
    await done(...set, "--require-check", "V03", "--max-age", "7d");
    const eve = await shop.flow(["promote", "Train/1", "--to", "safe:v1"], { env: { MILLRACE_USER: "eve" } });
    expect(eve.stderr).toContain("eve may not move");
    expect(eve.stderr).toContain("moves only with a reason");
    const promoted = await json("promote", "Train/1", "--to", "safe:v1", "--reason", "checked");
    expect(promoted.moves.at(-1).checks).toEqual([{ id: "V03", status: "pass" }]);
    const start = await flow("run", "train.ts", "--tag", "safe:v1");
    expect([start.code, start.stderr]).toEqual([1, expect.stringContaining("Say why with --reason")]);
    const run = await done("run", "train.ts", "--tag", "safe:v1", "--tag-reason", "nightly", "--quiet");
    expect(run.stdout).toContain("[safe:v1]");
    const [newest] = (await done("tag", "log", "safe:v1", "--json")).stdout.split("\n");
    expect(JSON.parse(newest!)).toMatchObject({
      action: "request",
      reason: "nightly",
      from: "Train/1",
      checks: [{ id: "V03", status: "pass" }],
    });
  });

  test("is not given to a run whose values are damaged, and what holds it is not deleted", async () => {
    const { run: name, artifacts } = await json("show", "Train/2");
    expect(name).toBe("Train/2");
    const { digest } = artifacts.find((artifact: any) => artifact.name === "model");
    const file = fs
      .readdirSync(path.join(shop.store, "blobs"), { recursive: true, encoding: "utf8" })
      .find((each) => path.basename(each).startsWith(digest))!;
    const full = path.join(shop.store, "blobs", file);
    const bytes = fs.readFileSync(full);
    fs.chmodSync(full, 0o600);
    fs.writeFileSync(full, Buffer.from(bytes.map((byte, index) => (index === 9 ? byte ^ 1 : byte))));
    const refused = await flow("promote", "Train/2", "--to", "safe:v1", "--reason", "try");
    fs.writeFileSync(full, bytes);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("check V03");
    const holder = (await holders("safe:v1"))[0]!;
    const kept = await flow("runs", "delete", holder);
    expect(kept.stderr).toContain(`${holder} holds the tag "safe:v1", which the policy "safe:*" protects`);
    await done("store", "gc", "--tag", "safe:*", "--older-than", "1ms");
    expect(await holders("safe:v1")).toEqual([holder]);
  });

  test("of a run inside a step is asked for likewise", async () => {
    await done("tag", "policy", "set", "sub:*", "--exclusive", "--reason-required");
    await done("run", "parent.ts", "--quiet");
    const [event] = (await done("tag", "log", "sub:v1", "--json")).stdout.split("\n");
    expect(JSON.parse(event!)).toMatchObject({ action: "request", reason: "nightly", verb: "add" });
  });
});

describe("webhooks", () => {
  interface Told {
    readonly body: string;
    readonly headers: http.IncomingHttpHeaders;
  }
  const told: Told[] = [];
  let answer = 200;
  const server = http.createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      told.push({ body, headers: request.headers });
      response.writeHead(answer).end();
    });
  });
  let url: string;
  const env = { ...BY, HOOK_SECRET: "s3cret" };
  const call = async (...words: string[]) => await shop.flow(words, { env });

  beforeAll(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as { readonly port: number }).port}/hook`;
  });
  afterAll(() => void server.close());

  test("are told of a move once, signed, and not of other tags", async () => {
    for (const bad of ["ftp://x", "nowhere", "https://ana:secret@example.com"])
      expect((await call("webhook", "add", bad)).code, bad).toBe(2);
    expect((await call("webhook", "add", url, "--tag", "prod:*", "--secret-env", "HOOK_SECRET")).code).toBe(0);
    expect((await call("webhook", "test", "1")).code).toBe(0);
    expect(told.splice(0)).toMatchObject([{ headers: { "millrace-event": "test" } }]);
    expect((await call("promote", "Train/3", "--to", "prod:v1", "--reason", "again")).code).toBe(0);
    expect((await call("tag", "add", "Train/3", "other")).code).toBe(0);
    const [only, ...more] = told.splice(0);
    expect(more).toEqual([]);
    const { body, headers } = only!;
    expect(JSON.parse(body)).toMatchObject({
      kind: "tag.moved",
      verb: "add",
      tag: "prod:v1",
      run: "shop/Train/3",
      from: "shop/Train/6",
      actor: "ana",
      reason: "again",
      id: headers["idempotency-key"],
    });
    const [, seconds, signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers["millrace-signature"]))!;
    expect(createHmac("sha256", "s3cret").update(`${seconds}.${body}`).digest("hex")).toBe(signature);
    expect(fs.readFileSync(path.join(shop.store, "millrace.db")).includes("s3cret")).toBe(false);
  });

  test("that do not answer fail no command, and are told later", async () => {
    answer = 500;
    const moved = await call("promote", "Train/1", "--to", "prod:v1");
    expect([moved.code, moved.stderr]).toEqual([
      0,
      expect.stringContaining("Webhook 1 was not told: its server answered 500"),
    ]);
    const first = told.splice(0);
    expect(first).toHaveLength(1);
    expect((await call("webhook", "deliver")).code).toBe(1);
    expect(told.splice(0)).toHaveLength(1);
    answer = 200;
    const delivered = await call("webhook", "deliver", "--json");
    expect(JSON.parse(delivered.stdout)).toEqual({ delivered: 1, failed: [] });
    expect(told.splice(0)[0]!.headers["idempotency-key"]).toBe(first[0]!.headers["idempotency-key"]);
    const [line] = (await call("webhook", "list", "--json")).stdout.split("\n");
    expect(JSON.parse(line!)).toMatchObject({ id: 1, waiting: 0, secretEnv: "HOOK_SECRET" });
  });

  test("hear of a tag that a run takes when it succeeds; without the secret they wait", async () => {
    const run = await done("run", "train.ts", "--tag", "prod:v1", "--quiet");
    expect(run.stderr).toContain("the variable HOOK_SECRET, which holds its secret, is not set");
    expect(told.splice(0)).toEqual([]);
    expect((await call("webhook", "deliver")).code).toBe(0);
    expect(JSON.parse(told.splice(0)[0]!.body)).toMatchObject({ action: "request", tag: "prod:v1" });
    const unknown = await call("webhook", "remove", "7", "--json");
    expect([unknown.code, unknown.stdout]).toEqual([1, expect.stringMatching(/FLOW_WEBHOOK_UNKNOWN.*There are 1/)]);
    expect((await call("webhook", "remove", "1")).code).toBe(0);
  });
});

test("names that would read like a run or belong to Millrace are refused, and the store is whole after all of this", async () => {
  for (const tag of ["latest", "17", "v2", "runtime:x", "user:ana"]) {
    const refused = await flow("tag", "add", "Train/1", tag);
    expect([refused.code, refused.stderr], tag).toEqual([2, expect.stringContaining("cannot be a tag")]);
  }
  await done("store", "verify");
  await done("tag", "policy", "remove", "safe:*");
  const gone = await flow("tag", "policy", "remove", "safe:*");
  expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining("there is none of this pattern")]);
});
