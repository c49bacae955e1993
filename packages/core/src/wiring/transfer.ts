/** Export and import between a store and a file: stores, files and the transfer room put together. */
import { tmpdir } from "node:os";
import path from "node:path";
import type { Readable } from "node:stream";
import { FlowError, isFlowError } from "../errors/flow-error.ts";
import type { RunRow } from "../metadata/metadata-store.ts";
import type { RecordTrial } from "../metadata/record-trial.ts";
import { openSqliteTrial } from "../metadata/sqlite/sqlite-trial.ts";
import { checkArchive } from "../transfer/check-archive.ts";
import { type ExportOptions, type ExportReport, exportRuns } from "../transfer/export-runs.ts";
import { type ImportOptions, type ImportReport, importRuns, planImport } from "../transfer/import-runs.ts";
import { openArchive } from "../transfer/open-archive.ts";
import { OutputFile } from "../util/output-file.ts";
import { whyNoOutput } from "../util/output-place.ts";
import type { OpenStores } from "./open-stores.ts";

export interface ExportRequest extends Omit<ExportOptions, "write"> {
  /** A file, which is there as a whole when this has answered and otherwise not at all; or a function that takes its pieces. */
  readonly to: string | ExportOptions["write"];
}

/**
 * Exports runs of a store.
 *
 * @throws as `exportRuns` of the transfer room; FLOW_STORAGE_ for a file that cannot be written
 */
export async function exportToFile(
  opened: OpenStores,
  runs: readonly RunRow[],
  { to, ...options }: ExportRequest,
): Promise<ExportReport> {
  const { metadata, artifacts, folder } = opened;
  const stores = { metadata, artifacts, openTrial: openSqliteTrial };
  if (typeof to !== "string") return await exportRuns(stores, runs, { ...options, write: to });
  const why = whyNoOutput(to, folder);
  if (why !== undefined) throw notWritten(to, new Error(why));
  const file = await OutputFile.open(to).catch((error: unknown) => {
    throw notWritten(to, error);
  });
  const write = async (piece: Uint8Array): Promise<void> => {
    await file.write(piece).catch((error: unknown) => {
      throw notWritten(to, error);
    });
  };
  try {
    const report = await exportRuns(stores, runs, { ...options, write });
    await file.keep().catch((error: unknown) => {
      throw notWritten(to, error);
    });
    return report;
  } catch (error) {
    await file.drop();
    throw error;
  }
}

export interface ImportRequest extends ImportOptions {
  /** A path, or what the file comes through. */
  readonly from: string | Readable;
  /** What messages call it. Default: the path. */
  readonly name?: string;
  /** Whether only to say what would come in. */
  readonly isDryRun?: boolean;
}

/** Where runs are to go: a store that is there, or one that is made when the file has been found good. */
export type ImportTarget = OpenStores | NewStore;

export interface NewStore {
  readonly create: () => Promise<OpenStores>;
  /** Throws what `create` would throw, as far as that can be known, and touches nothing: a dry run says what an import does. */
  readonly check: () => Promise<void>;
}

/**
 * Imports the runs of a file, or says what would come in. All that can be refused is refused before anything is made: a file that
 * is refused leaves no new store and no values, and a dry run asks the same.
 *
 * @throws as `checkArchive`, `planImport` and `importRuns` of the transfer room, and as `create` of the target
 */
export async function importFromFile(target: ImportTarget, request: ImportRequest): Promise<ImportReport> {
  const { from, isDryRun = false, ...options } = request;
  const name = request.name ?? (typeof from === "string" ? from : "standard input");
  const stores = "create" in target ? undefined : target;
  const folder = stores === undefined || stores.isReadonly ? tmpdir() : stores.locate().temporaryFolder;
  const file = await openArchive(from, { folder, name });
  try {
    const archive = await tryOut((trial) => checkArchive(file, { ...options, trial }));
    if (isDryRun && "create" in target) await target.check();
    if (isDryRun) return await planImport(stores?.metadata, archive);
    return await importRuns("create" in target ? await target.create() : target, archive, options);
  } finally {
    file.close();
  }
}

async function tryOut<T>(work: (trial: RecordTrial) => Promise<T>): Promise<T> {
  const trial = openSqliteTrial();
  try {
    return await work(trial);
  } finally {
    trial.close();
  }
}

function notWritten(file: string, cause: unknown): FlowError {
  if (isFlowError(cause)) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new FlowError("FLOW_CLI_OUTPUT_NOT_WRITABLE", {
    message: `Cannot write "${file}": ${reason}`,
    hint: `Name a file in a folder that exists and can be written, such as ${path.basename(file)}`,
    cause,
  });
}
