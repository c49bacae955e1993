/**
 * Garbage collection: deletes runs that a policy lets go, gives up values whose time is over, and sweeps what nothing
 * names any more. What is deleted, in which order and why this is safe beside runs stands in docs/adr/0035.
 *
 * Each part can be killed at any instant: what it has done stays done, and the next collection goes on. Not here: the
 * statements (metadata/sqlite/deletion) and the files (storage/fs/fs-sweep.ts).
 */
import type { Digest } from "../../artifact/artifact.ts";
import { parseBlobKey } from "../../artifact/blob-layout.ts";
import { FlowError } from "../../errors/flow-error.ts";
import type {
  Amount,
  DeletedBy,
  DeletionStore,
  KeptRun,
  RunChoice,
  RunSelection,
  TagRule,
} from "../../metadata/deletion-store.ts";
import type { BlobSweep } from "../../storage/sweep.ts";
import { matchesAny } from "./tag-pattern.ts";

const DAY_MS = 86_400_000;
export const DEFAULT_GRACE_MS = DAY_MS;
/** What a process may need between storing its code package, or a part of a file, and the record that names it. */
const LEAST_GRACE_MS = 3_600_000;
/** Files that are deleted in one transaction. */
const FILE_BATCH = 100;

export interface RetentionPolicy {
  /** Only runs that ended so long ago. */
  readonly olderThanMs?: number;
  /** Not the newest so many of each flow, among those that status and tag select. */
  readonly keepLast?: number;
  /** Default: succeeded, failed and cancelled ones; lost runs only when they are named. */
  readonly statuses?: readonly ("succeeded" | "failed" | "cancelled" | "lost")[];
  readonly flow?: { readonly project?: string; readonly name: string };
  /** Only runs that hold a tag like one of these (`test:*`); such tags do not keep a run. */
  readonly tags?: readonly string[];
  /** Only tags like these keep a run. Default: every tag does, but those of `tags`. */
  readonly keepTags?: readonly string[];
}

export interface GcOptions extends RetentionPolicy {
  /** How long a value must have been marked before it is deleted, and a file be old. Default one day. */
  readonly graceMs?: number;
  /** Say what would be done, and change nothing. */
  readonly dryRun?: boolean;
  /** Write the database anew at the end, so that it becomes smaller. Refused while runs are under way. */
  readonly vacuum?: boolean;
  readonly by: Omit<DeletedBy, "at">;
  readonly now: () => number;
  readonly onProgress?: (progress: GcProgress) => void;
}

export interface GcProgress {
  readonly doing:
    | "choosing runs"
    | "deleting runs"
    | "looking for what nothing names"
    | "deleting values"
    | "sweeping files";
  readonly done?: number;
  readonly of?: number;
}

export interface GcReport {
  readonly isDryRun: boolean;
  readonly runs: { readonly count: number; readonly tasks: number };
  /** Selected by the policy and kept all the same, newest first, with the reasons. */
  readonly kept: readonly KeptRun[];
  /** Artifacts that were given up because their time was over. */
  readonly expired: { readonly count: number; readonly bytes: number };
  /** Values that nothing names since now; they are deleted by a collection after `deletedAfter`. */
  readonly marked: { readonly count: number; readonly bytes: number };
  readonly deletedAfter: Date;
  /** Values deleted from the records, and their bytes in the database. */
  readonly values: { readonly count: number; readonly bytes: number };
  /** Files of values that were deleted, now or by a collection that did not end. */
  readonly files: { readonly count: number; readonly bytes: number };
  /** Files that writers left half-written, and uploads in parts that nobody ended. */
  readonly unfinished: { readonly count: number; readonly bytes: number };
  /** Why unfinished uploads could not be looked for, in words; absent when they could. */
  readonly uploadsUnlisted?: string;
  /** Files that were left although their values have no record: other records name them, and `flow store repair` mends that. */
  readonly named: { readonly count: number; readonly bytes: number };
  /** Why files were left: runs of an older version are under way. */
  readonly filesLeft?: "old-runs";
  /** Bytes of the database file that hold nothing; they are used again. */
  readonly freeBytes: number;
}

/**
 * @throws FlowError FLOW_GC_RUNNING when another collection or a repair goes on, FLOW_GC_RUNS_UNDER_WAY with `vacuum`, and those of the
 *   rooms of records and files
 */
