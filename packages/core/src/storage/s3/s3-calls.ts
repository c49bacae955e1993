/**
 * Calls of the SDK with what the SDK lacks: one limit for the whole call including the body of the answer, a bound on calls
 * under way, and errors in our words. The SDK's own tries are off: they would repeat neither a broken body nor with our limits.
 */
import type { S3Client } from "@aws-sdk/client-s3";
import { FlowError } from "../../errors/flow-error.ts";
import { type CallLimits, callLimitMs, DEFAULT_CALL_LIMITS } from "../call-limits.ts";
import { loadSdk } from "../load-sdk.ts";
import { type CallAbout, type StorePlace, s3Error } from "./s3-error.ts";
import { placeOf, type S3StoreOptions } from "./s3-options.ts";

export type S3Sdk = typeof import("@aws-sdk/client-s3");

/** What one call is given. */
export interface UnderLimit {
  /** Ends the call's requests. */
  readonly options: { readonly abortSignal: AbortSignal; readonly requestTimeout: number };
  /** More time, for a body of this size. */
  allow(sizeBytes: number): void;
}

const MAX_REQUESTS = 32;

export class S3Calls {
  readonly sdk: S3Sdk;
  readonly client: S3Client;
  readonly place: StorePlace;
  readonly #limits: CallLimits;
  readonly #waiting: (() => void)[] = [];
  #free: number;
  #isClosed = false;

  constructor(sdk: S3Sdk, client: S3Client, options: S3StoreOptions) {
    const { bucket, endpoint, profile } = options;
    this.sdk = sdk;
    this.client = client;
    this.place = {
      text: placeOf(options),
      bucket,
      ...(endpoint === undefined ? {} : { host: new URL(endpoint).host }),
      ...(profile === undefined ? {} : { profile }),
    };
    this.#limits = limitsOf(options);
    this.#free = options.maxRequests ?? MAX_REQUESTS;
  }

  /**
   * Does one call: its requests and the reading of their answers.
   *
   * @param sizeBytes of what is sent, for the limit of time
   */
  async call<Result>(
    about: CallAbout,
    sizeBytes: number,
    work: (limit: UnderLimit) => Promise<Result>,
  ): Promise<Result> {
    this.checkOpen();
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const abort = new AbortController();
    const late = Promise.withResolvers<never>();
    const leftMs = about.endsAt === undefined ? Number.POSITIVE_INFINITY : Math.max(1, about.endsAt - Date.now());
    const limitMs = Math.min(callLimitMs(this.#limits, sizeBytes), leftMs);
    const onLate = () => {
      late.reject(Object.assign(new Error(), { name: "TimeoutError" }));
      abort.abort();
    };
    let timer = setTimeout(onLate, limitMs);
    const allow = (more: number) => {
      clearTimeout(timer);
      timer = setTimeout(onLate, callLimitMs(this.#limits, more));
    };
    try {
      this.checkOpen(); // It may have waited long for its turn.
      return await Promise.race([
        work({ options: { abortSignal: abort.signal, requestTimeout: limitMs }, allow }),
        late.promise,
      ]);
    } catch (error) {
      if (this.#isClosed) throw this.#closed();
      throw s3Error(error, about, this.place);
    } finally {
      clearTimeout(timer);
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  checkOpen(): void {
    if (this.#isClosed) throw this.#closed();
  }

  close(): void {
    this.#isClosed = true;
    this.client.destroy();
  }

  #closed(): FlowError {
    return new FlowError("FLOW_STORAGE_CLOSED", { message: `Cannot use the store ${this.place.text}: it is closed` });
  }
}

/** @throws FlowError FLOW_STORAGE_NO_SDK, FLOW_STORAGE_WRONG_REGION */
export async function openS3Calls(options: S3StoreOptions): Promise<S3Calls> {
  const sdk = await loadSdk("@aws-sdk/client-s3", () => import("@aws-sdk/client-s3"));
  const client = clientOf(sdk, options, options.region);
  try {
    await client.config.region();
    return new S3Calls(sdk, client, options);
  } catch (error) {
    client.destroy();
    // A service of one's own has no regions, and takes the name that all take.
    if (options.endpoint !== undefined) return new S3Calls(sdk, clientOf(sdk, options, "us-east-1"), options);
    throw s3Error(error, { verb: "open" }, { text: placeOf(options), bucket: options.bucket });
  }
}

function clientOf(sdk: S3Sdk, options: S3StoreOptions, region: string | undefined): S3Client {
  const { endpoint, pathStyle, profile, credentials, checksums, maxRequests = MAX_REQUESTS } = options;
  const { connectMs, idleMs } = limitsOf(options);
  const when = checksums === "always" ? "WHEN_SUPPORTED" : "WHEN_REQUIRED";
  const agent = { maxSockets: maxRequests };
  return new sdk.S3Client({
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(profile === undefined ? {} : { profile }),
    ...(credentials === undefined ? {} : { credentials: { ...credentials } }),
    forcePathStyle: pathStyle ?? isAddress(endpoint),
    maxAttempts: 1,
    requestChecksumCalculation: when,
    responseChecksumValidation: when,
    // It would open a connection of its own for each large request. What is there already is found by a look before.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: connectMs,
      socketTimeout: idleMs,
      throwOnRequestTimeout: true, // Without it `requestTimeout` only warns.
      httpAgent: agent,
      httpsAgent: agent,
    },
  });
}

function limitsOf({ limits }: S3StoreOptions): CallLimits {
  return { ...DEFAULT_CALL_LIMITS, ...limits };
}

/** An endpoint without a name of its own has none for its buckets either. */
function isAddress(endpoint: string | undefined): boolean {
  if (endpoint === undefined) return false;
  const { hostname } = new URL(endpoint);
  return hostname === "localhost" || /^[\d.]+$/.test(hostname) || hostname.startsWith("[");
}
