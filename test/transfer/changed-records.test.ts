/**
 * Records that are changed by hand, one column of one row at a time: in a store that is exported, and in a file that is imported.
 * Each is refused with a code, or goes over as it is; nothing is left behind of what is refused; and a dry run says what the
 * import does.
 */
import fs from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { times } from "../faults/twenty.ts";
import { sample, seeded } from "../kit/seed.ts";
import { type Entry, lines, sha256 } from "./archive-kit.ts";
import { type Ended, Failures, linesOf, RunsToHurt, readEntries, repack } from "./hurt-kit.ts";

const { random } = seeded("changed-records");
const hurt = new RunsToHurt();
const good = hurt.project.file("good.tar");
const changed = hurt.project.file("changed.tar");
const again = hurt.project.file("again.tar");
beforeAll(async () => {
  await hurt.write();
  expect(await hurt.export(good)).toMatchObject({ exit: 0, message: "" });
}, 300_000);
afterAll(() => hurt[Symbol.asyncDispose]());

/** Refusals have a code of their own and an exit code that is not that of a defect. */
function expectRefused(what: unknown, { exit, code, message }: Ended): void {
  expect([what, exit, code, message]).toEqual([
    what,
    expect.toSatisfy((value) => value !== 0 && value !== 70),
    expect.stringMatching(/^FLOW_(?!INTERNAL)/),
    message,
  ]);
}

/** Of a file: what a dry run and an import say, which is the same; nothing is there of what was refused. */
async function importBoth(what: unknown, file: string): Promise<Ended> {
  hurt.forget();
  const dry = await hurt.import(file, { isDryRun: true });
  expect([what, fs.existsSync(hurt.elsewhere)]).toEqual([what, false]);
  const real = await hurt.import(file);
  expect([what, real]).toEqual([what, dry]);
  expect([what, fs.existsSync(hurt.elsewhere)]).toEqual([what, real.exit === 0]);
  if (real.exit !== 0) expectRefused(what, real);
  return real;
}

/** Lines of records, packages and values: tags and their moves are each store's own. */
function contentOf(file: string): ReadonlySet<string> {
  const lines = readEntries(file).flatMap(([name, content]) =>
    /records\.jsonl$/.test(name)
      ? linesOf(content).map((line) => `${name} ${JSON.stringify(line)}`)
      : /^(blobs|packages)/.test(name)
        ? [`${name} ${sha256(content)}`]
        : [],
  );
  return new Set(lines);
}

/** That the store which took a file over writes the same records; only their order is its own. */
async function expectTaken(what: unknown, file: string): Promise<void> {
  expect([what, await hurt.export(again, hurt.ids, hurt.elsewhere)]).toEqual([
    what,
    expect.objectContaining({ exit: 0 }),
  ]);
  expect([what, differences(contentOf(again), contentOf(file))]).toEqual([what, []]);
}

function differences(one: ReadonlySet<string>, other: ReadonlySet<string>): readonly string[] {
  const only = (left: ReadonlySet<string>, right: ReadonlySet<string>) => [...left].filter((line) => !right.has(line));
  return [...only(one, other), ...only(other, one)].slice(0, 4);
}

