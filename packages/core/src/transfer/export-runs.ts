/**
 * `flow export`: runs with all that belongs to them as one plain tar (docs/formats/export.md).
 *
 * The manifest comes first and names the digest of everything, so all records are written twice: once to hash and measure them,
 * once into the file. That costs reading, and no memory. Invariants: the same runs give the same bytes; every value is checked
 * while it is read; what is in the file is records of the public form and payloads, never a part of the database.
 */
import { createHash } from "node:crypto";
import type { ArtifactRef, Digest } from "../artifact/artifact.ts";
import { FlowError, type Problem, problemsError } from "../errors/flow-error.ts";
import type { RunId } from "../ids/run-id.ts";
import { changedRecord, refuseChanged } from "../lineage/changed-records.ts";
import { fullRunName, runName } from "../lineage/run-name.ts";
import type { MetadataReader, RunRow } from "../metadata/metadata-store.ts";
import { isOver } from "../metadata/run-state.ts";
import { entryBytes, TAIL_BYTES } from "../util/tar-entries.ts";
import { encodeLine } from "./json-lines.ts";
import * as limits from "./limits.ts";
import {
  blobName,
  FORMAT_VERSION,
  MANIFEST_NAME,
  type ManifestLine,
  METRICS_VERSION,
  originsName,
  packageName,
  recordsName,
  signaturesName,
  tagsName,
} from "./lines.ts";
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
 * Writes runs into a file.
 *
 * @throws FlowError FLOW_TRANSFER_NOT_OVER (naming every run that is not over), FLOW_TRANSFER_TOO_LARGE, FLOW_TRANSFER_CHANGED,
 *   FLOW_METADATA_CHANGED_RECORDS, FLOW_ARTIFACT_DAMAGED and FLOW_ARTIFACT_MISSING naming run, task, artifact and digest
 */
