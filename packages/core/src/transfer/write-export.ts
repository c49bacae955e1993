/** The second half of an export: what was planned and measured goes out, and is compared with the plan on the way. */
import { createHash } from "node:crypto";
import type { Digest } from "../artifact/artifact.ts";
import type { ArtifactStore } from "../artifact/artifact-store.ts";
import { FlowError } from "../errors/flow-error.ts";
import type { RunId } from "../ids/run-id.ts";
import type { MetadataReader, MetadataStore, RunRow } from "../metadata/metadata-store.ts";
import type { RecordTrial } from "../metadata/record-trial.ts";
import { tarPadding } from "../util/tar.ts";
import { entryHead, TAIL_BYTES } from "../util/tar-entries.ts";
import { blobName, MANIFEST_NAME } from "./lines.ts";

export interface ExportStores {
  readonly metadata: MetadataReader & Pick<MetadataStore, "package">;
  readonly artifacts: Pick<ArtifactStore, "pieces">;
  /** Opens a place where records are tried out, as an import would. */
  readonly openTrial: () => RecordTrial;
}

export interface ExportOptions {
  /** Whether the runs that these runs read from come along, and theirs. Default false: their ids and names are kept. */
  readonly withUpstreams?: boolean;
  /** Called with every piece of the file, in order; the next one comes when it has answered. */
  readonly write: (piece: Uint8Array) => Promise<void>;
  readonly onProgress?: (progress: TransferProgress) => void;
  readonly signal?: AbortSignal;
}

export interface TransferProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** What went into a file. */
export interface ExportReport {
  readonly runs: readonly { readonly run: string; readonly runId: RunId; readonly asked: boolean }[];
  readonly blobs: number;
  readonly sizeBytes: number;
  /** Runs that the exported ones lead to and that are not in the file. */
  readonly references: readonly { readonly run: string; readonly runId: RunId }[];
}

export interface Entry {
  readonly name: string;
  readonly sizeBytes: number;
  readonly digest: Digest;
  /** Its content, again and again the same. */
  readonly content: () => AsyncIterable<Uint8Array>;
  readonly owner: string;
}

export interface Plan {
  readonly runs: readonly { readonly row: RunRow; readonly asked: boolean }[];
  readonly entries: readonly Entry[];
  readonly blobs: readonly PlannedBlob[];
  readonly references: ExportReport["references"];
  readonly manifest: Uint8Array;
  readonly sizeBytes: number;
}

export interface PlannedBlob {
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** The first artifact that has it, in words. */
  readonly owner: string;
}

const WRITE_BYTES = 256 * 1024;

/** Writes what was planned, in its order. */
export async function writePlan(stores: ExportStores, plan: Plan, options: ExportOptions): Promise<void> {
  await new Writer(stores, plan, options).write();
}

class Writer {
  readonly #stores: ExportStores;
  readonly #plan: Plan;
  readonly #options: ExportOptions;
  #doneBytes = 0;
  /** Heads, small values and what lies between are gathered: a write for each would cost more than they do. */
  #open: Uint8Array[] = [];
  #openBytes = 0;

  constructor(stores: ExportStores, plan: Plan, options: ExportOptions) {
    this.#stores = stores;
    this.#plan = plan;
    this.#options = options;
  }

  async write(): Promise<void> {
    const { manifest, entries, blobs } = this.#plan;
    await this.#put(entryHead(MANIFEST_NAME, manifest.length));
    await this.#put(manifest);
    await this.#put(new Uint8Array(tarPadding(manifest.length)));
    await this.#flush(); // Whoever reads a pipe learns at once how much is to come.
    for (const entry of entries) await this.#entry(entry);
    for (const blob of blobs) await this.#blob(blob);
    await this.#put(new Uint8Array(TAIL_BYTES));
    await this.#flush();
  }

  async #entry({ name, sizeBytes, digest, content, owner }: Entry): Promise<void> {
    await this.#put(entryHead(name, sizeBytes));
    const sum = createHash("sha256");
    let written = 0;
    for await (const piece of content()) {
      sum.update(piece);
      written += piece.length;
      if (written > sizeBytes) break;
      await this.#put(piece);
    }
    if (written !== sizeBytes || sum.digest("hex") !== digest) {
      throw new FlowError("FLOW_TRANSFER_CHANGED", {
        message: `Cannot export ${owner}: it changed while it was read`,
        hint: "Export again when it has ended",
      });
    }
    await this.#put(new Uint8Array(tarPadding(sizeBytes)));
  }

  async #blob({ digest, sizeBytes, owner }: PlannedBlob): Promise<void> {
    const row = await this.#stores.metadata.blob(digest);
    if (row !== undefined && row.sizeBytes !== sizeBytes) throw otherSize(digest, owner, "its blob");
    await this.#put(entryHead(blobName(digest), sizeBytes));
    // Another size can only come with another digest, which `pieces` throws at its end.
    for await (const piece of this.#stores.artifacts.pieces({ codec: "bytes", digest, sizeBytes }, row, {
      subject: owner,
    }))
      await this.#put(piece);
    await this.#put(new Uint8Array(tarPadding(sizeBytes)));
  }

  async #put(piece: Uint8Array): Promise<void> {
    this.#options.signal?.throwIfAborted();
    if (piece.length === 0) return;
    this.#open.push(piece);
    this.#openBytes += piece.length;
    if (this.#openBytes >= WRITE_BYTES) await this.#flush();
    this.#doneBytes += piece.length;
    this.#options.onProgress?.({ doneBytes: this.#doneBytes, totalBytes: this.#plan.sizeBytes });
  }

  async #flush(): Promise<void> {
    const pieces = this.#open;
    this.#open = [];
    this.#openBytes = 0;
    if (pieces.length > 0) await this.#options.write(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces));
  }
}

export function otherSize(digest: Digest, owner: string, other: string): FlowError {
  return new FlowError("FLOW_ARTIFACT_DAMAGED", {
    message: `Cannot export ${owner} (${digest}): ${other} is recorded with another size`,
    hint: "Find out what is wrong with flow validate, and restore the store from a copy",
    context: { digest },
  });
}
