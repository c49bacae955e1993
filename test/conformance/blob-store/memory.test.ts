import { openMemoryBlobStore } from "../../../packages/core/src/storage/memory/memory-blob-store.ts";
import { blobStoreSuite } from "./suite.ts";

blobStoreSuite("memory", () => ({ store: openMemoryBlobStore(), renewsAfterMs: 0 }));
