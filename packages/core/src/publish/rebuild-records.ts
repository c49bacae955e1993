/**
 * `flow store rebuild`: the records of a store from its bucket alone. The log first, which names flows and says what was deleted; then the newest
 * manifest of each run, with its packs; then a look at what else lies there. What is wrong is collected and told together, and then nothing is left of what was built.
 */
import { setImmediate as turn } from "node:timers/promises";
import type { Digest } from "../artifact/artifact.ts";
import { BLOB_PREFIX, parseBlobKey } from "../artifact/blob-layout.ts";
import { FlowError, isFlowError, type Problem, problemsError } from "../errors/flow-error.ts";
import type { RunId } from "../ids/run-id.ts";
import type { LogEnd } from "../metadata/bucket-records.ts";
import type { RebuildFault, RebuiltFacts, RecordRebuild } from "../metadata/record-rebuild.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import type { RunLine } from "../transfer/lines.ts";
import { runFacts, toRow } from "../transfer/read-rows.ts";
import { NO_LOG, readLog } from "./bucket-log.ts";
import { type BucketIdentity, readIdentity } from "./identity.ts";
import { packKey, parseRunKey, RUNS_PREFIX, runKey } from "./layout.ts";
import type { HeadLine, ManifestLine } from "./lines.ts";
import { readPack } from "./pack.ts";
import { damaged } from "./publish-error.ts";
import { readAgain } from "./read-again.ts";
import { readPackage } from "./read-package.ts";
import { readRun } from "./read-run.ts";

/** Problems that are told; the others are counted. */
const MAX_PROBLEMS = 1_000;

export interface RebuildOptions {
  /** Who builds, for what is left of runs whose records are not in the bucket. */
  readonly actor: string;
  readonly host: string;
  readonly at: Date;
  /** Leaves runs out that are not whole, and all else that is whole is built. Default: everything must be whole. */
  readonly skipDamaged?: boolean;
  readonly onProgress?: (progress: { readonly runs: number; readonly totalRuns: number }) => void;
  readonly signal?: AbortSignal;
}

export interface RebuildReport {
  readonly store: string;
  readonly runs: number;
  readonly tasks: number;
  /** Runs that were deleted: nothing of them was read. */
  readonly deleted: number;
  /** Runs that were begun and have no records in the bucket, by their names: they run still, or what ran them was lost, or an object is missing. */
  readonly unread: readonly string[];
  /** Runs that were left out since objects of theirs are damaged or missing; they are listed as deleted too. */
  readonly leftOut: readonly LeftOutRun[];
}

export interface LeftOutRun {
  readonly id: RunId;
  /** Such as `Train/17`; the key of its object where the log does not name it. */
  readonly run: string;
  /** What is wrong, in words. */
  readonly why: string;
  /** Runs that were built and have something to do with it: they read from it, go on from it, started it or were started by it. At most 100. */
  readonly usedBy: readonly string[];
}

/**
 * Builds records from what a bucket has.
 *
 * @param open makes the place for the records of a store
 * @throws FlowError FLOW_PUBLISH_NO_STORE, FLOW_PUBLISH_DAMAGED with everything that is missing or not as it was written, FLOW_PUBLISH_NEWER_FORMAT,
 *   and those of the bucket and of the records
 */
export async function rebuildRecords(
  bucket: BlobStore,
  open: (store: BucketIdentity) => RecordRebuild,
  options: RebuildOptions,
): Promise<RebuildReport> {
  const identity = await readIdentity(bucket);
  if (identity === undefined)
    throw new FlowError("FLOW_PUBLISH_NO_STORE", {
      message: "Cannot build records from the bucket: there is no store in it",
      hint: "Look at the bucket and prefix that you named; flow store init makes a store there",
    });
  // What is wrong with a run may be known only when all runs are there: then it begins anew without it.
  const skipped = new Map<RunId, string>();
  for (;;) {
    const rebuild = open(identity);
    try {
      const report = await new Rebuilder(bucket, { rebuild, identity, options, skipped }).build();
      if (report !== "again") {
        rebuild.commit();
        return report;
      }
    } catch (error) {
      rebuild.discard();
      throw error;
    }
    rebuild.discard();
  }
}

interface Rebuilding {
  readonly rebuild: RecordRebuild;
  readonly identity: BucketIdentity;
  readonly options: RebuildOptions;
  /** Runs that are left out, and why; grows. */
  readonly skipped: Map<RunId, string>;
}

