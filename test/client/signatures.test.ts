/** Signatures of runs, on a real store: what is signed, what is told of it by which keys, and each way in which it can be wrong. */
import { generateKeyPairSync, type KeyObject, verify } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { deleteRuns } from "../../packages/core/src/admin/gc/delete-runs.ts";
import type { StoreFinding } from "../../packages/core/src/admin/verify/finding.ts";
import { Client } from "../../packages/core/src/client/client.ts";
import { setTagPolicy } from "../../packages/core/src/client/tag-policies.ts";
import { type ValidateOptions, validate } from "../../packages/core/src/client/validate/validate.ts";
import type { FlowError } from "../../packages/core/src/errors/flow-error.ts";
import { newRunId } from "../../packages/core/src/ids/run-id.ts";
import type { RunRow, RunSignature } from "../../packages/core/src/metadata/metadata-store.ts";
import { publicKeyOf } from "../../packages/core/src/metadata/signing-key.ts";
import { writeEndDigest, writeStartDigest } from "../../packages/core/src/metadata/sqlite/run-digests.ts";
import { openDeletion } from "../../packages/core/src/wiring/open-deletion.ts";
import { openStores } from "../../packages/core/src/wiring/open-stores.ts";
import { verifyStore } from "../../packages/core/src/wiring/store-admin.ts";
import { exportToFile, importFromFile } from "../../packages/core/src/wiring/transfer.ts";
import { definition, WrittenStore } from "./written-store.ts";

const NOON = new Date("2026-11-17T12:00:00Z");
const BY = { actor: "ana", host: "here", at: NOON, via: "client" };
const MODEL = definition("model", "Train");

interface Pair {
  readonly secret: string;
  readonly open: string;
  readonly key: KeyObject;
}

function pair(type: "ed25519" | "rsa" = "ed25519"): Pair {
  const { privateKey, publicKey } =
    type === "rsa" ? generateKeyPairSync("rsa", { modulusLength: 2048 }) : generateKeyPairSync("ed25519");
  return {
    secret: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    open: publicKey.export({ format: "pem", type: "spki" }).toString(),
    key: privateKey,
  };
}

/** A run that has begun, in whatever store. */
const NEW_RUN = {
  flow: { project: "shop", name: "Train" },
  formerly: [],
  createdAt: NOON,
  tags: [],
  systemTags: [],
  parameters: {},
  secretParameters: [],
  values: [],
  environment: {
    millrace: "0",
    node: "v24",
    os: "linux",
    arch: "x64",
    host: "here",
    actor: "ana",
    cwd: "/",
    command: [],
  },
  upstreams: [],
  blobs: [],
  actor: "ana",
  host: "here",
  execution: { runner: { host: "here", pid: 1 }, command: [] },
};

let store: WrittenStore;
let train: RunRow;
const ana = pair();
const eve = pair();

beforeEach(async () => {
  store = await WrittenStore.create();
  train = await store.run("Train", { artifacts: { model: new Float64Array(5_000), score: 0.5 }, createdAt: NOON });
});
afterEach(async () => await store.close());

const client = () => new Client(store.stores, { actor: "ana", host: "here", project: "shop", now: () => NOON });
const handle = () => client().run("Train/1");

async function failure(work: Promise<unknown>): Promise<FlowError> {
  return await work.then(
    () => {
      throw new Error("It was not refused");
    },
    (error: unknown) => error as FlowError,
  );
}

/** What V17 says, worst first. */
async function v17(selector: string, keys: readonly Pair[] = [ana], options: ValidateOptions = {}) {
  const publicKeys = keys.map(({ key }) => publicKeyOf(key));
  const { checks } = await validate(store.stores, { selector, publicKeys, ...options });
  return checks
    .filter(({ id }) => id === "V17")
    .map(({ status, evidence, subject }) => ({ status, evidence, upstream: subject.upstream }));
}

