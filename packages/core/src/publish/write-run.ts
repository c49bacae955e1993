/**
 * A run as an object of the bucket: its manifest, written once its packs and its packages are there, so that whoever finds a manifest finds all of the
 * run. Lines are made while they are written; of a run of 100,000 tasks no more is in memory than the digests of its values.
 */
import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import type { ArtifactRef, Digest, NewBlob } from "../artifact/artifact.ts";
import { compressFrame } from "../artifact/compression.ts";
import { FlowError } from "../errors/flow-error.ts";
import { runName } from "../lineage/run-name.ts";
import type { BucketRecords, PlannedEnd } from "../metadata/bucket-records.ts";
import type { MetadataReader, RunRow, TaskSequence } from "../metadata/metadata-store.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { BadContent, encodeLine } from "../transfer/json-lines.ts";
import { packageText } from "../transfer/package-text.ts";
import { originLines, recordLines } from "../transfer/run-lines.ts";
import { BUCKET_FORMAT, packageKey, runKey } from "./layout.ts";
import { checkLine, headLine, manifestLine } from "./lines.ts";
import { isSmall, type Packer } from "./packer.ts";
import { readRunEnd } from "./read-run.ts";

/** Bytes of lines that are compressed together. */
const FRAME_BYTES = 1024 * 1024;
/** A manifest up to this size is written in one piece, which can be tried again. */
const WHOLE_BYTES = 8 * 1024 * 1024;
/** Values that are looked up between two lines. */
const LOOKUPS = 500;
/** Ends of one execution with different contents: one, or two when its success could not be recorded. More is no accident. */
const MAX_AGAIN = 20;

export interface RunToWrite {
  readonly bucket: BlobStore;
  /** As they are to be written. */
  readonly metadata: MetadataReader;
  readonly records: BucketRecords;
  readonly run: RunRow;
  readonly packer: Packer;
  /** Where the end of the run is not recorded yet. */
  readonly planned?: PlannedEnd;
  /** Told of each value with a key of its own before the manifest is there: makes sure that the bucket has it. */
  readonly large?: (blob: NewBlob) => Promise<void>;
  /** Must have come to its end before the manifest is there: what the log says first. Whoever has another copy of the store stops at that. */
  readonly first?: Promise<unknown>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes the packs and the manifest of a run that is over, or is about to be.
 *
 * @returns the key of its manifest
 * @throws FlowError FLOW_METADATA_MISSING_BLOB, FLOW_PUBLISH_DAMAGED, and those of the stores
 */
export async function writeRun(to: RunToWrite): Promise<string> {
  const { bucket, run } = to;
  await to.packer.find();
  for (let again = 0; again < MAX_AGAIN; again++) {
    const key = runKey(run.id, run.execution.number, again);
    const written = await putManifest(to, key);
    if (written.answer === "created" || (await readRunEnd(bucket, key)) === (await written.digest())) return key;
  }
  throw new FlowError("FLOW_PUBLISH_FORKED", {
    message: `Cannot write ${runName(run)} into the bucket: the end of its execution ${run.execution.number} is there ${MAX_AGAIN} times, each time with other content`,
    hint: "Use one copy of the store alone, and delete what the others wrote of this run",
    context: { run: run.id },
  });
}

async function putManifest(
  to: RunToWrite,
  key: string,
): Promise<{ readonly answer: "created" | "exists"; readonly digest: () => Promise<Digest> }> {
  const lines = new ManifestLines(to);
  const frames = lines.frames();
  const first: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const step = await frames.next();
    if (step.done === true) {
      await to.first;
      return { answer: await to.bucket.put(key, first), digest: async () => lines.digest! };
    }
    first.push(step.value);
    bytes += step.value.length;
    if (bytes > WHOLE_BYTES) break;
  }
  await to.first;
  const answer = await to.bucket.putStream(key, both(first, frames));
  return {
    answer,
    async digest() {
      const again = new ManifestLines(to); // The pieces of what is there already may have stayed unread.
      for await (const _ of again.frames()) to.signal?.throwIfAborted();
      return again.digest!;
    },
  };
}

async function* both(first: readonly Uint8Array[], rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  yield* first;
  yield* rest;
}

class ManifestLines {
  readonly #to: RunToWrite;
  readonly #large = new Map<Digest, NewBlob>();
  /** Written as soon as they are named: a trip over the network beside all others. */
  readonly #packages = new Map<Digest, Promise<{ readonly put: Promise<unknown> } | undefined>>();
  readonly #sum = createHash("sha256");
  #named: ArtifactRef[] = [];
  /** Over all lines, when they have come to their end. */
  digest: Digest | undefined;

  constructor(to: RunToWrite) {
    this.#to = to;
  }

  async *frames(): AsyncGenerator<Uint8Array, void> {
    let open: Uint8Array[] = [];
    let bytes = 0;
    for await (const line of this.#bytes()) {
      this.#to.signal?.throwIfAborted();
      open.push(line);
      bytes += line.length;
      if (bytes < FRAME_BYTES) continue;
      for (const frame of framesOf(open)) yield frame;
      open = [];
      bytes = 0;
      await turn(); // Records are read without one: a long run must not stop the thread for seconds.
    }
    for (const frame of framesOf(open)) yield frame;
  }

  async *#bytes(): AsyncGenerator<Uint8Array, void> {
    let isFirst = true;
    for await (const line of this.#lines()) {
      const bytes = encodeLine(line);
      if (bytes === undefined) throw tooLarge(this.#to.run);
      checkLine(`the manifest of ${runName(this.#to.run)}`, bytes, isFirst ? headLine : manifestLine);
      isFirst = false;
      this.#sum.update(bytes);
      yield bytes;
    }
    this.digest = this.#sum.digest("hex") as Digest;
    yield encodeLine({ kind: "end", digest: this.digest })!;
  }

