/**
 * The one place that names the back-ends of object stores: each is loaded when a URL first asks for it, and wrapped, so that
 * what everyone else is given tries again what may pass and counts what it does.
 */
import type { BucketUrl } from "../config/bucket-url.ts";
import { readProcess } from "../config/config.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import type { CallLimits } from "../storage/call-limits.ts";
import { probeStore, type StoreProbe } from "../storage/probe.ts";
import { meteredBlobStore, StoreMetrics } from "../storage/wrappers/metrics-blob-store.ts";
import { type RetryOptions, retrying } from "../storage/wrappers/retry.ts";
import { retryBlobStore } from "../storage/wrappers/retry-blob-store.ts";

export interface OpenBucketOptions {
  /** What a probe found out about the service (`probeBucket`). Default: that it honours conditional writes. */
  readonly probe?: Pick<StoreProbe, "createOnce" | "compareAndSet">;
  /** Counts what is done with the store. Default: nobody reads it. */
  readonly metrics?: StoreMetrics;
  readonly retry?: Omit<RetryOptions, "onRetry">;
  readonly limits?: Partial<CallLimits>;
}

/**
 * Opens the store of a bucket's URL; its keys lie below the URL's prefix. Nothing is asked of the service before the first call.
 *
 * @throws FlowError FLOW_STORAGE_NO_SDK when the service's library is not installed, FLOW_STORAGE_WRONG_REGION when no region is
 *   set (S3), FLOW_STORAGE_CREDENTIALS when there are none (Azure)
 */
export async function openBucket(url: BucketUrl, options: OpenBucketOptions = {}): Promise<BlobStore> {
  const metrics = options.metrics ?? new StoreMetrics();
  const retry = { ...options.retry, onRetry: metrics.retried };
  const store = await openBackEnd(url, options, retry);
  return meteredBlobStore(retryBlobStore(store, retry), metrics);
}

/**
 * Finds out what the service of a bucket makes of conditional writes, by writing below the URL's prefix.
 *
 * @throws FlowError of the store, where it cannot be read or written
 */
export async function probeBucket(url: BucketUrl, options: Omit<OpenBucketOptions, "probe"> = {}): Promise<StoreProbe> {
  const store = await openBucket(url, options);
  try {
    return await probeStore(store);
  } finally {
    await store.close();
  }
}

async function openBackEnd(url: BucketUrl, options: OpenBucketOptions, retry: RetryOptions): Promise<BlobStore> {
  const { probe, limits } = options;
  const { kind, bucket, prefix } = url;
  switch (kind) {
    case "s3": {
      const { openS3BlobStore } = await import("../storage/s3/s3-blob-store.ts");
      const { endpoint, region, pathStyle, profile } = url.options;
      return await openS3BlobStore({
        bucket,
        prefix,
        ...(endpoint === undefined ? {} : { endpoint }),
        ...(region === undefined ? {} : { region }),
        ...(pathStyle === undefined ? {} : { pathStyle }),
        ...(profile === undefined ? {} : { profile }),
        ...(limits === undefined ? {} : { limits }),
        ...(probe === undefined
          ? {}
          : {
              createOnce: probe.createOnce === "honoured" ? "atomic" : "checked",
              compareAndSet: probe.compareAndSet,
            }),
        attempt: retrying(retry),
      });
    }
    case "gs": {
      const { openGcsBlobStore } = await import("../storage/gcs/gcs-blob-store.ts");
      const { endpoint } = url.options;
      return await openGcsBlobStore({
        bucket,
        prefix,
        ...(endpoint === undefined ? {} : { endpoint }),
        ...(limits === undefined ? {} : { limits }),
        attempt: retrying(retry),
      });
    }
    case "azure": {
      const { openAzureBlobStore } = await import("../storage/azure/azure-blob-store.ts");
      const { account, endpoint } = url.options;
      return await openAzureBlobStore({
        container: bucket,
        prefix,
        environment: readProcess().environment,
        ...(account === undefined ? {} : { account }),
        ...(endpoint === undefined ? {} : { endpoint }),
        ...(limits === undefined ? {} : { limits }),
        attempt: retrying(retry),
      });
    }
  }
}
