/** Every stored value, hurt in every way: verify finds each and names it; whoever reads gets an error and never other bytes. */
import fs from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStores } from "../../packages/core/src/wiring/open-stores.ts";
import { sample, seeded } from "../kit/seed.ts";
import { type Blob, damageOf, HARMS, StoreToHurt } from "./damage-kit.ts";
import { times } from "./twenty.ts";

const { random } = seeded("damaged-values");
const store = new StoreToHurt();
beforeAll(() => store.write(), 120_000);
afterAll(() => store[Symbol.asyncDispose]());

function bytesOf(blob: Blob): Buffer {
  if (blob.file !== undefined) return fs.readFileSync(store.file(blob.file));
  const row = store.sql((db) =>
    db.prepare("SELECT stored FROM blob WHERE digest = ?").pluck().get(Buffer.from(blob.digest, "hex")),
  );
  return row as Buffer;
}

function write(blob: Blob, bytes: Buffer): void {
  if (blob.file !== undefined) fs.writeFileSync(store.file(blob.file), bytes);
  else
    store.sql((db) =>
      db.prepare("UPDATE blob SET stored = ? WHERE digest = ?").run(bytes, Buffer.from(blob.digest, "hex")),
    );
}

/** The error of reading a value the way that clients do. */
async function readError(digest: string): Promise<string | undefined> {
  const stores = await openStores({ store: store.folder, cwd: store.folder, environment: {}, create: false });
  try {
    const ref = { digest: digest as never, codec: "bytes", sizeBytes: 0 };
    const bytes = await stores.artifacts.payload(ref, await stores.metadata.blob(ref.digest)).catch((error) => error);
    return bytes instanceof Error ? (bytes as Error & { code: string }).code : undefined;
  } finally {
    await stores.close();
  }
}

function isNamedByRecords(digest: string): boolean {
  const names = ["artifact", "run_value", "item_page", "code_package_blob"].map(
    (table) => `SELECT 1 FROM ${table} WHERE lower(hex(digest)) = :digest`,
  );
  return store.sql((db) => db.prepare(names.join(" UNION ALL ")).get({ digest })) !== undefined;
}

test("the store is whole before it is hurt, and holds values of every kind", async () => {
  const { ok, findings, hashed, values } = await store.verify();
  expect([ok, findings]).toEqual([true, []]);
  const blobs = store.blobs();
  expect([values, hashed.blobs]).toEqual([blobs.length, blobs.length]);
  const kinds = new Set(
    blobs.map(({ file, isInline }) => (isInline ? "inline" : file!.endsWith(".zst") ? "zstd" : "plain")),
  );
  expect([...kinds].sort()).toEqual(["inline", "plain", "zstd"]);
});

test("every harm to every value is found, told with its digest, and refused to readers", {
  timeout: 3_600_000,
}, async () => {
  const blobs = store.blobs();
  const all = blobs.flatMap((blob) => Object.keys(HARMS).map((harm) => ({ blob, harm })));
  const wrong: string[] = [];
  let tried = 0;
  for (const { blob, harm } of sample(all, times(Math.ceil(all.length / 10), all.length), random)) {
    const whole = bytesOf(blob);
    const other = bytesOf(blobs[(blobs.indexOf(blob) + 1) % blobs.length]!);
    const hurt = HARMS[harm]!(whole, random, other);
    if (hurt.equals(whole)) continue;
    tried++;
    write(blob, hurt);
    const { ok, findings } = await store.verify();
    // The value of a transient artifact was given up: nobody can miss it, so that it is broken is a note.
    const isNamed = isNamedByRecords(blob.digest);
    const told = isNamed ? damageOf(findings) : findings;
    const place = `${harm} ${blob.digest} (${blob.file ?? "inline"})`;
    if (ok === isNamed || told.length !== 1 || told[0]!.subject.digest !== blob.digest)
      wrong.push(`${place}: ${JSON.stringify(told)}`);
    else if (isNamed && told[0]!.subject.run === undefined) wrong.push(`${place}: no run is named`);
    const code = await readError(blob.digest);
    if (code !== "FLOW_ARTIFACT_DAMAGED") wrong.push(`${place}: reading gave ${code}`);
    write(blob, whole);
  }
  expect(wrong).toEqual([]);
  expect(tried).toBeGreaterThan(20);
  expect((await store.verify()).ok).toBe(true);
});

test("every file that is gone, or of another size, is found without reading any", async () => {
  const files = store.blobs().filter(({ file }) => file !== undefined);
  expect(files.length).toBeGreaterThan(5);
  for (const blob of files) {
    const whole = bytesOf(blob);
    fs.rmSync(store.file(blob.file!));
    const gone = await store.verify({});
    expect(damageOf(gone.findings)).toMatchObject([{ id: "S03", subject: { digest: blob.digest }, remedy: "rerun" }]);
    write(blob, whole.subarray(1));
    const short = await store.verify({});
    expect(damageOf(short.findings)).toMatchObject([
      { id: "S04", subject: { digest: blob.digest, file: blob.file }, remedy: "repair" },
    ]);
    expect(short.hashed.blobs).toBe(0);
    write(blob, whole);
  }
});

test("parts of the data are all of it together, and a broken value is in one of them", async () => {
  const blob = store.blobs().find(({ file }) => file?.endsWith(".zst") === false)!;
  const whole = bytesOf(blob);
  write(blob, HARMS.flipped!(whole, random, whole));
  let found = 0;
  let hashed = 0;
  for (let part = 1; part <= 4; part++) {
    const report = await store.verify({ readData: [part, 4] });
    found += damageOf(report.findings).length;
    hashed += report.hashed.blobs;
  }
  write(blob, whole);
  expect([found, hashed]).toEqual([1, store.blobs().length]);
});

test("what lies in the place of a value and is no file is damage, and none of it is followed", async () => {
  const blob = store.blobs().find(({ file }) => file !== undefined)!;
  fs.renameSync(store.file(blob.file!), store.file("tmp/elsewhere"));
  fs.symlinkSync(store.file("tmp/elsewhere"), store.file(blob.file!));
  const { findings } = await store.verify({});
  expect(damageOf(findings)).toMatchObject([{ id: "S04", subject: { digest: blob.digest } }]);
  store.heal();
});

test("what is left over is a note, and the store is whole", async () => {
  const put = (file: string) => fs.writeFileSync(store.file(file), "", { mode: 0o600 });
  put("tmp/TMP-999999999-abc");
  put("notes.txt");
  fs.mkdirSync(store.file("blobs/sha256/00"), { recursive: true, mode: 0o700 });
  put(`blobs/sha256/00/${"0".repeat(64)}`);
  put("blobs/sha256/00/stray");
  fs.rmSync(store.file(".gitignore"));
  if (process.platform !== "win32") fs.chmodSync(store.file("millrace.db"), 0o644);
  const { ok, findings } = await store.verify();
  expect(ok).toBe(true);
  expect(findings.map(({ id, kind, subject }) => `${id} ${kind} ${subject.file}`).sort()).toEqual(
    [
      "S10 note .gitignore",
      "S10 note blobs/sha256/00/stray",
      `S10 note blobs/sha256/00/${"0".repeat(64)}`,
      ...(process.platform === "win32" ? [] : ["S10 note millrace.db"]),
      "S10 note notes.txt",
      "S10 note tmp/TMP-999999999-abc",
    ].sort(),
  );
  store.heal();
});
