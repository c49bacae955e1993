/**
 * A store of real runs and a file of them, both to be changed by hand: rows by SQL, lines of the file with all its digests made
 * anew. What then happens is what the command does, in this process.
 */
import fs from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import { exitCodeOf } from "../../packages/cli/src/exit-code.ts";
import type { FlowError } from "../../packages/core/src/errors/flow-error.ts";
import { type Connection, openWriter } from "../../packages/core/src/metadata/sqlite/connection.ts";
import { checkStorePlace, type OpenStores, openStores } from "../../packages/core/src/wiring/open-stores.ts";
import { exportToFile, importFromFile } from "../../packages/core/src/wiring/transfer.ts";
import { Project } from "../kit/project.ts";
import { type Entry, lines, sha256, tarOf } from "./archive-kit.ts";
import { FLOWS } from "./flows.ts";

/** As the flows that are moved elsewhere, with a metric of a few values: each case copies and moves all of it. */
const SMALL = { ...FLOWS, "train.ts": FLOWS["train.ts"]!.replace("epoch < 2_500", "epoch < 5") };

/** How a command would end: its exit code, and the code of what it says. */
export interface Ended {
  readonly exit: number;
  readonly code: string;
  readonly message: string;
}

const DONE: Ended = { exit: 0, code: "", message: "" };

export class RunsToHurt {
  readonly project = new Project(SMALL);
  readonly #whole = this.project.file("whole");
  /** The copy of the store that is hurt. */
  readonly folder = this.project.file("hurt");
  /** A store that is not there yet. */
  readonly elsewhere = this.project.file("elsewhere");
  ids: readonly string[] = [];

  async write(): Promise<void> {
    const run = async (code: number, ...words: string[]): Promise<string> => {
      const called = await this.project.flow([...words, "--json"]);
      if (called.code !== code) throw new Error(`flow ${words.join(" ")} ended with ${called.code}: ${called.stderr}`);
      return called.lines.at(-1).record.id;
    };
    this.ids = [
      await run(0, "run", "data.ts"),
      await run(0, "run", "train.ts", "--tag", "prod:v1"),
      await run(0, "run", "train.ts", "-k", "4"),
      await run(1, "run", "fails.ts"),
      await run(0, "run", "outer.ts", "--flow", "Outer"),
      await run(0, "resume", "Train/1", "--from", "gather"),
    ];
    const db = openWriter(path.join(this.project.store, "millrace.db"));
    db.pragma("wal_checkpoint(TRUNCATE)");
    db.close();
    fs.renameSync(this.project.store, this.#whole);
    this.heal();
  }

  heal(): void {
    fs.rmSync(this.folder, { recursive: true, force: true });
    fs.cpSync(this.#whole, this.folder, { recursive: true });
    fs.chmodSync(path.join(this.folder, "millrace.db"), 0o600);
  }

  /** Changes records by hand, without the checks that a store writes with. */
  sql<T>(work: (db: Connection) => T): T {
    const db = openWriter(path.join(this.folder, "millrace.db"));
    try {
      db.pragma("foreign_keys = OFF");
      db.pragma("ignore_check_constraints = ON");
      return work(db);
    } finally {
      db.close();
    }
  }

  /** Exports runs of a store into a file: default all that were written, as far as the store has them. */
  async export(to: string, ids: readonly string[] = this.ids, store = this.folder): Promise<Ended> {
    return await ended(async () => {
      const stores = await open(store, false);
      try {
        const rows = await Promise.all(ids.map((id) => stores.metadata.runById(id as never)));
        const found = rows.filter((row) => row !== undefined);
        if (found.length > 0) await exportToFile(stores, found, { to });
      } finally {
        await stores.close();
      }
    });
  }

  /** Imports a file into a store that is made for it, or says whether that would be done. */
  async import(from: string, { isDryRun = false } = {}): Promise<Ended> {
    let made: OpenStores | undefined;
    const create = async () => (made = await open(this.elsewhere, true));
    const check = async () => checkStorePlace({ store: this.elsewhere, cwd: this.project.folder, environment: {} });
    const by = { actor: "ann", host: "mill", at: new Date(0), withTags: true };
    try {
      return await ended(() => importFromFile({ create, check }, { from, isDryRun, ...by }));
    } finally {
      await made?.close();
    }
  }

  forget(...files: readonly string[]): void {
    for (const file of [this.elsewhere, ...files]) fs.rmSync(file, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.project[Symbol.asyncDispose]();
  }
}

async function open(store: string, create: boolean): Promise<OpenStores> {
  return await openStores({ store, cwd: path.dirname(store), environment: {}, create });
}

async function ended(work: () => Promise<unknown>): Promise<Ended> {
  try {
    await work();
    return DONE;
  } catch (error) {
    const { code = "", message, problems = [] } = error as Partial<FlowError> & { readonly message: string };
    const all = [message, ...problems.map((problem) => problem.message)].join("\n");
    return { exit: exitCodeOf(error), code, message: all };
  }
}

/** The entries of a file, the manifest as the first. */
export function readEntries(file: string): readonly Entry[] {
  const bytes = fs.readFileSync(file);
  const entries: Entry[] = [];
  for (let at = 0; bytes[at] !== 0; ) {
    const name = bytes.toString("latin1", at, at + 100).replace(/\0.*$/, "");
    const size = Number.parseInt(bytes.toString("latin1", at + 124, at + 135), 8);
    entries.push([name, bytes.subarray(at + 512, at + 512 + size)]);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return entries;
}

export const linesOf = (content: Uint8Array): any[] =>
  Buffer.from(content)
    .toString()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

/**
 * A file of these entries; sizes and digests in the manifest are made anew, so that nothing but the change itself is wrong.
 *
 * @param entries without the manifest
 * @param manifest its lines but those of entries, values and the end
 */
export function repack(manifest: readonly unknown[], entries: readonly Entry[]): Buffer {
  const said = entries.map(([name, content]) =>
    name.startsWith("blobs/")
      ? { kind: "blob", digest: path.posix.basename(name), sizeBytes: content.length }
      : { kind: "entry", name, sizeBytes: content.length, digest: sha256(content) },
  );
  const body = lines(...manifest, ...said);
  return tarOf([["manifest.jsonl", Buffer.concat([body, lines({ kind: "end", digest: sha256(body) })])], ...entries]);
}

/** What failed of many tries: one that fails must not hide the others. */
export class Failures {
  readonly #all: string[] = [];

  async try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#all.push(`${(error as Error).message}\n${diffOf(error)}`.slice(0, 2_000));
    }
  }

  expectNone(): void {
    expect([this.#all.length, this.#all.slice(0, 10).join("\n\n")]).toEqual([0, ""]);
  }
}

function diffOf(error: unknown): string {
  const { actual, expected } = error as { readonly actual?: unknown; readonly expected?: unknown };
  return `expected ${JSON.stringify(expected)}\nfound ${JSON.stringify(actual)}`;
}
