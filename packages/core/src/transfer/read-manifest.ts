/** The first entry of an export file: what else is in it, in which order, of which size and digest. */
import { createHash } from "node:crypto";
import type { Digest } from "../artifact/artifact.ts";
import { FlowError } from "../errors/flow-error.ts";
import { BLOCK_BYTES, tarPadding } from "../util/tar.ts";
import { describeHead, entryHead } from "../util/tar-entries.ts";
import { type ArchiveFile, type PlacedEntry, placeEntries } from "./archive-file.ts";
import { BadContent, checkShape, parseJson, splitLines } from "./json-lines.ts";
import * as limits from "./limits.ts";
import {
  blobName,
  FORMAT_VERSION,
  MANIFEST_NAME,
  type ManifestLine,
  type ManifestRun,
  manifestLine,
  originsName,
  packageName,
  recordsName,
  signaturesName,
  tagsName,
} from "./lines.ts";

export interface Manifest {
  readonly runs: readonly FileRun[];
  readonly packages: readonly { readonly digest: Digest; readonly entry: PlacedEntry }[];
  readonly blobs: ReadonlyMap<Digest, PlacedEntry>;
  /** All entries, in their order. */
  readonly entries: readonly PlacedEntry[];
  readonly endAt: number;
}

export interface FileRun extends ManifestRun {
  readonly references: readonly { readonly id: ManifestRun["id"]; readonly run: string }[];
  readonly records: PlacedEntry;
  readonly tags: PlacedEntry;
  readonly origins?: PlacedEntry;
  readonly signatures?: PlacedEntry;
}

/** Sizes of an export file that its first blocks tell. */
export interface ManifestHead {
  readonly contentAt: number;
  readonly sizeBytes: number;
}

/**
 * Reads the head of the first entry.
 *
 * @throws BadContent for what is no export file
 */
export function readManifestHead(block: Uint8Array): ManifestHead {
  const text = Buffer.from(block.buffer, block.byteOffset, block.length);
  if (text.length >= 4 && text.readUInt32BE(0) === 0x28b52ffd)
    throw new BadContent("it is compressed by zstd: unpack it first, as in zstd -dc FILE | flow import -");
  if (text.length >= 2 && text.readUInt16BE(0) === 0x1f8b)
    throw new BadContent("it is compressed by gzip: unpack it first, as in gzip -dc FILE | flow import -");
  const sizeBytes = Number.parseInt(text.toString("latin1", 124, 135), 8);
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || text.toString("latin1", 257, 262) !== "ustar")
    throw new BadContent("it is no file of flow export");
  if (sizeBytes > limits.MAX_MANIFEST_BYTES) throw new BadContent("the list of what is in it is too large");
  const head = entryHead(MANIFEST_NAME, sizeBytes);
  if (Buffer.compare(head, text.subarray(0, BLOCK_BYTES)) !== 0)
    throw new BadContent(`it is no file of flow export: ${describeHead(block, MANIFEST_NAME)}`);
  return { contentAt: head.length, sizeBytes };
}

/**
 * Reads the manifest and finds the place of every entry. Nothing else of the file was looked at.
 *
 * @throws BadContent, FlowError FLOW_TRANSFER_NEWER_FILE
 */
export function readManifest(file: ArchiveFile): Manifest {
  const block = new Uint8Array(BLOCK_BYTES);
  const head = readManifestHead(block.subarray(0, file.readInto(block, 0)));
  const reader = readManifestLines(file.name, file.pieces(head.contentAt, head.sizeBytes));
  const paddingAt = head.contentAt + head.sizeBytes;
  const padding = tarPadding(head.sizeBytes);
  if (file.read(paddingAt, padding).some((byte) => byte !== 0))
    throw new BadContent(`there is something behind ${MANIFEST_NAME}`);
  return reader.manifest(paddingAt + padding);
}

/**
 * Looks at the content of a manifest that is to be written as whoever reads it does.
 *
 * @throws BadContent
 */
export function checkManifest(content: Uint8Array): void {
  readManifestLines("the file", [content]).manifest(0);
}

function readManifestLines(file: string, content: Iterable<Uint8Array>): ManifestReader {
  const sum = createHash("sha256");
  const reader = new ManifestReader();
  for (const line of splitLines(content)) {
    const parsed = parseManifestLine(file, line);
    if (parsed.kind === "end") reader.end(parsed.digest, sum.digest("hex"));
    else {
      reader.add(parsed);
      sum.update(line).update("\n");
    }
  }
  return reader;
}

function parseManifestLine(file: string, line: string): ManifestLine {
  const value = parseJson(line);
  const { kind, version } = (value ?? {}) as { readonly kind?: unknown; readonly version?: unknown };
  if (kind === "export" && typeof version === "number" && version > FORMAT_VERSION) {
    throw new FlowError("FLOW_TRANSFER_NEWER_FILE", {
      message: `Cannot import "${file}": it is of form ${version}, and this version reads form ${FORMAT_VERSION}`,
      hint: "Update Millrace here, or export with the version that is installed here",
      context: { file, version },
    });
  }
  return checkShape(value, manifestLine);
}

