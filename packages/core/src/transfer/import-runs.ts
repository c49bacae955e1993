/**
 * `flow import`: runs of a checked file into a store, all or none. Blobs come first and are durable; then one transaction has all
 * rows. A kill in between leaves values that no row names, which harm nobody and are found again by the next try.
 */
import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { type ArtifactRef, type Digest, INLINE_LIMIT_BYTES, type NewBlob } from "../artifact/artifact.ts";
import type { ArtifactStore } from "../artifact/artifact-store.ts";
import { isFlowError, type Problem, problemsError } from "../errors/flow-error.ts";
import type { RunId } from "../ids/run-id.ts";
import { matchRuns } from "../lineage/match-runs.ts";
import { runName } from "../lineage/run-name.ts";
import type { MetadataReader, MetadataStore, RunRow } from "../metadata/metadata-store.ts";
import type { PlacedEntry } from "./archive-file.ts";
import type { CheckedArchive } from "./check-archive.ts";
import { encodeLine } from "./json-lines.ts";
import type { FileRun } from "./read-manifest.ts";
import { importedRun } from "./read-rows.ts";
import { recordLines } from "./run-lines.ts";
import { badFile } from "./transfer-error.ts";
import type { TransferProgress } from "./write-export.ts";

export interface ImportStores {
  readonly metadata: MetadataStore;
  readonly artifacts: ArtifactStore;
}

export interface ImportOptions {
  /** Whether the runs get the tags here that they hold in the store that exported them. Default false. */
  readonly withTags?: boolean;
  readonly actor: string;
  readonly host: string;
  readonly at: Date;
  readonly onProgress?: (progress: TransferProgress) => void;
  readonly signal?: AbortSignal;
}

/** What a file is, or would be, to a store. */
export interface ImportReport {
  readonly runs: readonly ImportedRunReport[];
  /** Values in the file. */
  readonly blobs: number;
  readonly sizeBytes: number;
}

export interface ImportedRunReport {
  readonly runId: RunId;
  readonly status: RunRow["status"];
  /** What it is called in this store: absent before it came in. */
  readonly run?: string;
  /** The store that ran it, and its name there. */
  readonly from: { readonly store: string; readonly run: string };
  /** "new": it comes in. "present": it is there already, with the same content. */
  readonly state: "new" | "present";
  /** Tags that it holds in the store that exported it. */
  readonly tagsThere: readonly string[];
  /** Tags that it holds here. */
  readonly tags: readonly string[];
  /** Of these, tags by which another run is found, since imported runs are older than all that are here. */
  readonly shadowed: readonly { readonly tag: string; readonly by: string }[];
  /** Runs that it leads to and that are not here, by their names in the other store. */
  readonly missing: readonly string[];
}

/**
 * Says what importing a file would do. Changes nothing.
 *
 * @param metadata the records to import into; undefined for a store that is not there yet
 * @throws FlowError FLOW_TRANSFER_OTHER_CONTENT naming every run that is there with other content
 */
export async function planImport(metadata: MetadataReader | undefined, archive: CheckedArchive): Promise<ImportReport> {
  const problems: Problem[] = [];
  const runs: ImportedRunReport[] = [];
  for (const run of archive.manifest.runs) {
    const there = metadata === undefined ? undefined : await metadata.runById(run.id);
    if (metadata !== undefined && there !== undefined && !(await isSame(metadata, there, run))) {
      problems.push({
        code: "FLOW_TRANSFER_OTHER_CONTENT",
        message: `${run.run} of the file is ${runName(there)} here, with other content`,
        hint: `Compare it with flow show ${runName(there)} in both stores: one of them went on after the export, or was changed`,
      });
      continue;
    }
    runs.push(await reportOf(metadata, archive, run, there));
  }
  if (problems.length > 0) throw problemsError(`Cannot import "${archive.file.name}"`, problems);
  const { blobs } = archive.manifest;
  return { runs, blobs: blobs.size, sizeBytes: archive.file.sizeBytes };
}

/**
 * Takes the runs of a file over.
 *
 * @throws FlowError FLOW_TRANSFER_OTHER_CONTENT, FLOW_TRANSFER_BAD_FILE when the file changes meanwhile, and those of the stores
 */
export async function importRuns(
  stores: ImportStores,
  archive: CheckedArchive,
  options: ImportOptions,
): Promise<ImportReport> {
  const plan = await planImport(stores.metadata, archive);
  const fresh = new Set(plan.runs.filter(({ state }) => state === "new").map(({ runId }) => runId));
  if (fresh.size === 0) return plan;
  const rows = await new BlobImporter(stores, archive, options).store();
  const by = { ...options, withTags: options.withTags === true };
  const taken = archive.manifest.runs.filter(({ id }) => fresh.has(id));
  await stores.metadata.importRuns({
    runs: taken.map((run) => importedRun(archive, run, by)),
    packages: archive.packages,
    blobs: rows,
  });
  const runs: ImportedRunReport[] = [];
  for (const [index, run] of archive.manifest.runs.entries()) {
    const there = (await stores.metadata.runById(run.id))!;
    const report = await reportOf(stores.metadata, archive, run, there);
    runs.push({ ...report, state: plan.runs[index]!.state });
  }
  return { ...plan, runs };
}

