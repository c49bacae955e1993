/**
 * Reads a whole export file once and believes nothing of it: every byte is either content with a digest, or follows from the
 * names and sizes of the manifest. Nothing is written, and of large contents only a piece is in memory.
 */
import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import type { Digest } from "../artifact/artifact.ts";
import { isFlowError } from "../errors/flow-error.ts";
import { canonicalJson } from "../metadata/canonical-json.ts";
import { MAX_SIGNATURES, readStatement } from "../metadata/run-signature.ts";
import { tarPadding } from "../util/tar.ts";
import { describeHead, entryHead, TAIL_BYTES } from "../util/tar-entries.ts";
import type { ArchiveFile, PlacedEntry } from "./archive-file.ts";
import { type NamedContent, RecordChecker } from "./check-records.ts";
import { BadContent, decodeText, parseJson, parseLine, splitLines } from "./json-lines.ts";
import * as limits from "./limits.ts";
import { originLine, recordLine, signatureLine, type TagLine, tagLine } from "./lines.ts";
import { type PackageText, packageText } from "./package-text.ts";
import { type FileRun, type Manifest, readManifest } from "./read-manifest.ts";
import { readTagLines, type TagHistory } from "./tag-lines.ts";
import { badFile } from "./transfer-error.ts";
import type { TransferProgress } from "./write-export.ts";

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
  readonly onProgress?: (progress: TransferProgress) => void;
  readonly signal?: AbortSignal;
}

/**
 * Checks a file.
 *
 * @throws FlowError FLOW_TRANSFER_BAD_FILE saying what is wrong and where, FLOW_TRANSFER_NEWER_FILE
 */
export async function checkArchive(file: ArchiveFile, options: CheckOptions = {}): Promise<CheckedArchive> {
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

  constructor(file: ArchiveFile, manifest: Manifest, options: CheckOptions) {
    this.#file = file;
    this.#manifest = manifest;
    this.#options = options;
  }

  async check(): Promise<CheckedArchive> {
    const { runs, packages, blobs, endAt } = this.#manifest;
    const tags = new Map<string, TagHistory>();
    for (const run of runs) {
      await this.#records(run);
      const lines = this.#lines(run.tags, (line): TagLine => parseLine(line, tagLine));
      tags.set(
        run.id,
        this.#inEntry(run.tags, () => readTagLines(lines, run.id)),
      );
      if (run.origins !== undefined) await this.#origins(run, run.origins);
      if (run.signatures !== undefined) this.#signatures(run, run.signatures);
    }
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

  async #records(run: FileRun): Promise<void> {
    const checker = new RecordChecker(run, this);
    let count = 0;
    for (const line of this.#lines(run.records, (text) => parseLine(text, recordLine))) {
      this.#inEntry(run.records, () => checker.add(line));
      if (++count % 1_000 === 0) await this.#turn(run.records.contentAt);
    }
    this.#inEntry(run.records, () => checker.end());
  }

  async #origins(_run: FileRun, entry: PlacedEntry): Promise<void> {
    let last = -1;
    for (const { task } of this.#lines(entry, (text) => parseLine(text, originLine))) {
      if (task <= last || task >= limits.MAX_TASKS) throw new BadContent(`the lines of ${entry.name} are not in order`);
      last = task;
    }
    await this.#turn(entry.contentAt);
  }

  /** Whether they are genuine nobody can say here: that takes the keys that the reader trusts. */
  #signatures(run: FileRun, entry: PlacedEntry): void {
    let count = 0;
    for (const { statement } of this.#lines(entry, (text) => parseLine(text, signatureLine))) {
      if (readStatement(statement)?.run.id !== run.id)
        throw new BadContent(`a signature in ${entry.name} is of another run`);
      if (++count > MAX_SIGNATURES) throw new BadContent(`it has more than ${MAX_SIGNATURES} signatures of one run`);
    }
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
    const inside = parseJson(decodeText(this.#file.read(entry.contentAt, entry.sizeBytes)));
    if (canonicalJson(inside) !== canonicalJson(own))
      throw new BadContent(`the manifest of the code package ${digest} is not the one in the package`);
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
