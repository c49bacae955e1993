/**
 * Reads a whole export file once and believes nothing of it: every byte is either content with a digest, or follows from the
 * names and sizes of the manifest. Nothing is written, and of large contents only a piece is in memory.
 */
import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import type { Digest } from "../artifact/artifact.ts";
import { isFlowError, type Problem, problemsError } from "../errors/flow-error.ts";
import type { RecordTrial } from "../metadata/record-trial.ts";
import { tarPadding } from "../util/tar.ts";
import { describeHead, entryHead, TAIL_BYTES } from "../util/tar-entries.ts";
import type { ArchiveFile, PlacedEntry } from "./archive-file.ts";
import type { NamedContent } from "./check-records.ts";
import { BadContent, decodeText, parseLine, splitLines } from "./json-lines.ts";
import * as limits from "./limits.ts";
import { type TagLine, tagLine } from "./lines.ts";
import { checkOwnManifest, type PackageText, packageText } from "./package-text.ts";
import { type FileRun, type Manifest, readManifest } from "./read-manifest.ts";
import { RunJudge, readRecordLine } from "./run-judge.ts";
import { readTagLines, type TagHistory } from "./tag-lines.ts";
import { badFile } from "./transfer-error.ts";
import type { TransferProgress } from "./write-export.ts";

/** Faults of one run that are told. */
const MAX_FAULTS = 20;
const EXPORT_AGAIN = "Export the run again from a store that flow store verify finds whole";

/** An export file that was read and found to be whole. */
export interface CheckedArchive {
  readonly file: ArchiveFile;
  readonly manifest: Manifest;
  /** By id of the run. */
  readonly tags: ReadonlyMap<string, TagHistory>;
  readonly packages: readonly {
    readonly digest: Digest;
    /** As the store keeps it: the manifest of the package with its files and flows. */
    readonly manifest: string;
    readonly blobs: readonly Digest[];
  }[];
}

export interface CheckOptions {
  /** Where the records are tried out. */
  readonly trial: RecordTrial;
  readonly onProgress?: (progress: TransferProgress) => void;
  readonly signal?: AbortSignal;
}

/**
 * Checks a file: all that an import could have against it, whatever the store.
 *
 * @throws FlowError FLOW_TRANSFER_BAD_FILE saying what is wrong and where, FLOW_TRANSFER_NEWER_FILE, FLOW_METADATA_CHANGED_RECORDS
 *   naming what is not as it was written
 */
export async function checkArchive(file: ArchiveFile, options: CheckOptions): Promise<CheckedArchive> {
  try {
    const manifest = readManifest(file);
    if (file.sizeBytes !== manifest.endAt) {
      throw new BadContent(
        file.sizeBytes < manifest.endAt
          ? `it is cut short: it has ${file.sizeBytes} of ${manifest.endAt} bytes`
          : `something follows its end: it has ${file.sizeBytes} bytes, and ${manifest.endAt} belong to it`,
      );
    }
    return await new ArchiveChecker(file, manifest, options).check();
  } catch (error) {
    if (error instanceof BadContent) throw badFile(file.name, error.message, error);
    throw isFlowError(error) || options.signal?.aborted === true ? error : badFile(file.name, String(error), error);
  }
}

class ArchiveChecker implements NamedContent {
  readonly #file: ArchiveFile;
  readonly #manifest: Manifest;
  readonly #options: CheckOptions;
  readonly #namedBlobs = new Set<Digest>();
  readonly #namedPackages = new Set<Digest>();
  /** What is wrong with records against their digests. */
  readonly #faults: Problem[] = [];

  constructor(file: ArchiveFile, manifest: Manifest, options: CheckOptions) {
    this.#file = file;
    this.#manifest = manifest;
    this.#options = options;
  }

