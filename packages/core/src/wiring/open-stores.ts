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
import { isAboveProject, type StoreChoice } from "../config/find-store.ts";
import { isProcessAlive, readProcessIdentity } from "../config/process-identity.ts";
import { FlowError, serializeError } from "../errors/flow-error.ts";
import type { MetadataStore } from "../metadata/metadata-store.ts";
import { openSqliteMetadata } from "../metadata/sqlite/sqlite-metadata.ts";
import { takeTellingLock } from "../metadata/sqlite/telling-lock.ts";
import type { SyncBlobStore } from "../storage/blob-store.ts";
import { fileError } from "../storage/fs/file-error.ts";
import { storeLayout } from "../storage/fs/store-folder.ts";
import { openBlobs } from "./open-blobs.ts";
import { checkStoreFolder, prepareStoreFolder, refuseLostRecords } from "./prepare-folder.ts";
import { publishingRecords } from "./publishing-records.ts";
import { locateStore, type StoreLocation } from "./store-location.ts";

export interface OpenStores {
  /** Absolute folder of the store: its records, and its values unless they lie in a bucket. */
  readonly folder: string;
  /** What people are told when they ask where the store is: the folder, or the bucket's URL. */
  readonly place: string;
  /** Whether this call created the store. */
  readonly isNew: boolean;
  /** Whether it was found outside of the project that it was asked for in. */
  readonly isAbove: boolean;
  /** Whether only reading is possible: the folder is not writable for this user. */
  readonly isReadonly: boolean;
  readonly metadata: MetadataStore;
  readonly blobs: SyncBlobStore;
  readonly artifacts: ArtifactStore;
  /** Whether values are read from copies on this machine where it has some: those of a bucket are. */
  readonly readsCopies: boolean;
  /** Tells the bucket of all that is recorded, such as deletions; there for a store in a bucket. Throws what the bucket does. */
  readonly tellBucket?: () => Promise<void>;
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
  /** A store that was chosen before, in place of what the option and the environment say. */
  readonly chosen?: StoreChoice;
  readonly cwd: string;
  readonly environment: Environment;
  /** Whether a missing store is created: true for what writes runs, false for what reads. */
  readonly create: boolean;
}

/**
 * Opens the store that option, environment and folder name.
 *
 * @throws FlowError FLOW_CLIENT_NO_STORE (nothing there and `create` is false), FLOW_CLIENT_NOT_A_STORE, FLOW_METADATA_CORRUPT (values without records),
 *   FLOW_CLIENT_FOREIGN_STORE, FLOW_PUBLISH_OTHER_STORE (a bucket whose records are not here would get other ones), FLOW_PUBLISH_NESTED, FLOW_STORAGE_DENIED and others of the storage room, naming the path, and what the metadata room throws for a store
 *   of a newer version or one that is no database
 */