describe("a signature", () => {
  test("says which run, by which records, and what it left; anybody can check it with the public key alone", async () => {
    const signed = await (await handle()).sign(ana.secret);
    expect(signed).toMatchObject({ verdict: "valid", actor: "ana", host: "here", at: NOON.toISOString() });
    const statement = JSON.parse(signed.statement);
    const { storeId } = await store.metadata.info();
    const { start, end } = await store.metadata.recordDigests(train.sequence);
    const left = await store.metadata.visibleArtifacts(train.endTask!);
    expect(statement).toEqual({
      schema: "millrace-run-statement 1",
      run: { id: train.id, store: storeId, name: "shop/Train/1" },
      startDigest: start,
      endDigest: end,
      artifacts: left.map(({ name, codec, digest }) => ({ name, codec, digest })),
      keyId: publicKeyOf(ana.key).keyId,
      at: NOON.toISOString(),
      actor: "ana",
      host: "here",
    });
    expect(verify(null, Buffer.from(signed.statement), ana.open, Buffer.from(signed.signature, "hex"))).toBe(true);
    expect(await (await handle()).signatures([ana.open])).toEqual([signed]);
    expect(await (await handle()).signatures([eve.open])).toMatchObject([{ verdict: "unknown-key" }]);
    expect(await v17("Train/1")).toMatchObject([{ status: "pass", evidence: expect.stringContaining(signed.keyId) }]);
  });

  test("by the same key is there once, and further keys come behind it", async () => {
    const run = await handle();
    await run.sign(ana.secret);
    await run.sign(ana.secret);
    await run.sign(eve.secret);
    const all = await run.signatures([ana.open, eve.open]);
    expect(all.map(({ verdict, keyId }) => [verdict, keyId])).toEqual([
      ["valid", publicKeyOf(ana.key).keyId],
      ["valid", publicKeyOf(eve.key).keyId],
    ]);
  });

  test("leaves nothing of the private key in the store", async () => {
    await (await handle()).sign(ana.secret);
    const inner = ana.secret.split("\n")[1]!;
    expect(store.holds(inner)).toBe(false);
    expect(store.holds("millrace-run-statement 1")).toBe(true);
  });

  test("is never changed or deleted, and goes with its run", async () => {
    await (await handle()).sign(ana.secret);
    expect(() => store.sql("UPDATE run_signature SET statement = '{}'")).toThrow("never changed");
    expect(() => store.sql("DELETE FROM run_signature")).toThrow("never deleted");
    const count = () =>
      store.behindTheBack((db) => db.prepare("SELECT count(*) FROM run_signature").pluck().get() as number);
    expect(count()).toBe(1);
    const deletion = openDeletion(store.stores);
    await deleteRuns(deletion.records, [train.sequence], { by: BY });
    await deletion.close();
    expect(count()).toBe(0);
  });

  test("is refused of runs that are not over, have no digests or do not fit them, and with what is no key", async () => {
    await store.run("Train", { status: "failed" });
    const failed = client().handle((await store.metadata.runByNumber({ name: "Train" }, 2))[0]!);
    expect((await failure(failed.sign(ana.secret))).code).toBe("FLOW_SIGN_NOT_SUCCEEDED");
    const run = await handle();
    for (const [key, why] of [
      [ana.open, "no private key"],
      ["nonsense", "no private key"],
      [pair("rsa").secret, "a key of rsa"],
      [
        ana.key.export({ format: "pem", type: "pkcs8", cipher: "aes-256-cbc", passphrase: "p" }).toString(),
        "encrypted",
      ],
    ] as const) {
      const error = await failure(run.sign(key));
      expect([error.code, error.message]).toEqual(["FLOW_SIGN_BAD_KEY", expect.stringContaining(why)]);
      expect(JSON.stringify(error)).not.toContain(key.split("\n")[1] ?? key);
    }
    const swapped = await failure(run.signatures([ana.secret]));
    expect([swapped.code, swapped.message]).toEqual(["FLOW_SIGN_BAD_KEY", expect.stringContaining("a private key")]);
    store.sql("UPDATE artifact SET codec = 'bytes' WHERE name = 'score'");
    expect((await failure(run.sign(ana.secret))).code).toBe("FLOW_METADATA_CHANGED_RECORDS");
    store.forgetDigests();
    expect((await failure(run.sign(ana.secret))).code).toBe("FLOW_SIGN_NO_DIGEST");
  });

  test("has its limit for each run", async () => {
    const run = await handle();
    await run.sign(ana.secret);
    const [signature] = (await store.metadata.signatures(train.sequence)) as [RunSignature];
    for (let more = 1; more < 100; more++) await store.metadata.addSignature(train.sequence, signature);
    expect((await failure(run.sign(eve.secret))).code).toBe("FLOW_SIGN_TOO_MANY");
  });

  test("goes along with an export, and is valid in the other store, under its own number there", async () => {
    await (await handle()).sign(ana.secret);
    const folder = mkdtempSync(join(tmpdir(), "millrace-signed-"));
    const place = { cwd: folder, environment: {} };
    const other = await openStores({ store: join(folder, "other"), ...place, create: true });
    try {
      const file = join(folder, "run.tar");
      await other.metadata.createRun({ ...NEW_RUN, id: newRunId() });
      await exportToFile(store.stores, [train], { to: file });
      await importFromFile(other, { from: file, ...BY });
      const there = (await other.metadata.runById(train.id))!;
      expect([there.number, await other.metadata.signatures(there.sequence)]).toEqual([
        2,
        await store.metadata.signatures(train.sequence),
      ]);
      const { checks } = await validate(other, {
        selector: train.id,
        publicKeys: [publicKeyOf(ana.key)],
        only: ["V17"],
      });
      expect(checks).toMatchObject([{ id: "V17", status: "pass" }]);
      const again = join(folder, "again.tar");
      await exportToFile(other, [there], { to: again });
      expect(readFileSync(again).equals(readFileSync(file))).toBe(true);
    } finally {
      await other.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

test("a signature that hangs on another run is damage of the store, and goes into no file", async () => {
  await store.run("Train", { artifacts: { model: 2 } });
  await (await handle()).sign(ana.secret);
  const verify = async (): Promise<readonly string[]> => {
    const found: string[] = [];
    const onFinding = ({ id, kind, evidence }: StoreFinding) =>
      void (kind === "note" || found.push(`${id} ${evidence}`));
    await verifyStore({ store: store.folder, cwd: tmpdir(), environment: {} }, { onFinding });
    return found;
  };
  expect(await verify()).toEqual([]);
  store.behindTheBack((db) => {
    const triggers = db.prepare("SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'run_signature'");
    const kept = triggers.pluck().all() as string[];
    db.exec("DROP TRIGGER run_signature_no_update; UPDATE run_signature SET run = run + 1");
    for (const sql of kept) if (sql.includes("no_update")) db.exec(sql);
  });
  expect(await verify()).toEqual([
    `S06 the signature of Train/2 by the key ${publicKeyOf(ana.key).keyId} is of other records`,
  ]);
  const folder = mkdtempSync(join(tmpdir(), "millrace-signed-"));
  try {
    const [second] = await store.metadata.runByNumber({ name: "Train" }, 2);
    const error = await failure(exportToFile(store.stores, [second!], { to: join(folder, "run.tar") }));
    expect([error.code, error.message]).toEqual([
      "FLOW_TRANSFER_BAD_RECORDS",
      expect.stringContaining("one of its signatures is of another run"),
    ]);
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

describe("V17", () => {
  /** Replaces the only signature, as somebody does who can write the file. */
  function forge(change: string): void {
    store.dropTriggers("run_signature");
    store.sql(change);
  }

  test("fails for a run that is not signed, or by another key alone", async () => {
    expect(await v17("Train/1")).toMatchObject([
      { status: "fail", evidence: expect.stringContaining("is not signed by") },
    ]);
    await (await handle()).sign(eve.secret);
    expect(await v17("Train/1")).toMatchObject([
      { status: "fail", evidence: expect.stringContaining(`it is signed by ${publicKeyOf(eve.key).keyId}`) },
    ]);
    expect(await v17("Train/1", [ana, eve])).toMatchObject([{ status: "pass" }]);
  });

  test("fails for a statement or a signature that was changed", async () => {
    await (await handle()).sign(ana.secret);
    forge("UPDATE run_signature SET statement = replace(statement, 'ana', 'eve')");
    expect(await v17("Train/1")).toMatchObject([
      { status: "fail", evidence: expect.stringContaining("what is kept is not what the key has signed") },
    ]);
    forge("UPDATE run_signature SET statement = replace(statement, 'eve', 'ana'), signature = zeroblob(64)");
    expect(await v17("Train/1")).toMatchObject([{ status: "fail" }]);
  });

  test("fails for the signature of another run", async () => {
    await store.run("Train", { artifacts: { model: 2 } });
    await (await handle()).sign(ana.secret);
    forge("UPDATE run_signature SET run = (SELECT sequence FROM run WHERE number = 2)");
    expect(await v17("Train/2")).toMatchObject([
      { status: "fail", evidence: expect.stringContaining("of other records: run") },
    ]);
    // Nobody needs a key to see that.
    expect(await v17("Train/2", [])).toMatchObject([{ status: "fail" }]);
  });

  test("fails where records were changed and all digests computed anew, which no digest finds", async () => {
    await (await handle()).sign(ana.secret);
    const other = await store.run("Train", { artifacts: { model: 1, score: 0.9 } });
    store.dropTriggers("run_signature");
    store.behindTheBack((db) => {
      // The better run takes the place of the one that was signed, in all that a digest covers.
      db.exec(`UPDATE run SET id = '${newRunId()}', number = 3 WHERE sequence = ${train.sequence};
        UPDATE run SET id = '${train.id}', number = 1 WHERE sequence = ${other.sequence};
        UPDATE run_signature SET run = ${other.sequence}`);
      writeStartDigest(db, other.sequence);
      writeEndDigest(db, other.sequence, 1);
    });
    expect(await store.metadata.recordFaults(other.sequence)).toEqual([]);
    const { checks } = await validate(store.stores, { selector: "Train/1" });
    expect(checks.filter(({ status, id }) => status === "fail" && id !== "V17")).toEqual([]);
    expect(await v17("Train/1")).toMatchObject([
      { status: "fail", evidence: expect.stringContaining("endDigest, artifacts of the statement differ") },
    ]);
  });

  test("fails where a row was changed and its digest left as it was", async () => {
    await (await handle()).sign(ana.secret);
    store.sql("UPDATE run SET system_tags = '[\"x\"]'");
    expect(await v17("Train/1")).toMatchObject([
      { status: "fail", evidence: expect.stringContaining("the records were changed since") },
    ]);
  });
});

describe("a policy that asks for a signature", () => {
  const set = (pattern: string, keys: readonly Pair[], more: object = {}) =>
    setTagPolicy(store.metadata, { policy: { pattern, signedBy: keys.map(({ open }) => open), ...more }, ...BY });

  test("refuses every way to give the tag to a run without it, and lets a signed one pass, by key", async () => {
    await set("prod:*", [ana]);
    const run = await handle();
    for (const move of [
      () => run.promote("prod:v1"),
      () => run.addTags(["prod:v1"]),
      () => run.promote("prod:v1", { check: true }),
    ]) {
      const error = await failure(move());
      expect([error.code, error.message]).toEqual([
        "FLOW_TAG_CHECK_FAILED",
        expect.stringContaining("is not signed by"),
      ]);
    }
    await run.sign(eve.secret);
    expect((await failure(run.promote("prod:v1"))).code).toBe("FLOW_TAG_CHECK_FAILED");
    await run.sign(ana.secret);
    expect((await run.promote("prod:v1", { reason: "signed" })).tags).toEqual(["prod:v1"]);
    const [event] = await store.metadata.tagEvents({ run: train.id });
    expect(event?.checks).toEqual([{ id: "V17", status: "pass", evidence: `signed by ${publicKeyOf(ana.key).keyId}` }]);
  });

  test("asks for one signature of each policy that matches", async () => {
    await set("prod:*", [ana]);
    await set("*:v1", [eve]);
    const run = await handle();
    await run.sign(ana.secret);
    expect((await failure(run.promote("prod:v1"))).message).toContain('the policy "*:v1"');
    await run.sign(eve.secret);
    expect((await run.promote("prod:v1")).tags).toEqual(["prod:v1"]);
  });

  test("is asked inside the move, whatever the check was made for", async () => {
    await set("prod:*", [ana]);
    const move = {
      run: train.sequence,
      add: ["prod:v1"],
      remove: [],
      ...BY,
      checks: [{ id: "V17", status: "pass" as const, evidence: `signed by ${publicKeyOf(eve.key).keyId}` }],
    };
    expect((await failure(store.metadata.moveTags(move))).message).toContain("nobody has looked for one of its keys");
  });

  test("is what flow validate asks of runs that hold the tag, and of producers that were found by it", async () => {
    const run = await handle();
    await run.promote("prod:v1");
    const { upstreams } = await store.resolve([MODEL], { model: { tags: ["prod:v1"] } });
    await store.run("Predict", { upstreams, reads: { model: ["score"] } });
    expect(await v17("Predict/1", [])).toEqual([]);
    await set("prod:*", [ana]);
    expect(await v17("Train@prod:v1", [])).toMatchObject([{ status: "fail" }]);
    expect(await v17("Predict/1", [])).toMatchObject([{ status: "fail", upstream: "model" }]);
    await run.sign(ana.secret);
    expect(await v17("Train@prod:v1", [])).toMatchObject([{ status: "pass" }]);
    expect(await v17("Predict/1", [])).toMatchObject([{ status: "pass", upstream: "model" }]);
  });

  test("keeps public keys in one form, and refuses private ones and too many", async () => {
    expect(
      (await failure(setTagPolicy(store.metadata, { policy: { pattern: "a", signedBy: [ana.secret] }, ...BY }))).code,
    ).toBe("FLOW_SIGN_BAD_KEY");
    const many = Array.from({ length: 51 }, () => pair());
    expect((await failure(set("a", many))).code).toBe("FLOW_TAG_BAD_POLICY");
    await set("a", [ana]);
    const [policy] = await store.metadata.tagPolicies();
    await setTagPolicy(store.metadata, { policy: policy!, ...BY });
    expect(await store.metadata.tagPolicies()).toEqual([policy]);
    expect(policy?.signedBy).toEqual([expect.stringMatching(/^[\w+/]{58,60}=*$/)]);
  });
});
