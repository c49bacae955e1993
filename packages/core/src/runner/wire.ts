/**
 * The form in which batches and their results travel between threads and processes. Structured cloning pays for each
 * object, each key and each byte array; a thousand siblings of a foreach differ in a few numbers. So tasks in a row go as
 * a range, and results of which nothing is to be told but what they left go as columns, their bytes in one array.
 *
 * What does not fit travels as it is. Nothing here is stored: both ends are of one program.
 */
import type { CodecId, Digest, NewBlob } from "../artifact/artifact.ts";
import type { TaskPath } from "../ids/task-path.ts";
import type { NewArtifact, TaskSequence } from "../metadata/metadata-store.ts";
import type { BatchTask, TaskResult } from "./protocol.ts";
import type { BatchReport, WorkerBatch } from "./worker-host.ts";

/** Siblings of one foreach: number, index and path of each follow from the first. */
interface TaskRange {
  readonly first: BatchTask;
  readonly count: number;
  /** The path without the index. */
  readonly before: string;
}

export type WireBatch<B extends WorkerBatch = WorkerBatch> = Omit<B, "tasks"> & {
  readonly tasks: readonly BatchTask[] | TaskRange;
};

export function packBatch<B extends WorkerBatch>(batch: B): WireBatch<B> {
  const range = rangeOf(batch.tasks);
  return range === undefined ? batch : { ...batch, tasks: range };
}

export function unpackBatch<B extends WorkerBatch>(batch: WireBatch<B>): B {
  const { tasks } = batch;
  return ("count" in tasks ? { ...batch, tasks: tasksOf(tasks) } : batch) as B;
}

function rangeOf(tasks: readonly BatchTask[]): TaskRange | undefined {
  const first = tasks[0];
  const item = first?.item;
  if (item === undefined || tasks.length < 2) return undefined;
  const index = String(item.index);
  if (!first!.path.endsWith(index)) return undefined;
  const before = first!.path.slice(0, first!.path.length - index.length);
  for (let at = 1; at < tasks.length; at++) {
    const task = tasks[at]!;
    if (
      task.sequence !== first!.sequence + at ||
      task.item?.index !== item.index + at ||
      task.item.split !== item.split ||
      task.path !== before + (item.index + at) ||
      task.attempt !== first!.attempt ||
      task.inherits !== first!.inherits ||
      task.inputs !== undefined ||
      task.before !== undefined ||
      task.fallback !== undefined
    )
      return undefined;
  }
  const isPlain = first!.inputs === undefined && first!.before === undefined && first!.fallback === undefined;
  return isPlain ? { first: first!, count: tasks.length, before } : undefined;
}

function tasksOf({ first, count, before }: TaskRange): readonly BatchTask[] {
  const { split, index } = first.item!;
  return Array.from({ length: count }, (_, at) => ({
    ...first,
    sequence: (first.sequence + at) as TaskSequence,
    path: `${before}${index + at}` as TaskPath,
    item: { split, index: index + at },
  }));
}

/** Of each task, in the order of the batch: what a success leaves and nothing else. */
interface ResultColumns {
  /** Milliseconds since 1970. */
  readonly startedAt: Float64Array;
  readonly durationMs: Float64Array;
  /** Index into `readLists`; -1 for none. */
  readonly valueReads: Int32Array;
  readonly readLists: readonly (readonly string[])[];
  readonly artifactCounts: Uint32Array;
  readonly blobCounts: Uint32Array;
  /** Of each artifact and each blob, one after another. */
  readonly artifacts: {
    readonly names: readonly string[];
    readonly codecs: readonly CodecId[];
    readonly sizes: Float64Array;
    readonly digests: string;
  };
  readonly blobs: {
    readonly digests: string;
    readonly sizes: Float64Array;
    readonly storedSizes: Float64Array;
    readonly isZstd: Uint8Array;
    /** Bytes in `bytes`; -1 for a blob whose bytes are elsewhere. */
    readonly lengths: Int32Array;
    readonly bytes: Uint8Array;
  };
}

export type WireReport = Omit<BatchReport, "results"> & { readonly results: readonly TaskResult[] | ResultColumns };

