import type { Attempt } from "../attempt.ts";
import type { CallLimits } from "../call-limits.ts";

/** Where a store lies and how it is asked. What is not given is left to the SDK's own conventions. */
export interface S3StoreOptions {
  readonly bucket: string;
  /** Before every key, without a slash at its ends; any characters. Default none. */
  readonly prefix?: string;
  /** The service, as in `http://127.0.0.1:9000`. Default: AWS_ENDPOINT_URL_S3, the profile, Amazon. */
  readonly endpoint?: string;
  /** Default: AWS_REGION, the profile; behind an `endpoint` that is given, `us-east-1`. */
  readonly region?: string;
  /** Whether the bucket stands in the path and not in the host's name. Default: where the endpoint is an address or localhost. */
  readonly pathStyle?: boolean;
  /** A profile of the shared files of AWS. Default: AWS_PROFILE. */
  readonly profile?: string;
  /** Default: what the SDK finds (AWS_ACCESS_KEY_ID, the profile, SSO, the machine's role). */
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /**
   * Whether the service honours conditional writes, as `probeStore` finds out; `checked`: it does not, and `put` looks before it
   * writes. Default `atomic`.
   */
  readonly createOnce?: "atomic" | "checked";
  /** Whether it honours If-Match, as `probeStore` finds out. Default: whether `createOnce` is `atomic`. */
  readonly compareAndSet?: boolean;
  /** `always`: requests and answers carry checksums of the SDK, which old services stumble over. Default `when-required`. */
  readonly checksums?: "when-required" | "always";
  readonly limits?: Partial<CallLimits>;
  /** Requests under way at once; others wait for their turn. Default 32. */
  readonly maxRequests?: number;
  /** Larger values go in parts; bytes. Default 16 MiB. */
  readonly partsFromBytes?: number;
  /**
   * Of each part of a stream but the last, at least 5 MiB at Amazon; bytes. Default 8 MiB, twice as much after each thousand parts.
   * Values that lie in memory go in larger parts, up to 64 MiB.
   */
  readonly partBytes?: number;
  /** Parts of one value that are sent at once: this times `partBytes` is the memory of a stream. Default 4. */
  readonly partsAtOnce?: number;
  /** Larger values are made young by copies of their parts; bytes. Default 5 GiB, the most that Amazon copies by one request. */
  readonly maxCopyBytes?: number;
  /**
   * How the calls of a value that goes in parts are tried again, and those of `putStream`: nobody outside of the store could
   * repeat them. Default: not at all.
   */
  readonly attempt?: Attempt;
  /** Milliseconds since 1970; default the machine's clock. Says which values are old enough to be made young. */
  readonly now?: () => number;
}

/** The name of the store in messages: no more of the options than that, since a message must hold no secret. */
export function placeOf({ bucket, prefix = "" }: Pick<S3StoreOptions, "bucket" | "prefix">): string {
  return `s3://${bucket}${prefix === "" ? "" : `/${prefix}`}`;
}
