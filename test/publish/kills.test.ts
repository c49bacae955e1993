/**
 * A process that publishes dies at its n-th call to the bucket, for every n: before the call did anything, and after it did all and nobody heard. What was
 * acknowledged until then comes out of the bucket, and the next process brings the bucket to where the records are.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { deleteRuns } from "../../packages/core/src/admin/gc/delete-runs.ts";
import { INLINE_LIMIT_BYTES } from "../../packages/core/src/artifact/artifact.ts";
import { blobKey } from "../../packages/core/src/artifact/blob-layout.ts";
import { FlowError } from "../../packages/core/src/errors/flow-error.ts";
import type {
  MetadataStore,
  RunRow,
  RunSequence,
  TaskSequence,
} from "../../packages/core/src/metadata/metadata-store.ts";
import { openSqliteDeletion } from "../../packages/core/src/metadata/sqlite/deletion/open-deletion.ts";
import type { BlobStore } from "../../packages/core/src/storage/blob-store.ts";
import { openMemoryBlobStore } from "../../packages/core/src/storage/memory/memory-blob-store.ts";
import { publishingRecords } from "../../packages/core/src/wiring/publishing-records.ts";
import { artifactOf, blobOf, finished, newRun, runner, started, tick } from "../conformance/metadata-store/records.ts";
import { times } from "../faults/twenty.ts";
import {
  closeStore,
  databaseOf,
  exportsOf,
  type FolderStore,
  findingsOf,
  openFolder,
  rebuildInto,
} from "./publish-kit.ts";

const LARGE = "x".repeat(INLINE_LIMIT_BYTES + 1);
let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-kills-"));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

/** A bucket whose caller is dead from one call on. */
class DyingBucket {
  calls = 0;
  isDead = false;
  readonly store: BlobStore;

  constructor(store: BlobStore, diesAt: number, when: "before" | "after") {
    this.store = new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        return async (...args: unknown[]): Promise<unknown> => {
          if (this.isDead || (++this.calls === diesAt && when === "before")) throw this.#died();
          const answer = await Reflect.apply(value, target, args);
          if (this.calls === diesAt) throw this.#died();
          return answer;
        };
      },
    });
  }

  #died(): FlowError {
    this.isDead = true;
    return new FlowError("FLOW_STORAGE_UNAVAILABLE", { message: "the process is dead" });
  }
}

interface Told {
  readonly metadata: MetadataStore;
  readonly settle: () => Promise<void>;
}

function publishing(records: MetadataStore, bucket: BlobStore, onUntold: (error: unknown) => void): Told {
  return publishingRecords(records, { openBucket: async () => bucket, onUntold });
}

async function work(
  metadata: MetadataStore,
  bucket: BlobStore,
  run: RunRow,
  text: string,
  execution = 1,
): Promise<TaskSequence> {
  const task = await metadata.reserveTasks(1);
  const large = blobOf(LARGE + text);
  const { stored, ...row } = large;
  await bucket.put(blobKey(large.digest, "none"), [stored!]); // As whoever writes a row does first.
  await metadata.commitTick(
    tick({
      run: run.sequence,
      execution,
      started: [started(run, task, { attempt: execution, path: "1" as never })],
      blobs: [blobOf(text), blobOf("common"), row],
      finished: [
        finished(task, {
          artifacts: [artifactOf("common", "common"), artifactOf("large", LARGE + text), artifactOf("own", text)],
        }),
      ],
      logs: [{ task, attempt: execution, stream: "stdout", at: new Date(0), text: `${text}\n` }],
    }),
  );
  return task;
}

const by = { actor: "ann", host: "mill", at: new Date("2026-05-04T12:00:01.000Z"), via: "flow tag" };
const at = new Date("2026-05-04T12:00:02.000Z");

/** What commands do one after another; `acknowledged` is called when a command has said that it is done. */
async function story(
  told: Told,
  bucket: BlobStore,
  file: string,
  acknowledged: (name: string) => Promise<void>,
): Promise<void> {
  const { metadata } = told;
  const first = await metadata.createRun(newRun({ tags: ["early"], values: [], blobs: [] }));
  await metadata.finishRun({
    ...endOf(first),
    endTask: await work(metadata, bucket, first, "one"),
    status: "succeeded",
  });
  await acknowledged("a run succeeded");
  await metadata.moveTags({ ...by, run: first.sequence, add: ["prod:v1"], remove: ["early"], reason: "größer" });
  await acknowledged("a tag moved");
  const second = await metadata.createRun(newRun({ flow: { project: "shop", name: "Other" } }));
  await work(metadata, bucket, second, "two");
  await metadata.finishRun({ ...endOf(second), status: "failed" });
  await acknowledged("a run failed");
  const execution = await metadata.beginExecution({
    run: second.sequence,
    actor: "ann",
    at,
    runner,
    command: [],
  } as never);
  const task = await work(metadata, bucket, second, "three", execution);
  await metadata.finishRun({ ...endOf(second), execution, endTask: task, status: "succeeded" });
  await acknowledged("it was resumed");
  await metadata.setTagPolicy({ ...by, policy: { pattern: "prod:*", exclusive: true } });
  await acknowledged("a policy was set");
  const third = await metadata.createRun(newRun());
  await metadata.finishRun({
    ...endOf(third),
    endTask: await work(metadata, bucket, third, "four"),
    status: "succeeded",
  });
  await acknowledged("another run succeeded");
  const liveness = { self: runner, now: () => 0, isAlive: () => undefined };
  const deletion = openSqliteDeletion(file, { lockFile: `${file}.lock`, liveness } as never);
  await deleteRuns(deletion, [third.sequence], { by: { ...by, via: "flow runs delete" } }).finally(() =>
    deletion.close(),
  );
  await told.settle();
  await acknowledged("it was deleted");
}

