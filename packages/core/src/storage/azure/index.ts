/** `@millrace/core/storage/azure`: a store in a container of Azure Blob Storage. Needs `@azure/storage-blob`. */

export type { BlobStore } from "../blob-store.ts";
export { type AzureStoreOptions, openAzureBlobStore } from "./azure-blob-store.ts";