const DIGEST_LENGTH = 64;
/** From so many artifacts on one result alone is worth columns. */
const MANY_ARTIFACTS = 16;

export function packReport(report: BatchReport): WireReport {
  const { results } = report;
  const artifacts = results.length === 1 ? artifactsOf(results[0]!).length : 0;
  if ((results.length > 1 || artifacts >= MANY_ARTIFACTS) && results.every(isPlain))
    return { ...report, results: columnsOf(results) };
  return { ...report, results: results.map((result) => ({ ...result, blobs: result.blobs.map(exactSize) })) };
}

/** @param tasks those of the batch: results are of the first ones, in their order */
export function unpackReport(report: WireReport, tasks: readonly BatchTask[]): BatchReport {
  const { results } = report;
  return "startedAt" in results ? { ...report, results: resultsOf(results, tasks) } : (report as BatchReport);
}

function artifactsOf({ outcome }: TaskResult): readonly NewArtifact[] {
  return "artifacts" in outcome ? outcome.artifacts : [];
}

type PlainResult = TaskResult & { readonly outcome: { readonly kind: "succeeded" } };

function isPlain(result: TaskResult): result is PlainResult {
  const { outcome, reads, logs, liveChunks } = result;
  return (
    outcome.kind === "succeeded" &&
    reads.length === 0 &&
    logs.length === 0 &&
    liveChunks === 0 &&
    outcome.pages.length === 0 &&
    outcome.fanOut === undefined &&
    outcome.choice === undefined &&
    outcome.metrics === undefined &&
    outcome.cache === undefined &&
    outcome.uncached === undefined &&
    outcome.takenFrom === undefined &&
    outcome.artifacts.every(({ term, digest }) => term === undefined && digest.length === DIGEST_LENGTH)
  );
}

/** Written out in loops: `from` and `map` with their calls took a fifth of what a task costs its worker. */
function columnsOf(results: readonly PlainResult[]): ResultColumns {
  const lists = new ReadLists();
  const count = results.length;
  const startedAt = new Float64Array(count);
  const durationMs = new Float64Array(count);
  const valueReads = new Int32Array(count);
  const artifactCounts = new Uint32Array(count);
  const blobCounts = new Uint32Array(count);
  const artifacts: NewArtifact[] = [];
  const blobs: NewBlob[] = [];
  for (let at = 0; at < count; at++) {
    const result = results[at]!;
    startedAt[at] = result.startedAt.getTime();
    durationMs[at] = result.durationMs;
    valueReads[at] = lists.indexOf(result.valueReads);
    artifactCounts[at] = result.outcome.artifacts.length;
    blobCounts[at] = result.blobs.length;
    for (const artifact of result.outcome.artifacts) artifacts.push(artifact);
    for (const blob of result.blobs) blobs.push(blob);
  }
  const columns = { startedAt, durationMs, valueReads, readLists: lists.all, artifactCounts, blobCounts };
  return { ...columns, artifacts: artifactColumns(artifacts), blobs: blobColumns(blobs) };
}

/** Each list of names once: mostly all tasks have read the same. */
class ReadLists {
  readonly all: (readonly string[])[] = [];
  readonly #indexes = new Map<string, number>();

  /** -1 for none. */
  indexOf(names: readonly string[] | undefined): number {
    if (names === undefined) return -1;
    const key = names.join();
    let index = this.#indexes.get(key);
    if (index === undefined) {
      index = this.all.push(names) - 1;
      this.#indexes.set(key, index);
    }
    return index;
  }
}

function artifactColumns(artifacts: readonly NewArtifact[]): ResultColumns["artifacts"] {
  const names: string[] = [];
  const codecs: CodecId[] = [];
  const sizes = new Float64Array(artifacts.length);
  const digests: string[] = [];
  for (let at = 0; at < artifacts.length; at++) {
    const { name, codec, digest, sizeBytes } = artifacts[at]!;
    names.push(name);
    codecs.push(codec);
    sizes[at] = sizeBytes;
    digests.push(digest);
  }
  return { names, codecs, sizes, digests: digests.join("") };
}

