/** Repair: broken values are put aside and come back with a run; nothing is deleted; a kill at any instant harms nothing. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { seeded } from "../kit/seed.ts";
import { SpawnedFlow } from "../kit/spawned-flow.ts";
import { damageOf, StoreToHurt } from "./damage-kit.ts";
import { times } from "./twenty.ts";

const { random } = seeded("repaired-store");
const store = new StoreToHurt();
beforeAll(() => store.write(), 120_000);
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(() => store.heal());

const flow = (...words: string[]) =>
  store.project.flow([...words, "--store", store.folder], { env: { MILLRACE_STORE: store.folder } });

function digestOf(artifact: string, step: string): string {
  const sql = `SELECT lower(hex(digest)) FROM artifact JOIN task ON task.sequence = artifact.task WHERE name = ? AND step = ? ORDER BY task LIMIT 1`;
  return store.sql((db) => db.prepare(sql).pluck().get(artifact, step)) as string;
}

const fileOf = (digest: string): string => store.blobs().find((blob) => blob.digest === digest)!.file!;

function flip(file: string): void {
  const bytes = fs.readFileSync(file);
  bytes[bytes.length >> 1]! ^= 1;
  fs.writeFileSync(file, bytes);
}

test("a broken file is put aside, its runs are told what to do, and doing it makes them whole", async () => {
  const digest = digestOf("noise", "work");
  const file = fileOf(digest);
  flip(store.file(file));
  const broken = fs.readFileSync(store.file(file));

  const dry = await flow("store", "repair", "--dry-run");
  expect([dry.code, dry.stderr]).toEqual([4, ""]);
  expect(dry.stdout).toContain(`put aside: "${file}"`);
  expect(fs.readFileSync(store.file(file))).toEqual(broken);

  const repaired = await flow("store", "repair", "--json");
  const { done, quarantined, losses, ok } = repaired.lines.at(-1);
  expect([repaired.code, ok, done]).toEqual([4, false, []]);
  expect(quarantined).toEqual([{ digest, file: `quarantine/${path.basename(file)}` }]);
  expect(fs.readFileSync(store.file(quarantined[0].file))).toEqual(broken);
  expect(losses).toEqual([
    expect.objectContaining({
      run: "Source/1",
      lost: expect.arrayContaining(['"noise" of Source/1/work/0']),
      commands: expect.arrayContaining(["flow resume Source/1 --from work"]),
    }),
  ]);

  const told = damageOf((await store.verify()).findings);
  expect(told).toMatchObject([{ id: "S03", subject: { digest }, remedy: "rerun" }]);
  const again = await store.repair();
  expect([again.done, again.quarantined, again.ok]).toEqual([[], [], false]);

  const [words] = losses[0].commands.map((command: string) => command.replace(/^flow /, "").split(" "));
  expect((await flow(...words, "--quiet")).code).toBe(0);
  expect(await store.verify()).toMatchObject({ ok: false }); // The step draws other numbers in another run.
  fs.copyFileSync(store.file(quarantined[0].file), store.file("tmp/copy"));
  flip(store.file(`quarantine/${path.basename(file)}`)); // The bytes are what they were: as from a copy.
  const restored = await store.repair();
  expect([restored.ok, restored.restored]).toEqual([true, [digest]]);
  expect((await store.verify()).ok).toBe(true);
});

test("a value that a later run stores again is whole again, small or large", async () => {
  const wave = digestOf("wave", "work");
  const small = digestOf("small", "work");
  fs.rmSync(store.file(fileOf(wave)));
  store.sql((db) =>
    db.prepare("UPDATE blob SET stored = zeroblob(length(stored)) WHERE digest = ?").run(Buffer.from(small, "hex")),
  );
  const repaired = await store.repair();
  expect([repaired.ok, repaired.copy]).toEqual([false, "millrace.db.before-repair-1"]);
  expect(repaired.quarantined).toEqual([{ digest: small, file: `quarantine/${small}` }]);
  expect(
    damageOf((await store.verify({})).findings)
      .map(({ subject }) => subject.digest)
      .sort(),
  ).toEqual([small, wave].sort());
  const rerun = await flow("run", "source.ts", "--quiet");
  expect([rerun.stderr, rerun.code]).toEqual(["", 0]);
  const after = await store.verify();
  expect([after.ok, damageOf(after.findings)]).toEqual([true, []]);
  expect((await flow("validate", "Source/1")).code).toBe(0);
});

test.skipIf(process.platform === "win32")("a missing .gitignore and wide modes are mended", async () => {
  fs.rmSync(store.file(".gitignore"));
  fs.chmodSync(store.folder, 0o755);
  fs.chmodSync(store.file("millrace.db"), 0o664);
  const { ok, done, copy } = await store.repair();
  expect([ok, done, copy]).toEqual([
    true,
    ["wrote the store's .gitignore", expect.stringContaining("files and folders private")],
    undefined,
  ]);
  expect((await store.verify()).findings).toEqual([]);
  expect(fs.statSync(store.folder).mode & 0o777).toBe(0o700);
});

test("a repair that is killed at any instant leaves a store that the next one finishes", {
  timeout: 3_600_000,
}, async () => {
  const broken = ["noise", "wave", "small"].map((name) => digestOf(name, "work"));
  const hurt = (): void => {
    store.heal();
    for (const digest of broken.slice(0, 2)) flip(store.file(fileOf(digest)));
    store.sql((db) => {
      db.prepare("UPDATE blob SET stored = zeroblob(3) WHERE digest = ?").run(Buffer.from(broken[2]!, "hex"));
      db.exec("UPDATE flow SET run_count = 9; DELETE FROM run_tag; DROP INDEX task_by_path");
    });
  };
  const shape = (findings: Awaited<ReturnType<typeof store.verify>>["findings"]) =>
    damageOf(findings)
      .map(({ id, subject }) => `${id} ${subject.digest}`)
      .sort();
  const words = ["store", "repair", "--store", store.folder];
  hurt();
  const undisturbed = new SpawnedFlow(words, { cwd: store.project.folder });
  const { durationMs } = await undisturbed.ended;
  const wanted = shape((await store.verify()).findings);
  expect(wanted).toEqual(broken.map((digest) => `S03 ${digest}`).sort());
  const records = store.records();
  for (let round = 0; round < times(5, 50); round++) {
    hurt();
    const killed = new SpawnedFlow(words, { cwd: store.project.folder });
    await killed.after(random() * durationMs);
    killed.killGroup();
    await killed.ended;
    await store.repair();
    expect(shape((await store.verify()).findings)).toEqual(wanted);
    expect(store.records()).toEqual(records);
    for (const digest of broken) {
      const kept = fs.readdirSync(store.file("quarantine")).filter((name) => name.startsWith(digest));
      expect(kept.length).toBeGreaterThan(0);
    }
  }
});

test("nothing that runs write meanwhile is taken for damage, and a repair beside them loses nothing", {
  timeout: 3_600_000,
}, async () => {
  const runs = Array.from({ length: times(3, 12) }, () =>
    flow("run", "source.ts", "-n", "30", "--quiet", "--tag", "many"),
  );
  let isOver = false;
  const all = Promise.all(runs).finally(() => {
    isOver = true;
  });
  let verified = 0;
  while (!isOver) {
    const { ok, findings } = await store.verify();
    expect([ok, damageOf(findings)]).toEqual([true, []]);
    verified++;
    if (verified % 3 === 0) expect(await store.repair()).toMatchObject({ ok: true, done: [], quarantined: [] });
  }
  for (const { code, stderr } of await all) expect([code, stderr]).toEqual([0, ""]);
  expect(verified).toBeGreaterThan(1);
  expect((await store.verify()).findings).toEqual([]);
});

/** The superuser may write everywhere: only another user, or no right at all, makes a folder read-only. */
test.skipIf(process.platform === "win32" || process.getuid?.() !== 0)(
  "a store that may only be read is verified, and its repair says that it may not be written",
  async () => {
    const program = new URL("../../packages/cli/bin/flow.mjs", import.meta.url).pathname;
    for (const entry of ["", ...fs.readdirSync(store.folder, { recursive: true, encoding: "utf8" })]) {
      const place = store.file(entry);
      fs.chmodSync(place, fs.statSync(place).isDirectory() ? 0o555 : 0o444);
    }
    fs.chmodSync(store.project.folder, 0o755);
    const asOther = (...words: string[]) => {
      const options = { uid: 65_534, gid: 65_534, cwd: "/", encoding: "utf8", stdio: "pipe" } as const;
      try {
        const stdout = execFileSync(process.execPath, [program, ...words, "--json", "--store", store.folder], options);
        return {
          code: 0,
          lines: stdout
            .trim()
            .split("\n")
            .map((line) => JSON.parse(line)),
        };
      } catch (error) {
        const { status, stdout } = error as { status: number; stdout: string };
        return {
          code: status,
          lines: stdout
            .trim()
            .split("\n")
            .map((line) => JSON.parse(line)),
        };
      }
    };
    const verified = asOther("store", "verify", "--read-data");
    expect([verified.code, verified.lines.at(-1).ok]).toEqual([0, true]);
    fs.rmSync(store.file(".gitignore"));
    const repaired = asOther("store", "repair");
    expect([repaired.code, repaired.lines.at(-1).error?.code]).toEqual([3, "FLOW_METADATA_READ_ONLY"]);
  },
);
