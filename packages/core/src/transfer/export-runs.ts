/**
 * `flow export`: runs with all that belongs to them as one plain tar (docs/formats/export.md).
 *
 * The manifest comes first and names the digest of everything, so all records are written twice: once to hash and measure them,
 * once into the file. That costs reading, and no memory. Invariants: the same runs give the same bytes; every value is checked
 * while it is read; what is in the file is records of the public form and payloads, never a part of the database.
 */
import { createHash } from "node:crypto";
import type { ArtifactRef, Digest } from "../artifact/artifact.ts";
import { FlowError, isFlowError, type Problem, problemsError } from "../errors/flow-error.ts";
import type { RunId } from "../ids/run-id.ts";
import { changedRecord, refuseChanged } from "../lineage/changed-records.ts";
import { fullRunName, runName } from "../lineage/run-name.ts";
import type { MetadataReader, RunRow } from "../metadata/metadata-store.ts";
import { isOver } from "../metadata/run-state.ts";
import { entryBytes, TAIL_BYTES } from "../util/tar-entries.ts";
import { ExportJudge, RESTORE } from "./export-judge.ts";
import { encodeLine } from "./json-lines.ts";
import * as limits from "./limits.ts";
import {
  blobName,
  FORMAT_VERSION,
  MANIFEST_NAME,
  type ManifestLine,
  type ManifestRun,
  METRICS_VERSION,
  originsName,
  packageName,
  recordsName,
  signaturesName,
  tagsName,
} from "./lines.ts";
import { checkOwnManifest, type PackageText } from "./package-text.ts";
import { type LineListener, notOver, originLines, recordLines } from "./run-lines.ts";
import { tagLines } from "./tag-lines.ts";
import {
  type Entry,
  type ExportOptions,
  type ExportReport,
  type ExportStores,
  otherSize,
  type Plan,
  type PlannedBlob,
  writePlan,
} from "./write-export.ts";

export type { ExportOptions, ExportReport, ExportStores, TransferProgress } from "./write-export.ts";

/**
 * Writes runs into a file. Records that no import would take are refused before the first byte.
 *
 * @throws FlowError FLOW_TRANSFER_NOT_OVER (naming every run that is not over), FLOW_TRANSFER_BAD_RECORDS (naming runs and rows),
 *   FLOW_TRANSFER_TOO_LARGE, FLOW_TRANSFER_CHANGED,
 *   FLOW_METADATA_CHANGED_RECORDS, FLOW_ARTIFACT_DAMAGED and FLOW_ARTIFACT_MISSING naming run, task, artifact and digest
 */
export async function exportRuns(
  stores: ExportStores,
  asked: readonly RunRow[],
  options: ExportOptions,
): Promise<ExportReport> {
  const runs = await selectRuns(stores.metadata, asked, options.withUpstreams === true);
  const trial = stores.openTrial();
  const plan = await new Planner({ stores, runs, asked, signal: options.signal, judge: new ExportJudge(trial) })
    .plan()
    .finally(() => trial.close());
  await writePlan(stores, plan, options);
  return {
    runs: plan.runs.map(({ row, asked: isAsked }) => ({ run: runName(row), runId: row.id, asked: isAsked })),
    blobs: plan.blobs.length,
    sizeBytes: plan.sizeBytes,
    references: plan.references,
  };
}

/** In the order of their creation, each once. */
async function selectRuns(
  metadata: MetadataReader,
  asked: readonly RunRow[],
  withUpstreams: boolean,
): Promise<readonly RunRow[]> {
  const problems = asked.filter(({ status }) => !isOver(status)).map(notOver);
  if (problems.length > 0) {
    throw problemsError(
      "Cannot export the runs",
      problems.map(({ code, message, hint }) => ({ code, message, ...(hint === undefined ? {} : { hint }) })),
    );
  }
  const found = new Map(asked.map((run) => [run.id, run]));
  // A map that grows while it is walked through: what comes in is walked through too.
  if (withUpstreams) {
    for (const run of found.values()) {
      for (const id of await producersOf(metadata, run)) {
        const producer = found.has(id) ? undefined : await metadata.runById(id);
        if (producer !== undefined && isOver(producer.status)) found.set(id, producer);
      }
    }
  }
  if (found.size > limits.MAX_RUNS) throw tooLarge(`${found.size} runs are more than ${limits.MAX_RUNS}`);
  return [...found.values()].sort((left, right) => left.sequence - right.sequence);
}