function blobColumns(blobs: readonly NewBlob[]): ResultColumns["blobs"] {
  const count = blobs.length;
  const sizes = new Float64Array(count);
  const storedSizes = new Float64Array(count);
  const isZstd = new Uint8Array(count);
  const lengths = new Int32Array(count);
  const digests: string[] = [];
  let length = 0;
  for (let at = 0; at < count; at++) {
    const { digest, sizeBytes, storedBytes, compression, stored } = blobs[at]!;
    sizes[at] = sizeBytes;
    storedSizes[at] = storedBytes;
    if (compression === "zstd") isZstd[at] = 1;
    lengths[at] = stored?.byteLength ?? -1;
    length += stored?.byteLength ?? 0;
    digests.push(digest);
  }
  // In memory of its own: cloning a view clones all of the memory behind it.
  const bytes = new Uint8Array(length);
  let end = 0;
  for (const { stored } of blobs) {
    if (stored === undefined) continue;
    bytes.set(stored, end);
    end += stored.byteLength;
  }
  return { digests: digests.join(""), sizes, storedSizes, isZstd, lengths, bytes };
}

function resultsOf(columns: ResultColumns, tasks: readonly BatchTask[]): readonly TaskResult[] {
  const results: TaskResult[] = [];
  const artifacts = new ArtifactCursor(columns.artifacts);
  const blobs = new BlobCursor(columns.blobs);
  for (let at = 0; at < columns.startedAt.length; at++) {
    const { sequence, attempt } = tasks[at]!;
    const list = columns.valueReads[at]!;
    const result = {
      sequence,
      attempt,
      startedAt: new Date(columns.startedAt[at]!),
      durationMs: columns.durationMs[at]!,
      outcome: { kind: "succeeded", artifacts: artifacts.take(columns.artifactCounts[at]!), pages: [] },
      blobs: blobs.take(columns.blobCounts[at]!),
      reads: [],
      logs: [],
      liveChunks: 0,
    } as const;
    results.push(list === -1 ? result : { ...result, valueReads: columns.readLists[list]! });
  }
  return results;
}

class ArtifactCursor {
  readonly #columns: ResultColumns["artifacts"];
  #at = 0;

  constructor(columns: ResultColumns["artifacts"]) {
    this.#columns = columns;
  }

  take(count: number): readonly NewArtifact[] {
    const { names, codecs, sizes, digests } = this.#columns;
    const taken: NewArtifact[] = [];
    for (const end = this.#at + count; this.#at < end; this.#at++)
      taken.push({
        name: names[this.#at]!,
        codec: codecs[this.#at]!,
        digest: digestAt(digests, this.#at),
        sizeBytes: sizes[this.#at]!,
      });
    return taken;
  }
}

class BlobCursor {
  readonly #columns: ResultColumns["blobs"];
  #at = 0;
  #byte = 0;

  constructor(columns: ResultColumns["blobs"]) {
    this.#columns = columns;
  }

  take(count: number): readonly NewBlob[] {
    const { digests, sizes, storedSizes, isZstd, lengths, bytes } = this.#columns;
    const taken: NewBlob[] = [];
    for (const end = this.#at + count; this.#at < end; this.#at++) {
      const length = lengths[this.#at]!;
      const blob = {
        digest: digestAt(digests, this.#at),
        sizeBytes: sizes[this.#at]!,
        storedBytes: storedSizes[this.#at]!,
        compression: isZstd[this.#at] === 1 ? "zstd" : "none",
      } as const;
      if (length === -1) {
        taken.push(blob);
        continue;
      }
      taken.push({ ...blob, stored: bytes.subarray(this.#byte, this.#byte + length) });
      this.#byte += length;
    }
    return taken;
  }
}

function digestAt(digests: string, index: number): Digest {
  return digests.slice(index * DIGEST_LENGTH, (index + 1) * DIGEST_LENGTH) as Digest;
}

/** Cloning a view clones all of its memory, so bytes that travel own theirs. */
function exactSize(blob: NewBlob): NewBlob {
  const { stored } = blob;
  return stored === undefined || stored.byteLength === stored.buffer.byteLength
    ? blob
    : { ...blob, stored: new Uint8Array(stored) };
}
