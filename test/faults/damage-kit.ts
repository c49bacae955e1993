/**
 * A store to hurt: written by real flows, kept as it was, and copied for each hurt. Nothing has it open while it is copied
 * or changed by hand.
 */
import fs from "node:fs";
import path from "node:path";
import type { StoreFinding, VerifyReport } from "../../packages/core/src/admin/verify/finding.ts";
import type { VerifyOptions } from "../../packages/core/src/admin/verify/verify-store.ts";
import { findRun } from "../../packages/core/src/client/find-run.ts";
import { validate } from "../../packages/core/src/client/validate/validate.ts";
import { type Connection, openWriter } from "../../packages/core/src/metadata/sqlite/connection.ts";
import { openSqliteTrial } from "../../packages/core/src/metadata/sqlite/sqlite-trial.ts";
import { exportRuns } from "../../packages/core/src/transfer/export-runs.ts";
import { openStores } from "../../packages/core/src/wiring/open-stores.ts";
import { repairStore, verifyStore } from "../../packages/core/src/wiring/store-admin.ts";
import { Project } from "../kit/project.ts";
import { flowText } from "../scenarios/observe.ts";

const FLOWS = {
  "source.ts": flowText(
    "Source",
    `
    readonly rows = param(z.coerce.number().default(4), { short: "n" });
    readonly unit = "metre";
    items!: number[]; noise!: Uint8Array; wave!: Float64Array; text!: string; small!: string; sum!: number;
    @step({ next: "work", foreach: "items" }) start() { this.items = Array.from({ length: this.rows }, (_, n) => n); }
    @step({ next: "gather" }) work(item: number) {
      this.noise = Uint8Array.from({ length: 20_000 + item }, () => current.random() * 256);
      this.wave = Float64Array.from({ length: 3_000 }, () => item);
      this.text = ("line " + item + " ").repeat(30);
      this.small = "item " + item;
      this.log.metric("size", item, { step: item });
      this.log.metric("size", item / 2);
      console.log("worked on " + item);
    }
    @join({ next: "end" }) gather(inputs: Inputs<Source>) { this.sum = inputs.length; this.noise = inputs[0]!.noise; }
    @step() end() {}`,
  ),
  "reader.ts": flowText(
    "Reader",
    `
    readonly source = upstream("Source"); size!: number;
    @step({ next: "end" }) start() { this.size = (this.source.data as any).noise.length; }
    @step() end() {}`,
  ),
  "brief.ts": flowText(
    "Brief",
    `
    big = artifact(z.custom<string>(), { transient: true }); kept!: number;
    @step({ next: "end" }) start() { this.big = "gone soon ".repeat(9); this.kept = 1; }
    @step() end() { this.kept = 2; }`,
  ),
  "failing.ts": flowText(
    "Failing",
    `@step({ next: "end" }) start() { if (true) throw new Error("no luck"); } @step() end() {}`,
  ),
};

export interface Blob {
  readonly digest: string;
  readonly isInline: boolean;
  /** Below the store's folder. */
  readonly file?: string;
}

export class StoreToHurt {
  readonly project = new Project(FLOWS);
  readonly #whole: string;
  /** The copy that is hurt. */
  readonly folder: string;

  constructor() {
    this.#whole = path.join(this.project.folder, "whole");
    this.folder = path.join(this.project.folder, "hurt");
  }

