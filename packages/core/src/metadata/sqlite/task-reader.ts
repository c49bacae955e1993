/**
 * The reads of a task's field getters, from a worker's own connection: synchronous, read-only, quick to open. Loads the
 * driver and nothing else of weight.
 */
import type { Statement } from "better-sqlite3";
import type { Digest } from "../../artifact/artifact.ts";
import { FlowError } from "../../errors/flow-error.ts";
import type { RunId } from "../../ids/run-id.ts";
import type { RunSequence, TaskReader, TaskSequence } from "../metadata-store.ts";
import { type CacheEntryRecord, toCacheEntries } from "../sql/cache-rows.ts";
import * as map from "../sql/rows.ts";
import { type Connection, openReader } from "./connection.ts";
import { nameRow } from "./name-row.ts";
import { leftSql, readerSql } from "./reader-sql.ts";
import { metadataError } from "./sqlite-error.ts";
import { isAsLeft } from "./task-faults.ts";

/**
 * Opens the records in a file for the reads of tasks. The store that made the file has checked its schema.
 *
 * @throws FlowError FLOW_METADATA_UNAVAILABLE, FLOW_METADATA_NOT_A_STORE
 */
export function openSqliteTaskReader(file: string): TaskReader {
  try {
    return new SqliteTaskReader(openReader(file), file);
  } catch (error) {
    throw metadataError("Cannot open the records", file, error);
  }
}

/** Made by `openSqliteTaskReader` and `openMemoryMetadata`. */
export class SqliteTaskReader implements TaskReader {
  readonly #db: Connection;
  readonly #file: string;
  readonly #statements = new Map<keyof typeof readerSql, Statement<unknown[], unknown>>();
  #starts: Statement<unknown[], unknown> | undefined;
  #left: Statement<unknown[], unknown> | undefined;

  constructor(db: Connection, file: string) {
    this.#db = db;
    this.#file = file;
  }

  runById(id: RunId) {
    return this.#read(() => {
      const row = this.#statement("runById").get(id) as map.RunRecord | undefined;
      if (row === undefined) return undefined;
      const tags = this.#statement("tagsOfRun").all(row.sequence) as { readonly tag: string }[];
      return map.toRunRow(
        row,
        tags.map(({ tag }) => tag),
        this.#statement("currentExecution").get(row.sequence, row.execution) as map.CurrentExecution | undefined,
      );
    });
  }

  runValues(run: RunSequence) {
    return this.#read(() =>
      (this.#statement("runValues").all(run) as Parameters<typeof map.toRunValue>[0][]).map(map.toRunValue),
    );
  }

  upstreams(run: RunSequence) {
    return this.#read(() =>
      (this.#statement("upstreamsOfRun").all(run) as Parameters<typeof map.toUpstreamRow>[0][]).map(map.toUpstreamRow),
    );
  }

  visibleArtifacts(task: TaskSequence) {
    return this.#read(() =>
      map.toVisibleArtifacts(this.#statement("visibleArtifacts").all(task) as map.VisibleRecord[]),
    );
  }

  leftBy(tasks: readonly TaskSequence[]) {
    return this.#read(() => {
      this.#starts ??= this.#db.prepare(leftSql.starts);
      this.#left ??= this.#db.prepare(leftSql.artifacts);
      const wanted = { tasks: JSON.stringify(tasks) };
      const starts = this.#starts.all(wanted) as readonly map.TaskStart[];
      return map.toLeftArtifacts(starts, this.#left.all(wanted) as readonly map.LeftRecord[]);
    });
  }

  itemPage(split: TaskSequence, index: number) {
    return this.#read(() =>
      map.toItemPage(this.#statement("itemPage").get(split, index, 1) as Parameters<typeof map.toItemPage>[0], index),
    );
  }

  blob(digest: Digest) {
    return this.#read(() => {
      const row = this.#statement("blobByDigest").get(map.bytesOfDigest(digest));
      return row === undefined ? undefined : map.toBlobRow(row as Parameters<typeof map.toBlobRow>[0]);
    });
  }

  cacheEntries(key: Digest, { exceptRun, limit }: { readonly exceptRun: RunSequence; readonly limit: number }) {
    return this.#read(() =>
      toCacheEntries(
        key,
        this.#statement("cacheEntries").all(
          map.bytesOfDigest(key),
          "succeeded",
          exceptRun,
          limit,
        ) as CacheEntryRecord[],
      ),
    );
  }

  isAsLeft(task: TaskSequence) {
    return this.#read(() => isAsLeft(this.#db, task));
  }

  blobsOfTask(task: TaskSequence) {
    return this.#read(() =>
      (this.#statement("blobsOfTask").all(task, task) as Parameters<typeof map.toKeptBlob>[0][]).map(map.toKeptBlob),
    );
  }

  close(): void {
    this.#db.close();
  }

  #statement(name: keyof typeof readerSql): Statement<unknown[], unknown> {
    let statement = this.#statements.get(name);
    if (statement === undefined) {
      statement = this.#db.prepare(readerSql[name]) as Statement<unknown[], unknown>;
      this.#statements.set(name, statement);
    }
    return statement;
  }

  #read<T>(work: () => T): T {
    if (!this.#db.open) {
      throw new FlowError("FLOW_METADATA_CLOSED", {
        message: `Cannot use the records in "${this.#file}": they are closed`,
      });
    }
    try {
      return work();
    } catch (error) {
      throw metadataError("Cannot read the records", this.#file, nameRow(this.#db, error));
    }
  }
}