function endOf(run: RunRow) {
  return { run: run.sequence, execution: 1, finishedAt: at };
}

/** Everything but what is only noted for the bucket. */
async function stateOf(store: FolderStore) {
  return {
    exports: await exportsOf(store),
    events: await store.metadata.tagEvents({}),
    policies: await store.metadata.tagPolicies(),
    deleted: (await store.metadata.deletedRunsByNumber({ name: "Train" }, 2)).map(({ id }) => id),
  };
}

async function openHere(): Promise<FolderStore> {
  return await openFolder(path.join(folder, "store"));
}

/** One life, until it dies; then what comes out of the bucket, and what the next life makes of it. */
async function live(
  diesAt: number,
  when: "before" | "after",
): Promise<{ readonly calls: number; readonly isDead: boolean }> {
  const bucket = openMemoryBlobStore();
  const dying = new DyingBucket(bucket, diesAt, when);
  const store = await openHere();
  let isUntold = false;
  const told = publishing(store.metadata, dying.store, () => {
    isUntold = true;
  });
  let seen: Awaited<ReturnType<typeof stateOf>> | undefined;
  try {
    await story(told, bucket, databaseOf(store.folder), async () => {
      if (isUntold) throw new FlowError("FLOW_STORAGE_UNAVAILABLE", { message: "not acknowledged" });
      for (const [key, value] of await bucketBlobs(bucket)) await store.blobs.put(key, [value]);
      seen = await stateOf(store);
    });
  } catch (error) {
    if (!dying.isDead) throw error;
  }

  if (seen !== undefined) {
    await rebuildInto(bucket, path.join(folder, "out"));
    const out = await openFolder(path.join(folder, "out"));
    const now = await stateOf(out);
    // What came after the last acknowledgement may be there too, and no run that was acknowledged is less than it was.
    expect(now.events.toReversed().slice(0, seen.events.length)).toEqual(seen.events.toReversed());
    const runs = new Map((await out.metadata.runs({ limit: 100 })).map((run) => [run.sequence, run]));
    for (const name of Object.keys(seen.exports)) {
      const sequence = Number(/ at (\d+) /.exec(name)![1]) as RunSequence;
      const run = runs.get(sequence);
      if (run === undefined)
        expect(now.deleted).toHaveLength(1); // Deleted since.
      else if (
        run.execution.number === (await store.metadata.run(sequence))?.execution.number &&
        now.exports[name] !== undefined
      )
        expect(now.exports[name]).toBe(seen.exports[name]);
      if (name.includes("(succeeded)") && run !== undefined) expect(run.status).toBe("succeeded");
    }
    await closeStore(out);
  }

  const next = publishing(store.metadata, bucket, (error) => {
    throw error;
  });
  await next.metadata.setTagPolicy({ ...by, policy: { pattern: "late:*", protected: true } });
  await next.settle();
  for (const [key, value] of await bucketBlobs(bucket)) await store.blobs.put(key, [value]);
  const { publishStore } = await import("../../packages/core/src/publish/publish-store.ts");
  await publishStore(store, bucket);
  await rebuildInto(bucket, path.join(folder, "again"));
  const again = await openFolder(path.join(folder, "again"));
  // A run that goes on here is in the bucket as its last execution ended; also as a success that was written and never recorded.
  const open = (await store.metadata.runs({ limit: 100 })).filter(({ status }) => status === "running");
  const state = await stateOf(again);
  const isOpen = (name: string): boolean => open.some(({ sequence }) => name.includes(` at ${sequence} (`));
  const kept = Object.entries(state.exports).filter(([name]) => !isOpen(name));
  const deleted = state.deleted.filter((id) => !open.some((run) => run.id === id)); // Begun, and nothing of it in the bucket.
  expect({ ...state, deleted, exports: Object.fromEntries(kept) }).toEqual(await stateOf(store));
  await closeStore(again);
  // Values of a run whose records never came to be are noted, and no damage.
  const findings = await findingsOf(path.join(folder, "again"));
  expect(findings.filter((finding) => !finding.includes('"kind":"note"'))).toEqual([]);
  await closeStore(store);
  for (const name of ["store", "out", "again"]) fs.rmSync(path.join(folder, name), { recursive: true, force: true });
  return dying;
}

async function bucketBlobs(bucket: BlobStore): Promise<readonly (readonly [string, Uint8Array])[]> {
  const { keys } = await bucket.list({ prefix: "blobs/" });
  return await Promise.all(keys.map(async (key) => [key, (await bucket.get(key))!] as const));
}

describe.each(["before", "after"] as const)("a process dies %s its call", (when) => {
  test("at every call, and nothing that it acknowledged is lost", { timeout: 300_000 }, async () => {
    let calls = 0;
    for (let diesAt = 1; ; diesAt += times(1, 2) === 2 ? 1 : 4) {
      const life = await live(diesAt, when).catch((error: unknown) => {
        throw new Error(`dies ${when} call ${diesAt}: ${error instanceof Error ? error.stack : String(error)}`, {
          cause: error,
        });
      });
      if (!life.isDead) break;
      calls = diesAt;
    }
    expect(calls).toBeGreaterThan(16);
  });
});