/** Runs that a run has read from: by its upstreams, further up, or through the client. */
async function producersOf(metadata: MetadataReader, run: RunRow): Promise<ReadonlySet<RunId>> {
  const producers = new Set<RunId>();
  for (const { producer } of await metadata.upstreams(run.sequence))
    if (producer !== undefined) producers.add(producer);
  for (const { producer } of await metadata.reads(run.sequence)) producers.add(producer);
  return producers;
}

interface PlanInput {
  readonly stores: ExportStores;
  readonly runs: readonly RunRow[];
  readonly asked: readonly RunRow[];
  readonly signal: AbortSignal | undefined;
  readonly judge: ExportJudge;
}

class Planner {
  readonly #stores: ExportStores;
  readonly #runs: readonly RunRow[];
  readonly #asked: ReadonlySet<RunId>;
  readonly #signal: AbortSignal | undefined;
  readonly #judge: ExportJudge;
  readonly #blobs = new Map<Digest, PlannedBlob>();
  readonly #packages = new Set<Digest>();
  readonly #entries: Entry[] = [];

  constructor({ stores, runs, asked, signal, judge }: PlanInput) {
    this.#stores = stores;
    this.#runs = runs;
    this.#asked = new Set(asked.map(({ id }) => id));
    this.#signal = signal;
    this.#judge = judge;
  }