  /** Writes the store: several runs, some tagged, one of them failed, one read by another. */
  async write(): Promise<void> {
    const run = async (code: number, ...words: string[]): Promise<void> => {
      const { code: ended, stderr } = await this.project.flow(["run", ...words, "--quiet"]);
      if (ended !== code) throw new Error(`flow run ${words.join(" ")} ended with ${ended}: ${stderr}`);
    };
    await run(0, "source.ts", "--tag", "prod:v1", "--tag", "eu");
    await run(0, "source.ts", "-n", "3");
    await run(0, "reader.ts", "--source-tag", "prod:v1");
    await run(1, "failing.ts");
    await run(0, "brief.ts");
    await this.project.flow(["tag", "remove", "Source/1", "eu"]);
    const db = openWriter(path.join(this.project.store, "millrace.db"));
    db.pragma("wal_checkpoint(TRUNCATE)");
    db.close();
    fs.renameSync(this.project.store, this.#whole);
    this.heal();
  }

  /** The copy as it was written. */
  heal(): void {
    fs.rmSync(this.folder, { recursive: true, force: true });
    fs.cpSync(this.#whole, this.folder, { recursive: true });
    // A copied folder gets the mode that the umask leaves.
    for (const entry of ["", ...fs.readdirSync(this.folder, { recursive: true, encoding: "utf8" })])
      fs.chmodSync(this.file(entry), fs.statSync(this.file(entry)).isDirectory() ? 0o700 : 0o600);
  }

  file(name: string): string {
    return path.join(this.folder, name);
  }

  /** Changes records by hand, without the checks that a store writes with. */
  sql<T>(work: (db: Connection) => T): T {
    const db = openWriter(this.file("millrace.db"));
    try {
      db.pragma("foreign_keys = OFF");
      db.pragma("ignore_check_constraints = ON");
      return work(db);
    } finally {
      db.close();
    }
  }

  blobs(): readonly Blob[] {
    return this.sql((db) =>
      (
        db
          .prepare(
            "SELECT lower(hex(digest)) AS digest, compression, stored IS NOT NULL AS inline FROM blob ORDER BY digest",
          )
          .all() as { digest: string; compression: string; inline: number }[]
      ).map(({ digest, compression, inline }) => ({
        digest,
        isInline: inline === 1,
        ...(inline === 1
          ? {}
          : { file: `blobs/sha256/${digest.slice(0, 2)}/${digest}${compression === "zstd" ? ".zst" : ""}` }),
      })),
    );
  }

  async verify(
    options: VerifyOptions = { readData: true },
  ): Promise<VerifyReport & { readonly findings: StoreFinding[] }> {
    const findings: StoreFinding[] = [];
    const report = await verifyStore(
      { store: this.folder, cwd: this.folder, environment: {} },
      { ...options, onFinding: (finding) => void findings.push(finding) },
    );
    return { ...report, findings };
  }

  /** Words of all that `flow validate RUN` finds wrong. */
  async validate(run: string): Promise<readonly string[]> {
    const stores = await openStores({ store: this.folder, cwd: this.folder, environment: {}, create: false });
    try {
      const { checks } = await validate(stores, { selector: run });
      return checks.flatMap(({ id, status, evidence }) => (status === "fail" ? [`${id} ${evidence}`] : []));
    } finally {
      await stores.close();
    }
  }

  /** The code by which an export of a run is refused; undefined when it is not. */
  async exportRefusal(run: string): Promise<string | undefined> {
    const stores = await openStores({ store: this.folder, cwd: this.folder, environment: {}, create: false });
    try {
      const { run: row } = await findRun(stores.metadata, run);
      await exportRuns({ ...stores, openTrial: openSqliteTrial }, [row], { write: async () => {} });
      return undefined;
    } catch (error) {
      return (error as { readonly code?: string }).code ?? String(error);
    } finally {
      await stores.close();
    }
  }

  repair(options: { readonly dryRun?: boolean } = {}) {
    return repairStore({ store: this.folder, cwd: this.folder, environment: {} }, options);
  }

  /** Everything that the records say, for comparing before and after; numbers of tasks may be left out, so not the next one. */
  records(): unknown {
    return this.sql((db) => {
      const tables = db
        .prepare(
          "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\' ORDER BY name",
        )
        .pluck()
        .all() as string[];
      return Object.fromEntries(
        tables.map((name) => [
          name,
          (db.prepare(`SELECT * FROM "${name}"`).all() as any[])
            .map(({ next_task: _next, ...row }: any) => JSON.stringify(row))
            .sort(),
        ]),
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.project[Symbol.asyncDispose]();
  }
}

export const damageOf = (findings: readonly StoreFinding[]): readonly StoreFinding[] =>
  findings.filter(({ kind }) => kind === "damage");

type Random = () => number;

/** Ways in which bytes come to harm; each gives other bytes than it got. */
export const HARMS: Readonly<Record<string, (bytes: Buffer, random: Random, other: Buffer) => Buffer>> = {
  flipped: (bytes, random) => changed(bytes, (copy) => (copy[at(copy, random)]! ^= 1 << Math.floor(random() * 8))),
  truncated: (bytes, random) => bytes.subarray(0, at(bytes, random)),
  "cut by a byte": (bytes) => bytes.subarray(0, bytes.length - 1),
  emptied: () => Buffer.alloc(0),
  appended: (bytes, random) => Buffer.concat([bytes, Buffer.from([Math.floor(random() * 256)])]),
  doubled: (bytes) => Buffer.concat([bytes, bytes]),
  zeroed: (bytes) => Buffer.alloc(bytes.length),
  "zeroed in part": (bytes, random) =>
    changed(bytes, (copy) => {
      const start = at(copy, random);
      if (copy.subarray(start).every((byte) => byte === 0)) copy[start]! ^= 1;
      else copy.fill(0, start);
    }),
  swapped: (_bytes, _random, other) => other,
  garbage: (bytes, random) => Buffer.from(bytes.map(() => random() * 256)),
};

function changed(bytes: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  change(copy);
  return copy;
}

function at(bytes: Buffer, random: Random): number {
  return Math.floor(random() * bytes.length);
}