/** A row that was changed or lost by hand, and words of the refusal. */
const HURTS: readonly (readonly [name: string, sql: string, words: RegExp])[] = [
  [
    "an execution that is gone",
    "DELETE FROM execution WHERE run = {Train/1}",
    /execution 1 of Train\/1, its current one, is not recorded/,
  ],
  [
    "a task with a number that none is given",
    "UPDATE task SET sequence = 9007199254740993 WHERE sequence = (SELECT min(sequence) FROM task WHERE run = {Train/1})",
    /"task.sequence" holds 9007199254740992/,
  ],
  [
    "the end of another run",
    "UPDATE run SET end_task = (SELECT end_task FROM run WHERE sequence = {Train/2}) WHERE sequence = {Train/1}",
    /Train\/1 is recorded as ended by a task of another run/,
  ],
  [
    "a runner that is none",
    `UPDATE execution SET runner = '{"host":"mill","pid":7,"bootId":5}' WHERE run = {Train/1}`,
    /Train\/1 .*"execution.runner" holds an object without "bootId"/,
  ],
  [
    "options that are none",
    "UPDATE execution SET options = '{\"a\":[' || replace(hex(zeroblob(1100)), '00', '[') || replace(hex(zeroblob(1100)), '00', ']') || ']}' WHERE run = {Train/1}",
    /Train\/1 has records .*levels deep/,
  ],
  [
    "a failure that is none",
    `UPDATE run SET failure = '{"error":{"code":"FLOW_STEP_FAILED","message":"no"}}' WHERE sequence = {Fails/1}`,
    /Fails\/1 has records .*its run: "failure.error/,
  ],
  ["a store without an id", "UPDATE store SET store_id = 'mine'", /The store .*"store.store_id".*"mine"/],
  [
    "a parent task of another run",
    "UPDATE task SET inherits = (SELECT max(sequence) FROM task WHERE run = {Data/1}), record_digest = NULL WHERE run = {Train/1} AND step = 'end'; UPDATE execution SET end_digest = NULL, program_schema = NULL WHERE run = {Train/1}",
    /Train\/1 has records .*"inherits".*no task of the run/,
  ],
  [
    "a read by a task of another run",
    "UPDATE upstream_read SET task = (SELECT min(sequence) FROM task WHERE run = {Data/1}) WHERE task = (SELECT min(task) FROM upstream_read WHERE run = {Train/1}); UPDATE execution SET end_digest = NULL, program_schema = NULL WHERE run = {Train/1}",
    /Train\/1 has records .*the read of "rows".*no task of the run/,
  ],
  [
    "a tag that no log gives",
    "UPDATE run_tag SET tag = 'prod:v2' WHERE run = {Train/1}",
    /Train\/1 .*tags that are held are not those/,
  ],
  [
    "a package that is none",
    "UPDATE code_package SET manifest = '{' WHERE digest = (SELECT package_digest FROM run WHERE sequence = {Train/1})",
    /The code package [0-9a-f]{64} has records .*no JSON/,
  ],
  [
    "a package with another manifest",
    `UPDATE code_package SET manifest = json_set(manifest, '$.entry', 'other.ts') WHERE digest = (SELECT package_digest FROM run WHERE sequence = {Train/1})`,
    /manifest of the code package/,
  ],
  [
    "a time that is none",
    "UPDATE task SET duration_ms = 9e999 WHERE run = {Train/1} AND step = 'end'",
    /Train\/1.*durationMs/,
  ],
];

describe("an export", () => {
  function change(sql: string): void {
    hurt.heal();
    hurt.forget(changed);
    hurt.sql((db) => {
      const run = "(SELECT sequence FROM run WHERE flow_name = '$1' AND number = $2)";
      db.exec(sql.replace(/\{(\w+)\/(\d+)\}/g, run));
      expect(db.prepare("SELECT total_changes()").pluck().get()).toBeGreaterThan(0);
    });
  }
  const left = () => fs.readdirSync(hurt.project.folder).filter((name) => /changed|part/.test(name));

  test.each(HURTS)("of %s is refused by name, and leaves no file", async (_, sql, words) => {
    change(sql);
    const { exit, code, message } = await hurt.export(changed);
    // What no command can read at all is a store's failure, everything else damage.
    expect([exit, message]).toEqual([code === "FLOW_METADATA_CORRUPT" ? 3 : 4, expect.stringMatching(words)]);
    expect(code).toMatch(/^FLOW_(TRANSFER_BAD_RECORDS|METADATA_CHANGED_RECORDS|METADATA_CORRUPT)$/);
    expect(left()).toEqual([]);
  });

  test("that is refused says all that is wrong, and exits with 4", async () => {
    const [, failure, words] = HURTS.find(([name]) => name === "a failure that is none")!;
    change(`${failure}; UPDATE store SET store_id = 'mine'`);
    const called = await hurt.project.here(["export", ...hurt.ids, "-o", "changed.tar", "--store", hurt.folder]);
    expect([called.code, called.stdout]).toEqual([4, ""]);
    expect(called.stderr).toMatch(/\d problems/);
    for (const each of [words, /"store.store_id"/, /FLOW_TRANSFER_BAD_RECORDS/]) expect(called.stderr).toMatch(each);
    expect(left()).toEqual([]);
  });
});