export async function collectGarbage(
  stores: { readonly records: DeletionStore; readonly sweep: BlobSweep; readonly beforeSweep?: () => Promise<void> },
  options: GcOptions,
): Promise<GcReport> {
  const lock = options.dryRun === true ? undefined : stores.records.lock();
  try {
    if (options.vacuum === true && (await stores.records.running()).since !== undefined) throw runsUnderWay();
    return await new Collection(stores, options).collect();
  } finally {
    lock?.release();
  }
}

class Collection {
  readonly #records: DeletionStore;
  readonly #sweep: BlobSweep;
  readonly #beforeSweep: (() => Promise<void>) | undefined;
  readonly #options: GcOptions;
  readonly #now: number;
  readonly #graceMs: number;
  readonly #isDryRun: boolean;

  constructor({ records, sweep, beforeSweep }: Parameters<typeof collectGarbage>[0], options: GcOptions) {
    this.#records = records;
    this.#sweep = sweep;
    this.#beforeSweep = beforeSweep;
    this.#options = options;
    this.#now = options.now();
    this.#graceMs = options.graceMs ?? DEFAULT_GRACE_MS;
    this.#isDryRun = options.dryRun === true;
  }

  async collect(): Promise<GcReport> {
    this.#tell({ doing: "choosing runs" });
    const choice = await this.#records.choose(selectionOf(this.#options, this.#now));
    const runs = await this.#deleteRuns(choice);
    const expired = await this.#scan(choice);
    const marked = await (this.#isDryRun ? this.#records.unmarked() : this.#records.mark(this.#now));
    const values = await this.#deleteValues();
    if (!this.#isDryRun) await this.#beforeSweep?.();
    const { isOld } = await this.#records.running();
    const { files, named } = isOld ? { files: NOTHING, named: NOTHING } : await this.#sweepFiles();
    const unfinished = await this.#sweepUnfinished();
    const uploadsUnlisted = this.#sweep.whyUnlisted?.();
    if (this.#options.vacuum === true && !this.#isDryRun) await this.#records.giveBack();
    return {
      isDryRun: this.#isDryRun,
      runs,
      kept: choice.kept,
      expired: { count: expired.count, bytes: bytesOf(expired) },
      marked: { count: marked.count, bytes: bytesOf(marked) },
      deletedAfter: new Date(this.#now + this.#graceMs),
      values: { count: values.count, bytes: values.inlineBytes },
      files,
      unfinished,
      ...(uploadsUnlisted === undefined ? {} : { uploadsUnlisted }),
      named,
      ...(isOld ? { filesLeft: "old-runs" } : {}),
      freeBytes: await this.#records.freeBytes(),
    };
  }

  async #deleteRuns(choice: RunChoice): Promise<GcReport["runs"]> {
    if (this.#isDryRun) return { count: choice.going.size, tasks: choice.tasks };
    const by = { ...this.#options.by, at: new Date(this.#now) };
    const of = choice.going.size;
    const deleted = await this.#records.deleteRuns(choice, by, (done) =>
      this.#tell({ doing: "deleting runs", done, of }),
    );
    return { count: deleted.runs, tasks: deleted.tasks };
  }

  /** Finds what nothing names, once the values whose time is over are given up. Answers how many those are. */
  async #scan(choice: RunChoice): Promise<Amount> {
    const given = this.#isDryRun ? undefined : await this.#records.expire(this.#now);
    this.#tell({ doing: "looking for what nothing names" });
    await this.#records.scan(given === undefined ? { choice, expiredAt: this.#now } : undefined);
    return given ?? this.#records.expired(this.#now);
  }

  async #deleteValues(): Promise<Amount> {
    const packages = this.#now - Math.max(this.#graceMs, LEAST_GRACE_MS);
    const before = { values: this.#graceMs === 0 ? ("all" as const) : this.#now - this.#graceMs, packages };
    if (this.#isDryRun) return this.#records.doomed(before);
    // What was marked just now is not confirmed yet: without a grace, another look does that.
    if (this.#graceMs === 0) await this.#records.scan();
    return this.#records.deleteDoomed(before, (done) => this.#tell({ doing: "deleting values", done }));
  }

  /**
   * Files that no record names: of values that were deleted, and of runs that ended before their record was written. One that
   * has lost its own record while others name it is left: a repair records it again.
   */
  async #sweepFiles(): Promise<Pick<GcReport, "files" | "named">> {
    const total = { count: 0, bytes: 0 };
    const left = { count: 0, bytes: 0 };
    const size = this.#sweep.batch ?? FILE_BATCH;
    for await (const { values, done, of } of this.#sweep.pages()) {
      this.#tell({ doing: "sweeping files", done, ...(of === undefined ? {} : { of }) });
      const before = await this.#oldBefore(this.#graceMs);
      const old = values.filter(({ putAt }) => putAt < before);
      for (let at = 0; at < old.length; at += size) {
        const batch = new Map<Digest, (typeof old)[number][]>();
        for (const file of old.slice(at, at + size)) {
          const digest = parseBlobKey(file.key)?.digest;
          if (digest !== undefined) batch.set(digest, [...(batch.get(digest) ?? []), file]);
        }
        const remove = (digests: ReadonlySet<Digest>): void => {
          const files = [...digests].flatMap((digest) => batch.get(digest)!);
          const keys = files.map(({ key }) => key);
          const removed = this.#isDryRun ? new Set(keys) : this.#sweep.removeOld(keys, before);
          for (const { key, sizeBytes } of files) {
            if (!removed.has(key)) continue;
            total.count++;
            total.bytes += sizeBytes;
          }
        };
        const { nameless, named } = await this.#records.withoutRecord([...batch.keys()], this.#isDryRun);
        for (const { sizeBytes } of [...named].flatMap((digest) => batch.get(digest)!)) {
          left.count++;
          left.bytes += sizeBytes;
        }
        if (this.#isDryRun) remove(nameless);
        else if (nameless.size > 0) await this.#records.whileWithoutRecord([...nameless], remove);
      }
    }
    return { files: total, named: left };
  }

  async #sweepUnfinished(): Promise<GcReport["unfinished"]> {
    const before = await this.#oldBefore(Math.max(this.#graceMs, LEAST_GRACE_MS));
    const total = { count: 0, bytes: 0 };
    for (const { key, sizeBytes, putAt } of await this.#sweep.listUnfinished()) {
      if (putAt >= before || (!this.#isDryRun && !this.#sweep.removeUnfinished(key, before))) continue;
      total.count++;
      total.bytes += sizeBytes;
    }
    return total;
  }

  /**
   * Files that were put before are old. Nothing that was put since the oldest run under way began is, whatever the clock
   * says now: it may belong to that run, and the clock may have jumped.
   */
  async #oldBefore(graceMs: number): Promise<number> {
    const { since } = await this.#records.running();
    const { leastGraceMs, clockSlackMs } = this.#sweep;
    const old = this.#now - Math.max(graceMs, leastGraceMs);
    return since === undefined ? old : Math.min(old, since - clockSlackMs);
  }

  #tell(progress: GcProgress): void {
    this.#options.onProgress?.(progress);
  }
}

const NOTHING = { count: 0, bytes: 0 };

/** A policy as a selection of runs; one without a condition selects none. */
export function selectionOf(policy: RetentionPolicy, now: number): RunSelection {
  const { olderThanMs, keepLast, statuses, flow, tags } = policy;
  const protects = tagRule(policy);
  const conditions = [olderThanMs, keepLast, statuses, flow, tags];
  if (conditions.every((condition) => condition === undefined))
    return { kind: "runs", runs: [], withLost: false, protects };
  return {
    kind: "policy",
    statuses: statuses ?? ["succeeded", "failed", "cancelled"],
    protects,
    ...(olderThanMs === undefined ? {} : { endedBefore: now - olderThanMs }),
    ...(keepLast === undefined ? {} : { keepLast }),
    ...(flow === undefined ? {} : { flow }),
    ...(tags === undefined ? {} : { holds: matchesAny(tags) }),
  };
}

/** Which tags keep the runs that hold them. */
export function tagRule({ tags, keepTags }: Pick<RetentionPolicy, "tags" | "keepTags">): TagRule {
  if (keepTags !== undefined) return matchesAny(keepTags);
  if (tags === undefined) return () => true;
  const selected = matchesAny(tags);
  return (tag) => !selected(tag);
}

function bytesOf({ inlineBytes, fileBytes }: Amount): number {
  return inlineBytes + fileBytes;
}

function runsUnderWay(): FlowError {
  return new FlowError("FLOW_GC_RUNS_UNDER_WAY", {
    message: "Cannot write the database anew: runs are under way, and would wait as long as it takes",
    hint: "Wait until they have ended, or leave --vacuum away",
  });
}
