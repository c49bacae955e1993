import type { BlobRow, Digest } from "../artifact/artifact.ts";
import type { RunId } from "../ids/run-id.ts";
import type {
  ArtifactRow,
  ItemPageRow,
  RunRow,
  RunSequence,
  RunValueKind,
  TaskSequence,
  UpstreamRow,
} from "./metadata-store.ts";
import type { CacheEntry, KeptBlob } from "./replay.ts";

/** The artifacts that a task has set itself, by name. */
export interface LeftArtifacts {
  readonly task: TaskSequence;
  readonly inherits?: TaskSequence;
  readonly artifacts: readonly ArtifactRow[];
}

/**
 * The few reads that a task's field getters need, without an event loop. SQLite gives them by its own connection in each
 * worker; a remote store gives them through one I/O thread. A task sees what was committed before it was dispatched.
 */
export interface TaskReader {
  runById(id: RunId): RunRow | undefined;
  runValues(run: RunSequence): readonly (ArtifactRow & { readonly kind: RunValueKind })[];
  upstreams(run: RunSequence): readonly UpstreamRow[];
  visibleArtifacts(task: TaskSequence): readonly ArtifactRow[];
  /** For each of these tasks that is there, in any order: what it has set itself, and the task that it starts from. */
  leftBy(tasks: readonly TaskSequence[]): readonly LeftArtifacts[];
  itemPage(split: TaskSequence, index: number): ItemPageRow | undefined;
  blob(digest: Digest): BlobRow | undefined;
  /** As of the reader of all records, without the tasks of one run. */
  cacheEntries(key: Digest, query: { readonly exceptRun: RunSequence; readonly limit: number }): readonly CacheEntry[];
  /** Whether the records of a finished task are those that it left; those of programs without digests are not judged. */
  isAsLeft(task: TaskSequence): boolean;
  /** Where the bytes of a task's own artifacts and of the pages of its foreach are kept. */
  blobsOfTask(task: TaskSequence): readonly KeptBlob[];
  close(): void;
}
