/** `@millrace/core/storage/s3`: a store in a bucket of S3 or of what speaks it. Needs `@aws-sdk/client-s3`. */

export type { BlobStore } from "../blob-store.ts";
export { openS3BlobStore } from "./s3-blob-store.ts";
export type { S3StoreOptions } from "./s3-options.ts";
