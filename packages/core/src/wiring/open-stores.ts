/**
 * From settings to opened stores. This room alone names concrete back-ends; all others are handed contracts.
 *
 * Invariants: nothing is created unless asked for; what was opened is closed together, also when opening fails half-way;
 * the folder is private when we make it. Not here: which folder it is (config), what is read and written (everyone else).
 */
import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";
import { ArtifactStore } from "../artifact/artifact-store.ts";
import type { ProjectView } from "../client/validate/project-view.ts";
import { type Environment, resolveTrustedConfig } from "../config/config.ts";
import type { StoreChoice } from "../config/find-store.ts";
import { isProcessAlive, readProcessIdentity } from "../config/process-identity.ts";
import { FlowError } from "../errors/flow-error.ts";
import type { MetadataStore } from "../metadata/metadata-store.ts";
import { openSqliteMetadata } from "../metadata/sqlite/sqlite-metadata.ts";
import type { SyncBlobStore } from "../storage/blob-store.ts";
import { fileError } from "../storage/fs/file-error.ts";
import { openFsBlobStore } from "../storage/fs/fs-blob-store.ts";
import { checkStoreFolder, prepareStoreFolder, refuseLostRecords } from "./prepare-folder.ts";
import { locateStore, type StoreLocation } from "./store-location.ts";

export interface OpenStores {
  /** Absolute folder of the store. */
  readonly folder: string;
  /** Whether this call created the store. */
  readonly isNew: boolean;
  /** Whether only reading is possible: the folder is not writable for this user. */
  readonly isReadonly: boolean;
  readonly metadata: MetadataStore;
  readonly blobs: SyncBlobStore;
  readonly artifacts: ArtifactStore;
  /** What is installed where the store was asked for: checks of models and packages go by it. */
  projectView(): Promise<ProjectView>;
  /** Whether the files that were opened are still those at the store's place. */
  isInPlace(): boolean;
  /** What a worker needs to open the same stores (`openTaskStores`). */
  locate(): StoreLocation;
  close(): Promise<void>;
}

export interface OpenStoresInput {
  /** The `--store` option. */
  readonly store?: string;
  readonly cwd: string;
  readonly environment: Environment;
  /** Whether a missing store is created: true for what writes runs, false for what reads. */
  readonly create: boolean;
}

/**
 * Opens the store that option, environment and folder name.
 *
 * @throws FlowError FLOW_CLIENT_NO_STORE (nothing there and `create` is false), FLOW_CLIENT_NOT_A_STORE, FLOW_METADATA_CORRUPT (values without records),
 *   FLOW_CLIENT_FOREIGN_STORE, FLOW_STORAGE_DENIED and others of the storage room, naming the path, and what the metadata room throws for a store
 *   of a newer version or one that is no database
 */
export async function openStores(input: OpenStoresInput): Promise<OpenStores> {
  const { store } = resolveTrustedConfig(input);
  const location = locateStore(store.folder);
  let isNew = false;
  if (input.create) isNew = prepareStoreFolder(store.folder, location);
  else {
    const isFile = isThere(location.databaseFile);
    refuseLostRecords(store.folder, location);
    if (!isFile) throw noStore(store, input.cwd);
  }

  const isReadonly = !input.create && !isWritable(location.databaseFile);
  const blobs = openFsBlobStore(location.blobFolder, { temporaryFolder: location.temporaryFolder });
  const artifacts = new ArtifactStore(blobs);
  const metadata = await openSqliteMetadata(location.databaseFile, {
    readonly: isReadonly,
    holdsBlob: (blob) => artifacts.holdsSync(blob),
    liveness: { self: readProcessIdentity(), now: Date.now, isAlive: isProcessAlive },
  });
  try {
    const identity = fileIdentity(location.databaseFile);
    return {
      folder: store.folder,
      isNew,
      isReadonly,
      metadata,
      blobs,
      artifacts,
      projectView: async () => (await import("./project-view.ts")).projectView(input.cwd),
      isInPlace: () => fileIdentity(location.databaseFile) === identity,
      locate: () => location,
      async close() {
        await Promise.all([metadata.close(), blobs.close()]);
      },
    };
  } catch (error) {
    await metadata.close();
    throw error;
  }
}

/**
 * Whether `openStores` could make or find a store there; touches nothing.
 *
 * @throws FlowError as `openStores` of a folder that cannot become a store
 */
export function checkStorePlace(input: Omit<OpenStoresInput, "create">): void {
  const { store } = resolveTrustedConfig(input);
  checkStoreFolder(store.folder, locateStore(store.folder));
}

/** A folder that may not be entered is another trouble than a store that is missing. */
export function isThere(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw fileError("Cannot open the store", dirname(file), error);
  }
}

/** What tells a file from another one that was put in its place; undefined when there is none. */
function fileIdentity(file: string): string | undefined {
  const facts = statSync(file, { bigint: true, throwIfNoEntry: false });
  return facts === undefined ? undefined : `${facts.dev}:${facts.ino}`;
}

/** SQLite in WAL mode writes beside its file even for reading: both the file and its folder count. */
function isWritable(file: string): boolean {
  try {
    accessSync(file, constants.W_OK);
    accessSync(dirname(file), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Nothing is there; or a file, where a store is a folder. */
export function noStore(store: StoreChoice, cwd: string): FlowError {
  if (statSync(store.folder, { throwIfNoEntry: false })?.isDirectory() === false)
    return new FlowError("FLOW_CLIENT_NOT_A_STORE", {
      message: `Cannot open the store in "${store.folder}": it is a file`,
      hint: "Name the folder of a store with --store or MILLRACE_STORE",
      context: { folder: store.folder, from: store.from },
    });
  const looked = store.from === "workspace" ? `from "${cwd}" upwards` : `in "${store.folder}"`;
  const by = store.from === "option" ? " (from --store)" : store.from === "environment" ? " (from MILLRACE_STORE)" : "";
  return new FlowError("FLOW_CLIENT_NO_STORE", {
    message: `Cannot find a store: there is none ${looked}${by}`,
    hint: "Run a flow first, which makes one, or name a store with --store or MILLRACE_STORE",
    context: { folder: store.folder, from: store.from },
  });
}