  async check(): Promise<CheckedArchive> {
    const { runs, packages, blobs, endAt } = this.#manifest;
    const tags = new Map<string, TagHistory>();
    for (const run of runs) {
      const judge = new RunJudge(run, this, this.#options.trial);
      await this.#records(run, judge);
      const lines = this.#lines(run.tags, (line): TagLine => parseLine(line, tagLine));
      tags.set(
        run.id,
        this.#inEntry(run.tags, () => readTagLines(lines, run.id)),
      );
      for (const _ of run.origins === undefined ? [] : this.#lines(run.origins, (text) => judge.addOrigin(text)));
      for (const _ of run.signatures === undefined
        ? []
        : this.#lines(run.signatures, (text) => judge.addSignature(text)));
      await this.#turn(run.tags.contentAt);
    }
    if (this.#faults.length > 0)
      throw problemsError(
        `Cannot import "${this.#file.name}": records in it are not those that were written`,
        this.#faults,
      );
    const texts = packages.map(({ digest, entry }) => this.#package(digest, entry));
    for (const entry of blobs.values()) await this.#blob(entry);
    for (const pack of texts) this.#packageFiles(pack);
    for (const digest of blobs.keys())
      if (!this.#namedBlobs.has(digest)) throw new BadContent(`no record in it names the value ${digest}`);
    for (const { digest } of packages)
      if (!this.#namedPackages.has(digest)) throw new BadContent(`no run in it has the code package ${digest}`);
    if (this.#file.read(endAt - TAIL_BYTES, TAIL_BYTES).some((byte) => byte !== 0))
      throw new BadContent("its end is not that of a tar file");
    return {
      file: this.#file,
      manifest: this.#manifest,
      tags,
      packages: texts.map(({ digest, text, files }) => ({
        digest,
        manifest: text,
        blobs: files.map((each) => each.digest),
      })),
    };
  }

  blob({ digest, sizeBytes }: { readonly digest: Digest; readonly sizeBytes: number }, owner: string): void {
    const entry = this.#manifest.blobs.get(digest);
    if (entry === undefined) throw new BadContent(`${owner} is the value ${digest}, which is not in the file`);
    if (entry.sizeBytes !== sizeBytes)
      throw new BadContent(
        `${owner} is recorded with ${sizeBytes} bytes, and the value ${digest} has ${entry.sizeBytes}`,
      );
    this.#namedBlobs.add(digest);
  }

  package(digest: Digest): void {
    this.#namedPackages.add(digest);
  }

  async #records(run: FileRun, judge: RunJudge): Promise<void> {
    let count = 0;
    for (const line of this.#lines(run.records, readRecordLine)) {
      this.#inEntry(run.records, () => judge.add(line));
      if (++count % 1_000 === 0) await this.#turn(run.records.contentAt);
    }
    for (const message of this.#inEntry(run.records, () => judge.end()).slice(0, MAX_FAULTS))
      this.#faults.push({ code: "FLOW_METADATA_CHANGED_RECORDS", message, hint: EXPORT_AGAIN });
  }

  #package(digest: Digest, entry: PlacedEntry): PackageText {
    return this.#inEntry(entry, () => {
      const bytes = Buffer.concat([...this.#hashed(entry)].map((piece) => Buffer.from(piece)));
      const pack = packageText(digest, decodeText(bytes));
      for (const file of pack.files) this.blob(file, `"${file.name}"`);
      return pack;
    });
  }

  /** What the store keeps of a package is its own manifest, which the digest covers, and what the runner knows of its flows. */
  #packageFiles({ digest, manifestFile, own }: PackageText): void {
    const entry = this.#manifest.blobs.get(manifestFile)!;
    if (entry.sizeBytes > limits.MAX_PACKAGE_BYTES) throw new BadContent("a code package in it is too large");
    checkOwnManifest({ digest, own }, this.#file.read(entry.contentAt, entry.sizeBytes));
  }

  async #blob(entry: PlacedEntry): Promise<void> {
    for (const _ of this.#hashed(entry)) {
      if (entry.sizeBytes > limits.PIECE_BYTES) await this.#turn(entry.contentAt);
    }
    await this.#turn(entry.contentAt + entry.sizeBytes);
  }

  *#lines<T>(entry: PlacedEntry, parse: (line: string) => T): Generator<T, void> {
    try {
      for (const line of splitLines(this.#hashed(entry))) yield parse(line);
    } catch (error) {
      throw inEntry(entry, error);
    }
  }

  #inEntry<T>(entry: PlacedEntry, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw inEntry(entry, error);
    }
  }

  /** The content of an entry; that head, digest and the zeros behind it are right is known when it has ended. */
  *#hashed(entry: PlacedEntry): Generator<Uint8Array, void> {
    yield* hashedContent(this.#file, entry);
  }

  #lastTurn = 0;

  /** Now and then the event loop turns: for a signal, and for whoever watches the progress. */
  async #turn(doneBytes: number): Promise<void> {
    const now = performance.now();
    if (now - this.#lastTurn < 20) return;
    await turn();
    this.#lastTurn = performance.now();
    this.#options.signal?.throwIfAborted();
    this.#options.onProgress?.({ doneBytes, totalBytes: this.#manifest.endAt });
  }
}

/**
 * The content of an entry, piece by piece; each piece is overwritten by the next one.
 *
 * @throws BadContent before the first piece when the head is not the entry's, after the last one when the digest is not
 */
export function* hashedContent(file: ArchiveFile, entry: PlacedEntry): Generator<Uint8Array, void> {
  const { name, sizeBytes, digest, headAt, contentAt } = entry;
  const head = file.read(headAt, contentAt - headAt);
  if (Buffer.compare(head, entryHead(name, sizeBytes)) !== 0) throw new BadContent(describeHead(head, name));
  const sum = createHash("sha256");
  for (const piece of file.pieces(contentAt, sizeBytes)) {
    sum.update(piece);
    yield piece;
  }
  const actual = sum.digest("hex");
  if (actual !== digest) throw new BadContent(`${name} has the digest ${actual}, and the manifest says ${digest}`);
  if (file.read(contentAt + sizeBytes, tarPadding(sizeBytes)).some((byte) => byte !== 0))
    throw new BadContent(`there is something behind ${name}`);
}

function inEntry(entry: PlacedEntry, error: unknown): unknown {
  if (!(error instanceof BadContent) || error.message.includes(entry.name)) return error;
  return new BadContent(`${entry.name}: ${error.message}`, { cause: error });
}
