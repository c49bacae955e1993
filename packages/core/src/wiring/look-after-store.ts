/** Verifying and repairing a store from a program: as the command does, for the store that the process means. */
import type { RepairOptions, RepairReport } from "../admin/repair/repair-store.ts";
import type { VerifyReport } from "../admin/verify/finding.ts";
import type { VerifyOptions } from "../admin/verify/verify-store.ts";
import { readProcess } from "../config/config.ts";
import { checkOptions } from "../errors/check-options.ts";

export interface StoreChoiceOptions {
  /** The folder of the store; default `MILLRACE_STORE`, else `.millrace` in the working directory or above. */
  readonly store?: string;
}

const WATCH = { store: "text", onFinding: "any", onProgress: "any" } as const;

/**
 * Checks that a store is what was written to it; changes nothing, and may be called while runs write.
 *
 * @param options.readData  true reads and hashes every value, `[2, 7]` the second of seven parts; default false
 * @param options.onFinding  called for each finding, as it is found: damage is no error
 * @returns totals; `ok` when nothing is damaged and all could be looked at
 * @throws FlowError FLOW_CLIENT_NO_STORE, and of the metadata and storage rooms for a store that cannot be opened
 * @experimental
 */
export async function verifyStore(options: VerifyOptions & StoreChoiceOptions = {}): Promise<VerifyReport> {
  checkOptions("verifyStore()", options, { ...WATCH, readData: "any" });
  const { store, ...rest } = options;
  const admin = await import("./store-admin.ts"); // Loaded when it is called: few programs do.
  return admin.verifyStore({ ...chosen(store), ...readProcess() }, rest);
}

/**
 * Mends what can be mended in a store without guessing, after reading all of it: computes again what is derived, and moves
 * broken values to `quarantine/`. Nothing is deleted; the database is copied before it is changed.
 *
 * @param options.dryRun  says what would be done, and does nothing; default false
 * @returns what was done, what each run has lost and how it gets it again; `ok` when the store is whole now
 * @throws FlowError as `verifyStore`; FLOW_GC_RUNNING beside a collection or another repair; FLOW_METADATA_CORRUPT when only a copy of the records helps
 * @experimental
 */
export async function repairStore(options: RepairOptions & StoreChoiceOptions = {}): Promise<RepairReport> {
  checkOptions("repairStore()", options, { ...WATCH, dryRun: "boolean" });
  const { store, ...rest } = options;
  const admin = await import("./store-admin.ts");
  return admin.repairStore({ ...chosen(store), ...readProcess() }, rest);
}

function chosen(store: string | undefined): StoreChoiceOptions {
  return store === undefined ? {} : { store };
}
