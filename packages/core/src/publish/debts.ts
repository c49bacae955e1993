/**
 * What a bucket is owed besides its log: the manifests of runs that ended, and that nothing stays of runs that were deleted. It stands among the news
 * until it is done, so that a bucket that refuses or a process that dies puts it off, and no more.
 */
import type { NewBlob } from "../artifact/artifact.ts";
import { type FlowError, isFlowError } from "../errors/flow-error.ts";
import type { RunId } from "../ids/run-id.ts";
import type { EndedRun } from "../metadata/bucket-records.ts";
import type { MetadataStore } from "../metadata/metadata-store.ts";
import { type LogLine, REBUILD_VIA } from "../metadata/record-rebuild.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import type { PayDebts } from "./bucket-log.ts";
import { PACKS_PREFIX, parseRunKey, RUNS_PREFIX, runKey } from "./layout.ts";
import { Packer } from "./packer.ts";
import { readAgain } from "./read-again.ts";
import { readRun } from "./read-run.ts";
import { writeRun } from "./write-run.ts";

export interface Debts {
  readonly metadata: MetadataStore;
  readonly bucket: BlobStore;
  readonly large?: ((blob: NewBlob) => Promise<void>) | undefined;
  /** Whether this process has just written how a run ended: nobody needs to look. */
  readonly isWritten?: (ended: EndedRun) => boolean;
  /** Of a run that this process has run. */
  readonly packerOf?: (run: RunId) => Packer | undefined;
  /** Told of a run that cannot be written whoever tries it: it holds up no other one. */
  readonly onUnwritten?: (error: FlowError) => void;
}

export function debtsOf(debts: Debts): PayDebts {
  return async (news) => {
    for (const line of news) {
      if (line.kind === "ended") await writeEnded(debts, line);
      else if (line.kind === "deleted") await clear(debts, line);
    }
  };
}

async function writeEnded(debts: Debts, ended: EndedRun): Promise<void> {
  const { metadata, bucket, large, packerOf, onUnwritten } = debts;
  if (debts.isWritten?.(ended) === true) return;
  const run = await metadata.runById(ended.run);
  // It was deleted or goes on: what it is then comes in turn.
  if (run === undefined || run.execution.number !== ended.execution || run.status !== ended.status) return;
  try {
    if (await isThere(bucket, ended)) return;
    const packer = packerOf?.(run.id) ?? new Packer({ bucket, run: run.id, isContinued: true });
    await writeRun({
      bucket,
      metadata,
      records: metadata.bucket,
      run,
      packer,
      ...(large === undefined ? {} : { large }),
    });
  } catch (error) {
    if (!isForGood(error)) throw error;
    onUnwritten?.(error);
  }
}

/** Whether the newest manifest of an execution says that it ended so: a success may be there that could not be recorded. */
async function isThere(bucket: BlobStore, { run, execution, status }: EndedRun): Promise<boolean> {
  const { keys } = await bucket.list({ prefix: `${RUNS_PREFIX}${run}/` });
  const written = keys.flatMap((key) => parseRunKey(key) ?? []).filter((key) => key.execution === execution);
  if (written.length === 0) return false;
  const key = runKey(run, execution, Math.max(...written.map(({ again }) => again)));
  try {
    return await readAgain(async () => {
      for await (const line of readRun(bucket, key)) if (line.kind === "run") return line.status === status;
      return false;
    });
  } catch (error) {
    if (!isFlowError(error, "FLOW_PUBLISH_DAMAGED")) throw error;
    return false;
  }
}

/** Deletes what lies there of a run that was deleted. */
async function clear({ metadata, bucket }: Debts, { id, via }: LogLine & { readonly kind: "deleted" }): Promise<void> {
  // Nobody asked for that: it had no manifest, and may go on elsewhere.
  if (via === REBUILD_VIA) return;
  if ((await metadata.runById(id)) !== undefined) return; // It was imported again.
  for (const prefix of [RUNS_PREFIX, PACKS_PREFIX]) {
    for (;;) {
      const { keys, next } = await bucket.list({ prefix: `${prefix}${id}/` });
      await Promise.all(keys.map((key) => bucket.delete(key)));
      if (next === undefined) break;
    }
  }
}

const FOR_GOOD = [
  "FLOW_METADATA_MISSING_BLOB",
  "FLOW_TRANSFER_TOO_LARGE",
  "FLOW_PUBLISH_DAMAGED",
  "FLOW_PUBLISH_FORKED",
  "FLOW_INTERNAL",
] as const;

/** The fault is that of the run. */
function isForGood(error: unknown): error is FlowError {
  return FOR_GOOD.some((code) => isFlowError(error, code));
}