  async plan(): Promise<Plan> {
    const { storeId } = await this.#stores.metadata.info();
    this.#judge.store(storeId);
    await this.#checkRecords();
    const heads = new Map<RunRow, ManifestRun>();
    for (const run of this.#runs) heads.set(run, await this.#manifestRun(run, storeId));
    for (const [run, line] of heads)
      await this.#planRun(run, line, storeId).catch((error: unknown) => {
        throw inRun(run, error);
      });
    for (const digest of [...this.#packages].sort()) await this.#planPackage(digest);
    const lines: ManifestLine[] = [{ kind: "export", version: await this.#version() }];
    const references = new Map<RunId, string>();
    for (const [run, line] of heads) {
      lines.push(line);
      for (const { id, run: name } of await this.#referencesOf(run)) {
        lines.push({ kind: "reference", of: run.id, id, run: name });
        references.set(id, name);
      }
    }
    const blobs = [...this.#blobs.values()].sort((left, right) => (left.digest < right.digest ? -1 : 1));
    const count = this.#entries.length + blobs.length;
    if (count > limits.MAX_ENTRIES) throw tooLarge(`${count} values and records are more than ${limits.MAX_ENTRIES}`);
    for (const { name, sizeBytes, digest } of this.#entries) lines.push({ kind: "entry", name, sizeBytes, digest });
    for (const { digest, sizeBytes } of blobs) lines.push({ kind: "blob", digest, sizeBytes });
    this.#judge.throwProblems(); // Before lines are joined that may not even be lines.
    const manifest = encodeManifest(lines);
    this.#judge.manifest(manifest);
    this.#judge.throwProblems();
    const sizeBytes = [
      entryBytes(MANIFEST_NAME, manifest.length),
      ...this.#entries.map((entry) => entryBytes(entry.name, entry.sizeBytes)),
      ...blobs.map((blob) => entryBytes(blobName(blob.digest), blob.sizeBytes)),
      TAIL_BYTES,
    ].reduce((sum, bytes) => sum + bytes, 0);
    return {
      runs: this.#runs.map((row) => ({ row, asked: this.#asked.has(row.id) })),
      entries: this.#entries,
      blobs,
      references: [...references].map(([runId, run]) => ({ run, runId })),
      manifest,
      sizeBytes,
    };
  }

  /** What was changed in this store must not look right in another one. */
  async #checkRecords(): Promise<void> {
    const problems: Problem[] = [];
    for (const run of this.#runs)
      for (const message of await this.#stores.metadata.recordFaults(run.sequence))
        problems.push(changedRecord(run, message, "leave this run out"));
    refuseChanged(problems, "Cannot export the runs");
  }

  /** The oldest form that can hold the runs. */
  async #version(): Promise<1 | typeof METRICS_VERSION | typeof FORMAT_VERSION> {
    const { metadata } = this.#stores;
    let hasMetrics = false;
    for (const { sequence } of this.#runs) {
      if ((await metadata.signatures(sequence)).length > 0) return FORMAT_VERSION;
      hasMetrics ||= (await metadata.runMetrics(sequence)).length > 0;
    }
    return hasMetrics ? METRICS_VERSION : 1;
  }

  async #manifestRun(run: RunRow, storeId: string): Promise<ManifestRun> {
    const call = run.parent === undefined ? undefined : await this.#stores.metadata.childCall(run.sequence);
    return {
      kind: "run",
      id: run.id,
      status: run.status as "succeeded",
      ...homeOf(run, storeId),
      asked: this.#asked.has(run.id),
      ...(call === undefined ? {} : { callInputs: call.inputsDigest }),
    };
  }

  /** What the runs are called that a run leads to, as far as they are not in the file and as far as it is known. */
  async #referencesOf(run: RunRow): Promise<readonly { readonly id: RunId; readonly run: string }[]> {
    const ids = new Set(await producersOf(this.#stores.metadata, run));
    if (run.origin !== undefined) ids.add(run.origin.run);
    if (run.parent !== undefined) ids.add(run.parent.run);
    const inFile = new Set(this.#runs.map(({ id }) => id));
    const named: { readonly id: RunId; readonly run: string }[] = [];
    for (const id of [...ids].filter((each) => !inFile.has(each)).sort()) {
      const row = await this.#stores.metadata.runById(id);
      const name = row === undefined ? run.imported?.references.find((each) => each.id === id)?.run : homeName(row);
      if (name !== undefined) named.push({ id, run: name });
    }
    return named.slice(0, limits.MAX_REFERENCES);
  }

  async #planRun(run: RunRow, line: ManifestRun, storeId: string): Promise<void> {
    const { metadata } = this.#stores;
    const listener: LineListener = {
      blob: (ref, owner) => this.#addBlob(ref, owner),
      package: (digest) => void this.#packages.add(digest),
    };
    const owner = runName(run);
    const judged = this.#judge.run(run, line);
    await this.#addLines(recordsName(run.id), owner, () => recordLines(metadata, run), {
      first: recordLines(metadata, run, listener),
      judge: (text) => judged.record(text),
    });
    judged.endRecords();
    const tags = await tagLines(metadata, run, storeId);
    const tagTexts: string[] = [];
    await this.#addLines(tagsName(run.id), owner, () => iterate(tags), { judge: (text) => void tagTexts.push(text) });
    judged.tags(tagTexts);
    const origins = await originLines(metadata, run).next();
    if (origins.done !== true)
      await this.#addLines(originsName(run.id), owner, () => originLines(metadata, run), {
        judge: (text) => judged.origin(text),
      });
    const signatures = await metadata.signatures(run.sequence);
    if (signatures.length > 0)
      await this.#addLines(signaturesName(run.id), owner, () => iterate(signatures), {
        judge: (text) => judged.signature(text),
      });
  }

  #addBlob({ digest, sizeBytes }: ArtifactRef, owner: string): void {
    const known = this.#blobs.get(digest);
    if (known === undefined) this.#blobs.set(digest, { digest, sizeBytes, owner });
    else if (known.sizeBytes !== sizeBytes) throw otherSize(digest, owner, known.owner);
  }

  async #addLines(
    name: string,
    owner: string,
    lines: () => AsyncIterable<unknown>,
    { first = lines(), judge }: { readonly first?: AsyncIterable<unknown>; readonly judge: (text: string) => void },
  ): Promise<void> {
    const sum = createHash("sha256");
    let sizeBytes = 0;
    for await (const piece of encodeLines(first, owner, judge)) {
      this.#signal?.throwIfAborted();
      sum.update(piece);
      sizeBytes += piece.length;
    }
    const content = () => encodeLines(lines(), owner);
    this.#entries.push({ name, sizeBytes, digest: sum.digest("hex") as Digest, content, owner });
  }

  /** A package that is not in the store stays a digest in the records. */
  async #planPackage(digest: Digest): Promise<void> {
    const kept = await this.#stores.metadata.package(digest);
    if (kept === undefined) return;
    const bytes = Buffer.from(kept.manifest);
    if (bytes.length > limits.MAX_PACKAGE_BYTES)
      throw tooLarge(`the manifest of the code package ${digest} has more than ${limits.MAX_PACKAGE_BYTES} bytes`);
    const pack = this.#judge.package(digest, kept.manifest);
    if (pack === undefined) return;
    for (const file of pack.files)
      this.#addBlob({ ...file, codec: "bytes" }, `"${file.name}" of the code package ${digest}`);
    await this.#judgeOwnManifest(pack);
    const sum = createHash("sha256").update(bytes).digest("hex") as Digest;
    const owner = `the code package ${digest}`;
    const content = () => iterate([bytes]);
    this.#entries.push({ name: packageName(digest), sizeBytes: bytes.length, digest: sum, content, owner });
  }

  async #judgeOwnManifest(pack: PackageText): Promise<void> {
    const { metadata, artifacts } = this.#stores;
    const file = pack.files.find(({ digest }) => digest === pack.manifestFile)!;
    if (file.sizeBytes > limits.MAX_PACKAGE_BYTES) throw tooLarge(`the code package ${pack.digest} is too large`);
    const subject = `"${file.name}" of the code package ${pack.digest}`;
    const pieces: Uint8Array[] = [];
    const ref = { ...file, codec: "bytes" };
    for await (const piece of artifacts.pieces(ref, await metadata.blob(file.digest), { subject }))
      pieces.push(Buffer.from(piece));
    this.#judge.check(`The code package ${pack.digest}`, () => checkOwnManifest(pack, Buffer.concat(pieces)));
  }
}