type EntryLine = ManifestLine & { readonly kind: "entry" };

/** Collects lines and holds them to their order. */
class ManifestReader {
  readonly #runs = new Map<string, { readonly run: ManifestRun; readonly references: { id: never; run: string }[] }>();
  readonly #entries: EntryLine[] = [];
  readonly #blobs: { readonly digest: Digest; readonly sizeBytes: number }[] = [];
  #lines = 0;
  #stage = -1;
  #isEnded = false;

  add(line: Exclude<ManifestLine, { kind: "end" }>): void {
    const stage = { export: 0, run: 1, reference: 1, entry: 2, blob: 3 }[line.kind];
    if (this.#isEnded || stage < this.#stage || (this.#lines === 0) !== (stage === 0))
      throw new BadContent(`the lines of ${MANIFEST_NAME} are not in order`);
    this.#stage = stage;
    this.#lines++;
    switch (line.kind) {
      case "export":
        return;
      case "run":
        if (this.#runs.has(line.id)) throw new BadContent(`the run ${line.id} is in it twice`);
        if (this.#runs.size >= limits.MAX_RUNS) throw new BadContent(`it has more than ${limits.MAX_RUNS} runs`);
        this.#runs.set(line.id, { run: line, references: [] });
        return;
      case "reference": {
        const references = this.#runs.get(line.of)?.references;
        if (references === undefined)
          throw new BadContent(`it names a run that ${line.of} leads to, which is not in it`);
        if (references.length >= limits.MAX_REFERENCES)
          throw new BadContent("it names too many runs that are not in it");
        references.push({ id: line.id as never, run: line.run });
        return;
      }
      case "entry":
        this.#checkCount();
        this.#entries.push(line);
        return;
      case "blob": {
        this.#checkCount();
        const last = this.#blobs.at(-1);
        if (last !== undefined && last.digest >= line.digest)
          throw new BadContent("the values in it are not in order, or one of them is there twice");
        this.#blobs.push({ digest: line.digest, sizeBytes: line.sizeBytes });
      }
    }
  }

  end(digest: string, actual: string): void {
    if (this.#isEnded) throw new BadContent(`the lines of ${MANIFEST_NAME} are not in order`);
    if (digest !== actual) throw new BadContent(`${MANIFEST_NAME} was changed after it was written`);
    this.#isEnded = true;
  }

  manifest(from: number): Manifest {
    if (!this.#isEnded) throw new BadContent(`${MANIFEST_NAME} has no end`);
    if (this.#runs.size === 0) throw new BadContent("it has no runs");
    const blobs = this.#blobs.map(({ digest, sizeBytes }) => ({ name: blobName(digest), sizeBytes, digest }));
    const { placed, endAt } = placeEntries([...this.#entries, ...blobs], from);
    const entries = placed.values();
    let next = entries.next();
    /** The entry of a name, if it is the next one: each has its place, so none can be left over or come twice. */
    const take = (name: string): PlacedEntry | undefined => {
      const entry = next.value;
      if (entry?.name !== name) return undefined;
      next = entries.next();
      return entry;
    };
    const runs: FileRun[] = [];
    for (const { run, references } of this.#runs.values()) {
      const records = take(recordsName(run.id));
      const tags = take(tagsName(run.id));
      const origins = take(originsName(run.id));
      const signatures = take(signaturesName(run.id));
      if (records === undefined || tags === undefined)
        throw new BadContent(`the records of the run ${run.id} are not in it`);
      const more = {
        ...(origins === undefined ? {} : { origins }),
        ...(signatures === undefined ? {} : { signatures }),
      };
      runs.push({ ...run, references, records, tags, ...more });
    }
    const packages: { readonly digest: Digest; readonly entry: PlacedEntry }[] = [];
    for (let entry = next.value; entry?.name.startsWith("packages/") === true; entry = next.value) {
      const digest = entry.name.slice("packages/".length, -".json".length) as Digest;
      const last = packages.at(-1);
      if (
        !/^[0-9a-f]{64}$/.test(digest) ||
        entry.name !== packageName(digest) ||
        (last !== undefined && last.digest >= digest)
      )
        break;
      if (entry.sizeBytes > limits.MAX_PACKAGE_BYTES) throw new BadContent("a code package in it is too large");
      packages.push({ digest, entry });
      next = entries.next();
    }
    const blobMap = new Map<Digest, PlacedEntry>();
    for (const { digest, name } of blobs) {
      const entry = take(name);
      if (entry === undefined) break;
      blobMap.set(digest, entry);
    }
    if (next.done !== true) throw new BadContent(`${JSON.stringify(next.value?.name)} does not belong into it`);
    return { runs, packages, blobs: blobMap, entries: placed, endAt };
  }

  #checkCount(): void {
    if (this.#entries.length + this.#blobs.length >= limits.MAX_ENTRIES)
      throw new BadContent(`it has more than ${limits.MAX_ENTRIES} entries`);
  }
}
