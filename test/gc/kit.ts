/** A store on disk with runs that are written by hand, and all that deletes in it. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { collectGarbage, type GcOptions, type GcReport } from "../../packages/core/src/admin/gc/collect-garbage.ts";
import { ArtifactStore } from "../../packages/core/src/artifact/artifact-store.ts";
import { encodeValue } from "../../packages/core/src/artifact/value-codec.ts";
import type { DeletionStore } from "../../packages/core/src/metadata/deletion-store.ts";
import type { MetadataStore, NewArtifact, NewRun, RunRow } from "../../packages/core/src/metadata/metadata-store.ts";
import { openExisting, openReader } from "../../packages/core/src/metadata/sqlite/connection.ts";
import { openSqliteDeletion } from "../../packages/core/src/metadata/sqlite/deletion/open-deletion.ts";
import { openSqliteMetadata } from "../../packages/core/src/metadata/sqlite/sqlite-metadata.ts";
import type { SyncBlobStore } from "../../packages/core/src/storage/blob-store.ts";
import { openFsBlobStore } from "../../packages/core/src/storage/fs/fs-blob-store.ts";
import { openFsSweep } from "../../packages/core/src/storage/fs/fs-sweep.ts";
import { createStoreFolder, type StoreLayout } from "../../packages/core/src/storage/fs/store-folder.ts";
import type { BlobSweep } from "../../packages/core/src/storage/sweep.ts";
import { finished, newRun, started, tick } from "../conformance/metadata-store/records.ts";
import { type HereAndNow, hereAndNow } from "../conformance/metadata-store/suite.ts";

export const DAY = 86_400_000;
export const BY = { actor: "ann", host: "north", via: "test" };

/** A value that lies in a file of its own, and one that lies in the database. */
export const large = (seed: string | number): string => `${seed} ${Math.random().toString().repeat(3_000)}`;
export const small = (seed: string | number): string => `small ${seed}`;

export class GcStore {
  readonly layout: StoreLayout;
  readonly blobs: SyncBlobStore;
  readonly artifacts: ArtifactStore;
  readonly sweep: BlobSweep;
  /** Its time is the real one: files are as old as the file system says. */
  readonly here: HereAndNow = hereAndNow();
  metadata!: MetadataStore;
  records!: DeletionStore;

  constructor() {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-gc-"));
    this.layout = createStoreFolder(path.join(folder, "store")).layout;
    this.blobs = openFsBlobStore(this.layout.folder, { temporaryFolder: this.layout.temporary });
    this.artifacts = new ArtifactStore(this.blobs);
    this.sweep = openFsSweep(this.layout.folder, this.layout.temporary);
    this.here.time = Date.now();
  }

  async open(): Promise<this> {
    this.metadata = await openSqliteMetadata(this.layout.database, {
      liveness: this.here,
      holdsBlob: (blob) => this.artifacts.holdsSync(blob),
    });
    this.records = this.openDeletion();
    return this;
  }

  openDeletion(): DeletionStore {
    const lockFile = path.join(this.layout.folder, "gc.lock");
    return openSqliteDeletion(this.layout.database, { lockFile, liveness: this.here });
  }

  gc(options: Partial<GcOptions> = {}): Promise<GcReport> {
    return collectGarbage(this, { by: BY, now: () => this.here.time, ...options });
  }

  /** A run that leaves values, and ends so long ago; `undefined` leaves it running under this very process. */
  async run(
    values: Readonly<Record<string, unknown>>,
    options: Partial<NewRun> & {
      readonly end?: "succeeded" | "failed" | "cancelled" | undefined;
      readonly daysAgo?: number;
      readonly terms?: Readonly<Record<string, NewArtifact["term"]>>;
    } = {},
  ): Promise<RunRow> {
    const { daysAgo = 0, terms = {}, ...more } = options;
    const end = "end" in options ? options.end : "succeeded";
    const at = new Date(this.here.time - daysAgo * DAY);
    const execution = { runner: this.here.self, command: [] };
    const run = await this.metadata.createRun(newRun({ createdAt: at, execution, ...more }));
    const task = await this.metadata.reserveTasks(1);
    const encoded = Object.entries(values).map(([name, value]) => [name, encodeValue(value)] as const);
    const artifacts = encoded.map(([name, { codec, digest, sizeBytes }]): NewArtifact => {
      const term = terms[name];
      return { name, codec, digest, sizeBytes, ...(term === undefined ? {} : { term }) };
    });
    const stored = encoded.map(([, each]) => this.artifacts.storeSync(each));
    const log = { task, attempt: 0, stream: "stdout", at, text: "hello" } as const;
    await this.metadata.commitTick(
      tick({
        started: [started(run, task)],
        blobs: stored,
        finished: [finished(task, { artifacts, finishedAt: at })],
        logs: [log],
      }),
    );
    if (end === undefined) return run;
    const endTask = end === "succeeded" ? { endTask: task } : {};
    return this.metadata.finishRun({ run: run.sequence, execution: 1, status: end, finishedAt: at, ...endTask });
  }

  /** What a run left, by name, read and checked. */
  async valuesOf(run: RunRow): Promise<Record<string, unknown>> {
    const values: Record<string, unknown> = {};
    const row = (await this.metadata.run(run.sequence))!;
    for (const artifact of await this.metadata.visibleArtifacts(row.endTask!))
      values[artifact.name] = await this.artifacts.load(artifact, await this.metadata.blob(artifact.digest));
    return values;
  }

  /** Files of values, as many as there are. */
  files(): number {
    const folder = path.join(this.layout.blobs, "sha256");
    if (!fs.existsSync(folder)) return 0;
    return fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
  }

  /** Makes all files of values as old as this. */
  age(days: number): void {
    const seconds = (this.here.time - days * DAY) / 1_000;
    for (const entry of fs.readdirSync(this.layout.blobs, { recursive: true, withFileTypes: true }))
      if (entry.isFile()) fs.utimesSync(path.join(entry.parentPath, entry.name), seconds, seconds);
  }

  /** Rows that name something which is not there, and what SQLite finds wrong with the file. */
  damage(): unknown[] {
    const db = openReader(this.layout.database);
    try {
      const integrity = db.pragma("integrity_check", { simple: true });
      return [...(db.pragma("foreign_key_check") as unknown[]), ...(integrity === "ok" ? [] : [integrity])];
    } finally {
      db.close();
    }
  }

  count(table: string): number {
    const db = openReader(this.layout.database);
    try {
      return db.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number;
    } finally {
      db.close();
    }
  }

  /** Writes what no program writes any more. */
  execute(statement: string): void {
    const db = openExisting(this.layout.database, 1_000);
    db.exec(statement);
    db.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.records.close();
    await this.metadata.close();
    fs.rmSync(path.dirname(this.layout.folder), { recursive: true, force: true });
  }
}

export async function gcStore(): Promise<GcStore> {
  return new GcStore().open();
}

export function upstreamOf(producer: RunRow, name = "source"): NewRun["upstreams"][number] {
  return {
    name,
    flow: producer.flow,
    selector: { kind: "newest" },
    producer: producer.id,
    candidateCount: 1,
    candidates: [],
    resolvedAt: producer.createdAt,
  };
}