describe("a store", () => {
  type Case = { readonly table: string; readonly column: string; readonly to: string };
  const VALUES: Readonly<Record<string, string>> = {
    nothing: "NULL",
    text: "'x'",
    "empty text": "''",
    "another type of object": "'[]'",
    "an empty object": "'{}'",
    "JSON null": "'null'",
    "no JSON": "'{'",
    "a negative number": "-1",
    zero: "0",
    "a number out of range": "9007199254740993",
    "a huge number": "8640000000000001",
    infinity: "9e999",
    "a digest of nothing": "zeroblob(32)",
    "no digest": "x'00'",
    "another row's": "(SELECT {column} FROM {table} WHERE {column} IS NOT {old} LIMIT 1)",
    "a row's that is gone": "(DELETE)",
  };

  function casesOf(): readonly Case[] {
    return hurt.sql((db) => {
      const tables = db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        .pluck()
        .all() as string[];
      return tables
        .filter((table) => db.prepare(`SELECT count(*) FROM "${table}"`).pluck().get() !== 0)
        .flatMap((table) =>
          (db.pragma(`table_info("${table}")`) as { name: string }[]).flatMap(({ name: column }) =>
            Object.keys(VALUES).map((to) => ({ table, column, to })),
          ),
        );
    });
  }

  /** Whether the change could be made: columns have types. */
  function change({ table, column, to }: Case): boolean {
    return hurt.sql((db) => {
      for (const trigger of ["tag_event_no_update", "tag_event_no_delete"])
        db.exec(`DROP TRIGGER IF EXISTS ${trigger}`);
      const count = db.prepare(`SELECT count(DISTINCT "${column}") FROM "${table}"`).pluck().get() as number;
      const at = Math.floor(random() * count);
      const old = `(SELECT DISTINCT "${column}" FROM "${table}" WHERE "${column}" IS NOT NULL LIMIT 1 OFFSET ${at})`;
      const value = VALUES[to]!.replaceAll("{column}", `"${column}"`)
        .replaceAll("{table}", `"${table}"`)
        .replaceAll("{old}", old);
      const where = count === 0 ? "" : `WHERE "${column}" IS ${old}`;
      const sql =
        value === "(DELETE)"
          ? `DELETE FROM "${table}" ${where}`
          : `UPDATE "${table}" SET "${column}" = ${value} ${where}`;
      try {
        return db.prepare(sql).run().changes > 0;
      } catch (error) {
        expect((error as { code: string }).code).toMatch(/^SQLITE_(CONSTRAINT|MISMATCH)/);
        return false;
      }
    });
  }

  test("whose records were changed is refused, or its file is taken", { timeout: 3_600_000 }, async () => {
    const all = casesOf();
    const tried = sample(all, times(45, all.length), random);
    const counts = { refused: 0, taken: 0, impossible: 0 };
    const failures = new Failures();
    hurt.heal();
    const tryOne = async (each: Case): Promise<void> => {
      if (!change(each)) {
        counts.impossible++; // The store is as it was.
        return;
      }
      try {
        await tryChanged(each);
      } finally {
        hurt.heal();
      }
    };
    const tryChanged = async (each: Case): Promise<void> => {
      hurt.forget(changed, again);
      const exported = await hurt.export(changed);
      if (exported.exit !== 0) {
        counts.refused++;
        expectRefused(each, exported);
        expect(fs.readdirSync(hurt.project.folder).filter((name) => /changed|part/.test(name))).toEqual([]);
        return;
      }
      if (!fs.existsSync(changed)) return; // None of the runs is found any more.
      counts.taken++;
      expect([each, await importBoth(each, changed)]).toEqual([each, expect.objectContaining({ exit: 0 })]);
      await expectTaken(each, changed);
    };
    for (const each of tried) await failures.try(() => tryOne(each));
    failures.expectNone();
    console.log(counts);
    expect(counts.refused).toBeGreaterThan(tried.length / 10);
    expect(counts.taken).toBeGreaterThan(0);
  });
});