export async function exportRuns(
  stores: ExportStores,
  asked: readonly RunRow[],
  options: ExportOptions,
): Promise<ExportReport> {
  const runs = await selectRuns(stores.metadata, asked, options.withUpstreams === true);
  const plan = await new Planner(stores, runs, new Set(asked.map(({ id }) => id)), options.signal).plan();
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

class Planner {
  readonly #stores: ExportStores;
  readonly #runs: readonly RunRow[];
  readonly #asked: ReadonlySet<RunId>;
  readonly #signal: AbortSignal | undefined;
  readonly #blobs = new Map<Digest, PlannedBlob>();
  readonly #packages = new Set<Digest>();
  readonly #entries: Entry[] = [];

  constructor(
    stores: ExportStores,
    runs: readonly RunRow[],
    asked: ReadonlySet<RunId>,
    signal: AbortSignal | undefined,
  ) {
    this.#stores = stores;
    this.#runs = runs;
    this.#asked = asked;
    this.#signal = signal;
  }

  async plan(): Promise<Plan> {
    const { metadata } = this.#stores;
    const { storeId } = await metadata.info();
    const lines: ManifestLine[] = [{ kind: "export", version: await this.#version() }];
    await this.#checkRecords();
    const references = new Map<RunId, string>();
    for (const run of this.#runs) {
      lines.push(await this.#manifestRun(run, storeId));
      for (const { id, run: name } of await this.#referencesOf(run)) {
        lines.push({ kind: "reference", of: run.id, id, run: name });
        references.set(id, name);
      }
    }
    for (const run of this.#runs) await this.#planRun(run, storeId);
    for (const digest of [...this.#packages].sort()) await this.#planPackage(digest);
    const blobs = [...this.#blobs.values()].sort((left, right) => (left.digest < right.digest ? -1 : 1));
    const count = this.#entries.length + blobs.length;
    if (count > limits.MAX_ENTRIES) throw tooLarge(`${count} values and records are more than ${limits.MAX_ENTRIES}`);
    for (const { name, sizeBytes, digest } of this.#entries) lines.push({ kind: "entry", name, sizeBytes, digest });
    for (const { digest, sizeBytes } of blobs) lines.push({ kind: "blob", digest, sizeBytes });
    const manifest = encodeManifest(lines);
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

  async #manifestRun(run: RunRow, storeId: string): Promise<ManifestLine> {
    const call = run.parent === undefined ? undefined : await this.#stores.metadata.childCall(run.sequence);
    return {
      kind: "run",
      id: run.id,
      status: run.status as "succeeded",
      ...homeOf(run, storeId),
      asked: this.#asked.has(run.id),
      callInputs: call?.inputsDigest,
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

  async #planRun(run: RunRow, storeId: string): Promise<void> {
    const { metadata } = this.#stores;
    const listener: LineListener = {
      blob: (ref, owner) => this.#addBlob(ref, owner),
      package: (digest) => void this.#packages.add(digest),
    };
    const owner = runName(run);
    await this.#addLines(
      recordsName(run.id),
      owner,
      () => recordLines(metadata, run),
      recordLines(metadata, run, listener),
    );
    const tags = await tagLines(metadata, run, storeId);
    await this.#addLines(tagsName(run.id), owner, () => iterate(tags));
    const origins = await originLines(metadata, run).next();
    if (origins.done !== true) await this.#addLines(originsName(run.id), owner, () => originLines(metadata, run));
    const signatures = await metadata.signatures(run.sequence);
    if (signatures.length > 0) await this.#addLines(signaturesName(run.id), owner, () => iterate(signatures));
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
    first: AsyncIterable<unknown> = lines(),
  ): Promise<void> {
    const sum = createHash("sha256");
    let sizeBytes = 0;
    for await (const piece of encodeLines(first, owner)) {
      this.#signal?.throwIfAborted();
      sum.update(piece);
      sizeBytes += piece.length;
    }
    const content = () => encodeLines(lines(), owner);
    this.#entries.push({ name, sizeBytes, digest: sum.digest("hex") as Digest, content, owner });
  }

  /** A package that is not in the store stays a digest in the records. */
  async #planPackage(digest: Digest): Promise<void> {
    const pack = await this.#stores.metadata.package(digest);
    if (pack === undefined) return;
    const bytes = Buffer.from(pack.manifest);
    if (bytes.length > limits.MAX_PACKAGE_BYTES)
      throw tooLarge(`the manifest of the code package ${digest} has more than ${limits.MAX_PACKAGE_BYTES} bytes`);
    const { files = [] } = JSON.parse(pack.manifest) as {
      readonly files?: readonly (ArtifactRef & { name: string })[];
    };
    for (const file of files) this.#addBlob(file, `"${file.name}" of the code package ${digest}`);
    const sum = createHash("sha256").update(bytes).digest("hex") as Digest;
    const owner = `the code package ${digest}`;
    const content = () => iterate([bytes]);
    this.#entries.push({ name: packageName(digest), sizeBytes: bytes.length, digest: sum, content, owner });
  }
}

/** The store that ran a run, and the name that it has there. */
function homeOf(run: RunRow, storeId: string): { readonly store: string; readonly run: string } {
  return { store: run.imported?.store ?? storeId, run: homeName(run) };
}

function homeName(run: RunRow): string {
  return run.imported?.run ?? fullRunName(run);
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
async function* encodeLines(lines: AsyncIterable<unknown>, owner: string): AsyncGenerator<Uint8Array, void> {
  let open: Uint8Array[] = [];
  let openBytes = 0;
  for await (const line of lines) {
    const bytes = encodeLine(line);
    if (bytes === undefined) throw tooLarge(`a record of ${owner} has more than ${limits.MAX_LINE_BYTES} bytes`);
    open.push(bytes);
    openBytes += bytes.length;
    if (openBytes < 256 * 1024) continue;
    yield Buffer.concat(open);
    open = [];
    openBytes = 0;
  }
  if (openBytes > 0) yield Buffer.concat(open);
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