/** Whether a run of the store would be written into a file as the file has it. */
async function isSame(metadata: MetadataReader, there: RunRow, run: FileRun): Promise<boolean> {
  const sum = createHash("sha256");
  try {
    for await (const line of recordLines(metadata, there)) sum.update(encodeLine(line) ?? "");
  } catch (error) {
    if (isFlowError(error, "FLOW_TRANSFER_NOT_OVER")) return false; // It goes on here.
    throw error;
  }
  return sum.digest("hex") === run.records.digest;
}

async function reportOf(
  metadata: MetadataReader | undefined,
  archive: CheckedArchive,
  run: FileRun,
  there: RunRow | undefined,
): Promise<ImportedRunReport> {
  const inFile = new Set(archive.manifest.runs.map(({ id }) => id));
  const missing: string[] = [];
  for (const { id, run: name } of run.references)
    if (!inFile.has(id) && (await metadata?.runById(id)) === undefined) missing.push(name);
  const shadowed: { readonly tag: string; readonly by: string }[] = [];
  for (const tag of there?.tags ?? []) {
    const { newest } = await matchRuns(metadata!, there!.flow, [tag]);
    if (newest !== undefined && newest.id !== run.id) shadowed.push({ tag, by: runName(newest) });
  }
  return {
    runId: run.id,
    status: run.status,
    ...(there === undefined ? {} : { run: runName(there) }),
    from: { store: run.store, run: run.run },
    state: there === undefined ? "new" : "present",
    tagsThere: archive.tags.get(run.id)!.held,
    tags: there?.tags ?? [],
    shadowed,
    missing,
  };
}

class BlobImporter {
  readonly #stores: ImportStores;
  readonly #archive: CheckedArchive;
  readonly #options: ImportOptions;

  constructor(stores: ImportStores, archive: CheckedArchive, options: ImportOptions) {
    this.#stores = stores;
    this.#archive = archive;
    this.#options = options;
  }

  /** Makes all large values durable. Answers the rows of all; small values are read when their rows are asked for. */
  async store(): Promise<() => Iterable<NewBlob>> {
    const { manifest } = this.#archive;
    const large = [...manifest.blobs].filter(([, entry]) => entry.sizeBytes > INLINE_LIMIT_BYTES);
    const totalBytes = large.reduce((sum, [, entry]) => sum + entry.sizeBytes, 0);
    const rows: NewBlob[] = [];
    let doneBytes = 0;
    for (const [digest, entry] of large) {
      this.#options.signal?.throwIfAborted();
      rows.push(await this.#storeLarge(digest, entry));
      doneBytes += entry.sizeBytes;
      this.#options.onProgress?.({ doneBytes, totalBytes });
    }
    return () => this.#rows(rows);
  }

  async #storeLarge(digest: Digest, entry: PlacedEntry): Promise<NewBlob> {
    const { metadata, artifacts } = this.#stores;
    const known = await metadata.blob(digest);
    if (known !== undefined && (known.stored !== undefined || artifacts.holdsSync(known))) return known;
    const read = async (start: number, end: number): Promise<Uint8Array> => {
      await turn(); // A read stops the thread: between two of them a signal may come in.
      this.#options.signal?.throwIfAborted();
      return this.#archive.file.read(entry.contentAt + start, Math.min(end, entry.sizeBytes) - start);
    };
    return await artifacts.storeFrom(this.#ref(digest, entry), read, { subject: entry.name });
  }

  *#rows(large: readonly NewBlob[]): Generator<NewBlob, void> {
    yield* large;
    const { file, manifest } = this.#archive;
    for (const [digest, entry] of manifest.blobs) {
      if (entry.sizeBytes > INLINE_LIMIT_BYTES) continue;
      const bytes = file.read(entry.contentAt, entry.sizeBytes);
      if (createHash("sha256").update(bytes).digest("hex") !== digest)
        throw badFile(file.name, `it was changed while it was read: ${entry.name}`);
      yield this.#stores.artifacts.storeSync({ ...this.#ref(digest, entry), chunks: [bytes] });
    }
  }

  #ref(digest: Digest, { sizeBytes }: PlacedEntry): ArtifactRef {
    return { codec: "bytes", digest, sizeBytes };
  }
}