describe("a file", () => {
  /** Where something is changed: a line of an entry, or of the manifest (-1), and a field of it, or the line as a whole. */
  type Case = { readonly entry: number; readonly line: number; readonly field: readonly string[]; readonly to: string };
  type Change = (old: any, others: readonly any[]) => unknown;
  const GONE = Symbol("gone");
  const VALUES: Readonly<Record<string, Change>> = {
    gone: () => GONE,
    nothing: () => null,
    text: () => "x",
    "empty text": () => "",
    "text with more": (old) => `${old}x`,
    "a negative number": () => -1,
    zero: () => 0,
    "the next number": (old) => (typeof old === "number" ? old + 1 : 1),
    "a number out of range": () => 2 ** 53,
    "a huge number": () => 1e300,
    "a half": () => 0.5,
    "a list": () => [],
    "an empty object": () => ({}),
    "a deep object": () => JSON.parse(`${'{"a":'.repeat(1_200)}1${"}".repeat(1_200)}`),
    yes: () => true,
    "a digest of nothing": () => "0".repeat(64),
    "a time far away": () => "+275760-09-13T00:00:00.000Z",
    "another line's": (old, others) => others.find((other) => JSON.stringify(other) !== JSON.stringify(old)) ?? "none",
  };
  const LINES: Readonly<Record<string, (all: readonly unknown[], at: number) => readonly unknown[]>> = {
    "left out": (all, at) => all.toSpliced(at, 1),
    twice: (all, at) => all.toSpliced(at, 0, all[at]),
    "behind the next": (all, at) => all.toSpliced(at, 2, ...all.slice(at, at + 2).toReversed()),
  };

  let manifest: readonly any[];
  let entries: readonly Entry[];
  let texts: ReadonlyMap<number, readonly any[]>;
  const isText = ([name]: Entry): boolean => /\.json(l|)$/.test(name);

  beforeAll(() => {
    const [head, ...rest] = readEntries(good);
    manifest = linesOf(head![1]).filter(({ kind }) => ["export", "run", "reference"].includes(kind));
    entries = rest;
    texts = new Map([
      [-1, manifest],
      ...rest.flatMap((entry, at) => (isText(entry) ? [[at, linesOf(entry[1])] as const] : [])),
    ]);
  });

  /** A file in which an artifact is the value of another one: all in it fits together but the digests of records. */
  function writeSwapped(): void {
    const records = [...texts].find(([, all]) => all.filter(({ kind }) => kind === "artifact").length > 4)!;
    const [at, all] = records;
    const artifacts = all.filter(({ kind, name }) => kind === "artifact" && name === "square");
    const [one, two] = [artifacts[0]!, artifacts[1]!];
    const swapped = all.map((line) =>
      line === one ? { ...one, digest: two.digest } : line === two ? { ...two, digest: one.digest } : line,
    );
    fs.writeFileSync(changed, repack(manifest, entries.with(at, [entries[at]![0], lines(...swapped)])));
  }

  test("whose records are not those that were written is refused by a dry run too, and leaves no store", async () => {
    writeSwapped();
    hurt.forget();
    for (const words of [["--dry-run"], []]) {
      const called = await hurt.project.here(["import", "changed.tar", "--store", hurt.elsewhere, ...words]);
      expect([words, called.code, called.stdout]).toEqual([words, 4, ""]);
      expect(called.stderr).toMatch(/Train\/1\/work\S* [\s\S]*FLOW_METADATA_CHANGED_RECORDS/);
      expect(fs.existsSync(hurt.elsewhere)).toBe(false);
    }
  });

  test("that is refused leaves a store that is there as it was, values and all", async () => {
    writeSwapped();
    hurt.forget();
    // A store with one run of the file alone, which has none of its values.
    hurt.heal();
    expect(await hurt.export(again, hurt.ids.slice(3, 4))).toMatchObject({ exit: 0 });
    expect(await hurt.import(again)).toMatchObject({ exit: 0 });
    const left = () =>
      fs
        .readdirSync(hurt.elsewhere, { recursive: true, encoding: "utf8" })
        .filter((name) => !name.includes("db"))
        .toSorted();
    const before = left();
    const called = await hurt.project.here(["import", "changed.tar", "--store", hurt.elsewhere]);
    expect([called.code, left()]).toEqual([4, before]);
  });

  test("goes nowhere where no store can be, and a dry run says so", async () => {
    for (const words of [["--dry-run"], []]) {
      const called = await hurt.project.here(["import", "good.tar", "--store", "node_modules", ...words]);
      expect([words, called.code, called.stderr]).toEqual([
        words,
        3,
        expect.stringContaining("FLOW_CLIENT_NOT_A_STORE"),
      ]);
    }
  });

  function fieldsOf(value: any, depth = 0): readonly (readonly string[])[] {
    if (typeof value !== "object" || value === null || depth > 2) return [];
    return Object.entries(value).flatMap(([key, inner]) => [
      [key],
      ...fieldsOf(inner, depth + 1).map((rest) => [key, ...rest]),
    ]);
  }

  function casesOf(): readonly Case[] {
    return [...texts].flatMap(([entry, all]) =>
      all.flatMap((value, line) => [
        ...Object.keys(LINES).map((to) => ({ entry, line, field: [], to })),
        ...fieldsOf(value).flatMap((field) => Object.keys(VALUES).map((to) => ({ entry, line, field, to }))),
      ]),
    );
  }

  const at = (value: any, field: readonly string[]): any => field.reduce((inner, key) => inner?.[key], value);

  /** The lines of an entry as the case has them; undefined when nothing changed. */
  function change({ entry, line, field, to }: Case): readonly unknown[] | undefined {
    const all = texts.get(entry)!;
    if (field.length === 0) {
      const changed = LINES[to]!(all, line);
      return JSON.stringify(changed) === JSON.stringify(all) ? undefined : changed;
    }
    const copy = structuredClone(all[line]);
    const inside = at(copy, field.slice(0, -1));
    const key = field.at(-1)!;
    const value = VALUES[to]!(
      inside[key],
      all.filter(({ kind }) => kind === copy.kind).map((other) => at(other, field)),
    );
    if (JSON.stringify(value) === JSON.stringify(inside[key])) return undefined;
    if (value === GONE) delete inside[key];
    else inside[key] = value;
    return all.with(line, copy);
  }

  test("whose lines were changed is refused before anything is there, or taken as it is", {
    timeout: 7_200_000,
  }, async () => {
    const all = casesOf();
    const isHarmless = ({ entry, line, field, to }: Case): boolean =>
      texts.get(entry)![line].kind === "execution" && field.join() === "actor" && to === "text";
    // There are some 27,000 of them.
    const tried = [all.find(isHarmless)!, ...sample(all, times(40, 6_000), random)];
    const counts = { refused: 0, taken: 0, same: 0 };
    for (const each of tried) {
      const now = change(each);
      if (now === undefined) {
        counts.same++;
        continue;
      }
      const name = each.entry < 0 ? "manifest" : entries[each.entry]![0].replace(/^.*\//, "");
      const what = [
        name,
        JSON.stringify(texts.get(each.entry)![each.line]).slice(0, 100),
        each.field.join("."),
        each.to,
      ];
      const content = name.endsWith(".json") ? Buffer.from(JSON.stringify(now[0] ?? {})) : lines(...now);
      const changedEntries = each.entry < 0 ? entries : entries.with(each.entry, [entries[each.entry]![0], content]);
      fs.writeFileSync(changed, repack(each.entry < 0 ? now : manifest, changedEntries));
      hurt.forget(again);
      const { exit } = await importBoth(what, changed);
      counts[exit === 0 ? "taken" : "refused"]++;
      if (exit === 0 && each.entry >= 0 && !name.endsWith(".json")) await expectTaken(what, changed);
    }
    console.log(all.length, counts);
    expect(counts.refused).toBeGreaterThan(tried.length / 10);
    expect(counts.taken).toBeGreaterThan(0);
  });
});