  async *#lines(): AsyncGenerator<unknown, void> {
    const { metadata, run, packer } = this.#to;
    yield await this.#head();
    const listener = {
      blob: (ref: ArtifactRef) => void this.#named.push(ref),
      package: (digest: Digest) => this.#beginPackage(digest),
    };
    for await (const line of recordLines(metadata, run, listener)) {
      yield line;
      if (this.#named.length >= LOOKUPS) await this.#place();
    }
    for await (const line of originLines(metadata, run)) yield { kind: "origin", ...line };
    yield* this.#furtherLines();
    const digests = [...this.#packages.keys()].sort();
    const packages = await Promise.all(digests.map((digest) => this.#packages.get(digest)));
    await this.#place();
    const packs = packer.seal();
    packs.catch(() => {}); // Awaited below, when packages are there too.
    for (const [index, digest] of digests.entries()) {
      const begun = packages[index];
      if (begun === undefined) continue;
      await begun.put;
      yield { kind: "package", digest };
    }
    for (const { digest, sizeBytes, storedBytes, compression } of this.#large.values())
      yield { kind: "blob", digest, sizeBytes, storedBytes, compression };
    for (const pack of await packs) yield { kind: "pack", ...pack };
  }

  async #head(): Promise<unknown> {
    const { metadata, records, run } = this.#to;
    const call = run.parent === undefined ? undefined : await metadata.childCall(run.sequence);
    return {
      kind: "manifest",
      version: BUCKET_FORMAT,
      store: (await metadata.info()).storeId,
      id: run.id,
      execution: run.execution.number,
      sequence: run.sequence,
      number: run.number,
      flow: await records.flowOf(run.sequence),
      ...(call === undefined ? {} : { callInputs: call.inputsDigest }),
      ...(run.imported === undefined ? {} : { imported: JSON.parse(JSON.stringify(run.imported)) as unknown }),
    };
  }

  async *#furtherLines(): AsyncGenerator<unknown, void> {
    const { metadata, records, run, planned } = this.#to;
    for (const call of await records.startedRuns(run.sequence)) yield { kind: "call", ...call };
    const terms = await records.terms(run.sequence);
    const offers = await records.offers(run.sequence);
    if (terms.length + offers.length === 0) return;
    const places = new Map<TaskSequence, number>();
    for (let after: TaskSequence | undefined; ; ) {
      const page = await metadata.tasks({ run: run.sequence, limit: 1_000, ...(after === undefined ? {} : { after }) });
      for (const { sequence } of page) places.set(sequence, places.size);
      after = page.at(-1)?.sequence;
      if (page.length < 1_000) break;
    }
    // What the end of the run gives up has neither a term nor an offer any more.
    for (const { task, name, transient, expiresAt } of terms)
      if (planned?.gone.get(task)?.has(name) !== true)
        yield { kind: "term", task: places.get(task), name, transient, expiresAt: expiresAt?.getTime() ?? null };
    for (const { task, createdAt, ...offer } of offers)
      if (planned?.gone.has(task) !== true)
        yield { kind: "offer", task: places.get(task), ...offer, createdAt: createdAt.getTime() };
  }

  /** Sees to it that each value that was named lies in a pack or under a key of its own. */
  async #place(): Promise<void> {
    const { metadata, packer, large, run } = this.#to;
    const named = this.#named;
    this.#named = [];
    const uploads: Promise<void>[] = [];
    for (const { digest } of named) {
      if (packer.has(digest) || this.#large.has(digest)) continue;
      const row = await metadata.blob(digest);
      if (row === undefined)
        throw new FlowError("FLOW_METADATA_MISSING_BLOB", {
          message: `Cannot write ${runName(run)} into the bucket: its value ${digest} is not stored`,
          hint: "See what is wrong with flow store verify",
          context: { run: run.id, digest },
        });
      if (isSmall(row)) await packer.addWaiting(row);
      else {
        this.#large.set(digest, row);
        if (large !== undefined) uploads.push(large(row));
      }
    }
    await Promise.all(uploads);
  }

  #beginPackage(digest: Digest): void {
    if (this.#packages.has(digest)) return;
    const begun = this.#writePackage(digest);
    begun.catch(() => {}); // Awaited when the lines come to their end.
    this.#packages.set(digest, begun);
  }

  /** Names its files and begins to write its text; a package that the store does not have stays a digest in the records. */
  async #writePackage(digest: Digest): Promise<{ readonly put: Promise<unknown> } | undefined> {
    const { bucket, metadata } = this.#to;
    const kept = await metadata.package(digest);
    if (kept === undefined) return undefined;
    try {
      for (const file of packageText(digest, kept.manifest).files) this.#named.push({ ...file, codec: "bytes" });
    } catch (error) {
      if (error instanceof BadContent) return undefined; // No run can be run by it; what verify says of it stays true.
      throw error;
    }
    const put = bucket.put(packageKey(digest), [Buffer.from(kept.manifest)]);
    put.catch(() => {}); // Awaited when the lines come to their end.
    return { put };
  }
}

function framesOf(lines: readonly Uint8Array[]): readonly Uint8Array[] {
  const bytes = Buffer.concat(lines);
  const frames: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; start += FRAME_BYTES)
    frames.push(compressFrame(bytes.subarray(start, start + FRAME_BYTES)));
  return frames;
}

function tooLarge(run: RunRow): FlowError {
  return new FlowError("FLOW_TRANSFER_TOO_LARGE", {
    message: `Cannot write ${runName(run)} into the bucket: one of its records is too large`,
    hint: "Keep less in one record: in one error, one line of output, one parameter",
    context: { run: run.id },
  });
}