/** The store that ran a run, and the name that it has there. */
function homeOf(run: RunRow, storeId: string): { readonly store: string; readonly run: string } {
  return { store: run.imported?.store ?? storeId, run: homeName(run) };
}

function homeName(run: RunRow): string {
  return run.imported?.run ?? fullRunName(run);
}

/** A row that cannot be read is told with its run. */
function inRun(run: RunRow, error: unknown): unknown {
  if (!isFlowError(error, "FLOW_METADATA_CORRUPT")) return error;
  return new FlowError("FLOW_METADATA_CORRUPT", {
    message: `Cannot export ${runName(run)}: ${error.message}`,
    hint: RESTORE,
    context: { ...error.context, run: run.id },
    cause: error,
  });
}

function encodeManifest(lines: readonly ManifestLine[]): Uint8Array {
  const body = Buffer.concat(lines.map((line) => encodeLine(line)!));
  const digest = createHash("sha256").update(body).digest("hex") as Digest;
  const manifest = Buffer.concat([body, encodeLine({ kind: "end", digest })!]);
  if (manifest.length > limits.MAX_MANIFEST_BYTES)
    throw tooLarge(`the list of what is in it has more than ${limits.MAX_MANIFEST_BYTES} bytes`);
  return manifest;
}

/** Lines of JSON, joined to pieces of some size: a write for each line would cost more than the line. */
async function* encodeLines(
  lines: AsyncIterable<unknown>,
  owner: string,
  judge?: (text: string) => void,
): AsyncGenerator<Uint8Array, void> {
  let open: Uint8Array[] = [];
  let openBytes = 0;
  for await (const line of lines) {
    const bytes = encodeRecord(line, owner);
    if (bytes === undefined) throw tooLarge(`a record of ${owner} has more than ${limits.MAX_LINE_BYTES} bytes`);
    judge?.(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length - 1).toString());
    open.push(bytes);
    openBytes += bytes.length;
    if (openBytes < 256 * 1024) continue;
    yield Buffer.concat(open);
    open = [];
    openBytes = 0;
  }
  if (openBytes > 0) yield Buffer.concat(open);
}

function encodeRecord(line: unknown, owner: string): Uint8Array | undefined {
  try {
    return encodeLine(line);
  } catch (error) {
    if (!isFlowError(error, "FLOW_METADATA_BAD_ARGUMENT")) throw error;
    throw new FlowError("FLOW_TRANSFER_BAD_RECORDS", {
      message: `Cannot export the runs: ${owner} has records that no store takes: ${error.message}`,
      hint: RESTORE,
      cause: error,
    });
  }
}

async function* iterate<T>(items: readonly T[]): AsyncGenerator<T, void> {
  yield* items;
}

function tooLarge(why: string): FlowError {
  return new FlowError("FLOW_TRANSFER_TOO_LARGE", {
    message: `Cannot export the runs into one file: ${why}`,
    hint: "Export fewer runs into one file",
  });
}