class Rebuilder {
  readonly #bucket: BlobStore;
  readonly #rebuild: RecordRebuild;
  readonly #identity: BucketIdentity;
  readonly #options: RebuildOptions;
  readonly #skipped: Map<RunId, string>;
  readonly #problems: (Problem & { readonly without?: readonly RunId[] })[] = [];
  /** Of runs that are in. */
  readonly #packages = new Set<Digest>();
  /** Of the run that is being read: they go when it is taken back. */
  #ownPackages: Digest[] = [];
  #runs = 0;
  #tasks = 0;
  #deleted = 0;

  constructor(bucket: BlobStore, { rebuild, identity, options, skipped }: Rebuilding) {
    this.#bucket = bucket;
    this.#skipped = skipped;
    this.#rebuild = rebuild;
    this.#identity = identity;
    this.#options = options;
  }

  /** @returns `again` when runs were found that are to be left out */
  async build(): Promise<RebuildReport | "again"> {
    const end = await this.#readLog();
    const manifests = await this.#manifests();
    for (const [run, { execution, again }] of manifests) {
      this.#options.signal?.throwIfAborted();
      if (this.#skipped.has(run)) continue;
      await this.#collected(runKey(run, execution, again), run, () =>
        this.#readRun(run, runKey(run, execution, again)),
      );
      this.#options.onProgress?.({ runs: this.#runs + this.#deleted, totalRuns: manifests.size });
    }
    await this.#listBlobs();
    const { at, actor, host } = this.#options;
    for (const fault of this.#rebuild.finish(end, { at, actor, host })) this.#addFault(fault);
    if (this.#problems.length > 0) {
      if (this.#options.skipDamaged !== true || !this.#skip()) throw this.#refusal();
      return "again";
    }
    const known = new Map(this.#rebuild.unread.map((run) => [run.id, run]));
    return {
      store: this.#identity.store,
      runs: this.#runs,
      tasks: this.#tasks,
      deleted: this.#deleted,
      unread: this.#rebuild.unread.flatMap(({ id, run }) => (this.#skipped.has(id) ? [] : [run])),
      leftOut: [...this.#skipped].map(([id, why]) => {
        const { run, usedBy } = known.get(id) ?? { run: `${RUNS_PREFIX}${id}`, usedBy: [] };
        return { id, run, why, usedBy };
      }),
    };
  }

  /** Leaves all runs out that have problems; answers whether that helps with each of them. */
  #skip(): boolean {
    const before = this.#skipped.size;
    for (const { message, without = [] } of this.#problems) {
      if (without.length === 0) return false;
      for (const run of without) if (!this.#skipped.has(run)) this.#skipped.set(run, message);
    }
    return this.#skipped.size > before;
  }

  #refusal(): FlowError {
    const told = this.#problems.slice(0, MAX_PROBLEMS).map(({ code, message }) => ({ code, message }));
    const more = this.#problems.length - told.length;
    if (more > 0) told.push({ code: "FLOW_PUBLISH_DAMAGED", message: `${more} more are not told one by one` });
    const canSkip = this.#options.skipDamaged !== true && this.#problems.every(({ without }) => without !== undefined);
    const back = "Put what is missing back from a copy of the bucket, or from older versions of its objects";
    return problemsError("Cannot build records from the bucket", told, {
      hint: canSkip ? `${back}; or leave these runs out: flow store rebuild --skip-damaged` : back,
    });
  }

  async #readLog(): Promise<LogEnd> {
    let end = NO_LOG;
    for await (const object of readLog(this.#bucket)) {
      this.#options.signal?.throwIfAborted();
      if (object.store !== this.#identity.store) throw damaged(`log/${object.end.number}`, "it is of another store");
      for (const line of object.lines) this.#rebuild.tell(line);
      end = object.end;
    }
    return end;
  }

  /** Of each run the newest. */
  async #manifests(): Promise<ReadonlyMap<RunId, { readonly execution: number; readonly again: number }>> {
    const found = new Map<RunId, { readonly execution: number; readonly again: number }>();
    for (let after: string | undefined; ; ) {
      const page = await this.#bucket.list({ prefix: RUNS_PREFIX, ...(after === undefined ? {} : { after }) });
      for (const key of page.keys) {
        const parsed = parseRunKey(key);
        if (parsed === undefined) continue;
        const known = found.get(parsed.run);
        const isNewer =
          known === undefined ||
          parsed.execution > known.execution ||
          (parsed.execution === known.execution && parsed.again > known.again);
        if (isNewer) found.set(parsed.run, parsed);
      }
      if (page.next === undefined) return found;
      after = page.next;
    }
  }

  /** What was taken back may be read again: a wrong byte may have come of the way. */
  async #readRun(run: RunId, key: string): Promise<void> {
    await readAgain(() => this.#readRunOnce(run, key));
  }

  async #readRunOnce(run: RunId, key: string): Promise<void> {
    let head: HeadLine | undefined;
    let tasks = 0;
    this.#ownPackages = [];
    try {
      for await (const line of readRun(this.#bucket, key)) {
        this.#options.signal?.throwIfAborted();
        if (line.kind === "manifest") {
          if (line.id !== run || line.store !== this.#identity.store)
            throw damaged(key, `it is the run ${line.id} of the store ${line.store}`);
          if (this.#rebuild.isDeleted({ id: run, number: line.number })) {
            this.#deleted++;
            return;
          }
          head = line;
        } else {
          if (line.kind === "task" && ++tasks % 1_000 === 0) await turn();
          await this.#add(head!, line);
        }
      }
      const faults = this.#rebuild.end();
      if (faults.length === 0) {
        this.#runs++;
        this.#tasks += tasks;
        for (const digest of this.#ownPackages) this.#packages.add(digest);
      } else for (const message of faults) this.#addFault({ run: key, message, without: [run] });
    } catch (error) {
      this.#rebuild.abandon();
      throw error;
    }
  }

  async #add(head: HeadLine, line: ManifestLine): Promise<void> {
    const rebuild = this.#rebuild;
    switch (line.kind) {
      case "run":
        return rebuild.begin(factsOf(head, line));
      case "origin": {
        const { kind, task, ...origin } = line;
        return rebuild.add({ kind, task, origin });
      }
      case "call":
        return rebuild.add(line);
      case "term":
        return rebuild.add({ ...line, expiresAt: line.expiresAt === null ? null : new Date(line.expiresAt) });
      case "offer": {
        const { recordDigest, ...offer } = line;
        const digest = recordDigest === undefined ? {} : { recordDigest };
        return rebuild.add({ ...offer, ...digest, createdAt: new Date(line.createdAt) });
      }
      case "package":
        return await this.#addPackage(line.digest);
      case "blob": {
        const { kind: _, ...blob } = line;
        return rebuild.blob(blob);
      }
      case "pack":
        for (const blob of await readPack(this.#bucket, packKey(head.id, line.digest), line.digest)) rebuild.blob(blob);
        return;
      case "end":
        return;
      default: {
        const row = toRow(line);
        if (row !== undefined) rebuild.add(row);
      }
    }
  }

  async #addPackage(digest: Digest): Promise<void> {
    if (this.#packages.has(digest)) return;
    this.#ownPackages.push(digest);
    const { manifest, files } = await readPackage(this.#bucket, digest);
    this.#rebuild.package({ digest, manifest, blobs: files.map((file) => file.digest) });
  }

  /** What lies under keys of its own, and how large it is. */
  async #listBlobs(): Promise<void> {
    for (let after: string | undefined; ; ) {
      const query = { prefix: BLOB_PREFIX, withFacts: true, ...(after === undefined ? {} : { after }) };
      const page = await this.#bucket.list(query);
      this.#options.signal?.throwIfAborted();
      for (const [index, key] of page.keys.entries()) {
        const parsed = parseBlobKey(key);
        if (parsed !== undefined) this.#rebuild.found({ ...parsed, sizeBytes: page.facts![index]!.sizeBytes });
      }
      if (page.next === undefined) return;
      after = page.next;
    }
  }

  /** What is wrong with one object is told with what is wrong with the others; all else ends the rebuild. */
  async #collected(key: string, run: RunId, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!OF_A_RUN.some((code) => isFlowError(error, code))) throw error;
      this.#addFault({ run: key, message: (error as FlowError).message, without: [run] });
    }
  }

  #addFault({ run, message, without }: RebuildFault): void {
    this.#problems.push({
      ...(without === undefined ? {} : { without }),
      code: "FLOW_PUBLISH_DAMAGED",
      message: run === undefined || message.includes(`"${run}"`) ? message : `${run}: ${message}`,
    });
  }
}

const OF_A_RUN = ["FLOW_PUBLISH_DAMAGED", "FLOW_METADATA_BAD_ARGUMENT", "FLOW_METADATA_CONFLICT"] as const;

/** The facts of a run as they were recorded. */
function factsOf(head: HeadLine, line: RunLine): RebuiltFacts {
  const { callInputs, imported, sequence, number, flow } = head;
  const by = callInputs === undefined ? {} : { callInputs };
  const { imported: _, ...facts } = runFacts(line, by, undefined as never);
  const from = imported === undefined ? {} : { imported: { ...imported, at: new Date(imported.at) } };
  return { ...facts, ...from, sequence, number, flowRow: flow };
}
