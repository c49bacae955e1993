import { ArtifactStore } from "../artifact/artifact-store.ts";
import type { MetadataStore, TaskReader } from "../metadata/metadata-store.ts";
import { openMemoryMetadata } from "../metadata/sqlite/memory-metadata.ts";
import { openMemoryBlobStore } from "../storage/memory/memory-blob-store.ts";

/** Stores that live as long as they are held: nothing reaches a disk. */
export interface MemoryStores {
  readonly metadata: MetadataStore;
  /** What tasks read through, in this very thread. */
  readonly reader: TaskReader;
  readonly artifacts: ArtifactStore;
  close(): Promise<void>;
}

/** Opens empty stores in memory. */
export function openMemoryStores(options: { readonly now?: () => number } = {}): MemoryStores {
  const { metadata, reader } = openMemoryMetadata(options);
  const blobs = openMemoryBlobStore();
  return {
    metadata,
    reader,
    artifacts: new ArtifactStore(blobs),
    async close() {
      await Promise.all([metadata.close(), blobs.close()]);
    },
  };
}