export async function openStores(input: OpenStoresInput): Promise<OpenStores> {
  const { store } = resolveTrustedConfig(input);
  const location = locateStore(store);
  let isNew = false;
  if (input.create) {
    checkStoreFolder(store.folder, location);
    if (store.bucket !== undefined && !hasRecords(location))
      await (await import("./taken-bucket.ts")).refuseTakenBucket(store);
    isNew = prepareStoreFolder(store.folder, location);
  } else {
    const isFile = isThere(location.databaseFile);
    refuseLostRecords(store.folder, location);
    if (!isFile) throw noStore(store, input.cwd);
  }

  const isReadonly = !input.create && !isWritable(location.databaseFile);
  const blobs = openBlobs(location, input.create);
  const artifacts = new ArtifactStore(blobs);
  const { settle } = artifacts;
  const records = await openSqliteMetadata(location.databaseFile, {
    readonly: isReadonly,
    holdsBlob: (blob) => artifacts.holdsSync(blob),
    ...(settle === undefined ? {} : { blobsAhead: { knows: (blob) => artifacts.knowsSync(blob), look: settle } }),
    liveness: { self: readProcessIdentity(), now: Date.now, isAlive: isProcessAlive },
  });
  // Keys that are no values go straight to the bucket.
  const published =
    location.bucket === undefined || isReadonly
      ? undefined
      : publishingRecords(records, {
          openBucket: async () => {
            await blobs.ready?.();
            return blobs;
          },
          onUntold: (error) => tellUntold(store, error),
          lock: () => takeTellingLock(storeLayout(store.folder).telling),
        });
  const metadata = published?.metadata ?? records;
  try {
    const identity = fileIdentity(location.databaseFile);
    return {
      folder: store.folder,
      place: placeOf(store),
      isNew,
      isAbove: isAboveProject(store, input.cwd),
      isReadonly,
      metadata,
      blobs,
      artifacts,
      readsCopies: location.bucket !== undefined,
      ...(published === undefined ? {} : { tellBucket: () => published.tell() }),
      projectView: async () => (await import("./project-view.ts")).projectView(input.cwd),
      isInPlace: () => fileIdentity(location.databaseFile) === identity,
      locate: () => location,
      async close() {
        await published?.settle();
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
  checkStoreFolder(store.folder, locateStore(store));
}

/** It is recorded, and the next command that writes tells it, unless there is a second copy: no reason to fail what was done. */
function tellUntold(store: StoreChoice, error: unknown): void {
  const { code, message } = serializeError(error);
  process.emitWarning(`Cannot tell ${placeOf(store)} what was recorded: ${message}`, {
    type: "MillraceWarning",
    code,
    detail: untoldDetail(code),
  });
}

/** What becomes of what could not be told. */
export function untoldDetail(code: string): string {
  return code === "FLOW_PUBLISH_FORKED"
    ? "It is recorded here alone, and no command tells the bucket any more: export it before you rebuild the records"
    : "It is recorded here, and the next command that writes into the store tells the bucket";
}

/** A folder that may not be entered is another trouble than a store that is missing. */
export function isThere(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw fileError("Cannot open the store", dirname(file), error);
  }
}

/** Whether there are records of a store on this machine; an empty file holds none. */
export function hasRecords({ databaseFile }: StoreLocation): boolean {
  return (statSync(databaseFile, { throwIfNoEntry: false })?.size ?? 0) > 0;
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

/** The folder, or the URL of the bucket, of a store. */
export function placeOf({ folder, bucket }: Pick<StoreChoice, "folder" | "bucket">): string {
  return bucket?.text ?? folder;
}

/** Nothing is there; or a file, where a store is a folder. */
export function noStore(store: StoreChoice, cwd: string): FlowError {
  if (store.bucket !== undefined)
    return new FlowError("FLOW_CLIENT_NO_STORE", {
      message: `Cannot find the records of the store "${store.bucket.text}": there are none in "${store.folder}"${namedBy(store)}`,
      hint: "Type flow store rebuild, which makes them of what the bucket holds; where it holds no store, run a flow first",
      context: { folder: store.folder, bucket: store.bucket.text, from: store.from },
    });
  if (statSync(store.folder, { throwIfNoEntry: false })?.isDirectory() === false)
    return new FlowError("FLOW_CLIENT_NOT_A_STORE", {
      message: `Cannot open the store in "${store.folder}": it is a file`,
      hint: "Name the folder of a store with --store or MILLRACE_STORE",
      context: { folder: store.folder, from: store.from },
    });
  const looked = store.from === "workspace" ? `from "${cwd}" upwards` : `in "${store.folder}"`;
  return new FlowError("FLOW_CLIENT_NO_STORE", {
    message: `Cannot find a store: there is none ${looked}${namedBy(store)}`,
    hint: "Run a flow first, which makes one, or name a store with --store or MILLRACE_STORE",
    context: { folder: store.folder, from: store.from },
  });
}

function namedBy({ from, file }: StoreChoice): string {
  if (from === "option") return " (from --store)";
  if (from === "environment") return " (from MILLRACE_STORE)";
  return from === "file" ? ` (from "${file}")` : "";
}
