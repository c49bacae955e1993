/** `@millrace/core/storage/gcs`: a store in a bucket of Google Cloud Storage. Needs `@google-cloud/storage`. */

export type { BlobStore } from "../blob-store.ts";
export { type GcsStoreOptions, openGcsBlobStore } from "./gcs-blob-store.ts";
