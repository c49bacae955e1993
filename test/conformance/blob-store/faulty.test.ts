import { openMemoryBlobStore } from "../../../packages/core/src/storage/memory/memory-blob-store.ts";
import { faultyBlobStore } from "../../kit/faulty-blob-store.ts";
import { PlannedFaults } from "../../kit/planned-faults.ts";
import { blobStoreSuite } from "./suite.ts";

blobStoreSuite("a faulty one without faults", () => ({
  store: faultyBlobStore(openMemoryBlobStore(), new PlannedFaults([])),
  renewsAfterMs: 0,
}));
