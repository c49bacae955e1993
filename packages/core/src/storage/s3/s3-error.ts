/**
 * What an SDK's error means, in our words. Nothing of it is kept but names, numbers and the bucket's region: errors of this SDK
 * carry the access key, the text that was signed and whatever the service said.
 */
import { FlowError, isFlowError } from "../../errors/flow-error.ts";

/** What was done to which place, for messages. */
export interface CallAbout {
  /** As in "Cannot put": put, read, list, delete. */
  readonly verb: string;
  /** Absent for a call about the whole store. */
  readonly key?: string;
  /** When it is given up whatever its own limits are; milliseconds since 1970. */
  readonly endsAt?: number | undefined;
}

export interface StorePlace {
  /** `s3://bucket/prefix`. */
  readonly text: string;
  readonly bucket: string;
  /** Host and port of the endpoint, where one is given. */
  readonly host?: string;
  readonly profile?: string;
}

/** Of an answer that is no answer of S3, or that ended early. */
export class BrokenAnswer extends Error {
  override readonly name = "BrokenAnswer";
}

const CREDENTIALS = new Set([
  "AccessDenied",
  "AccountProblem",
  "AllAccessDisabled",
  "AuthorizationQueryParametersError",
  "CredentialsProviderError",
  "ExpiredToken",
  "Forbidden",
  "InvalidAccessKeyId",
  "InvalidSecurity",
  "InvalidToken",
  "MissingSecurityHeader",
  "NotSignedUp",
  "SignatureDoesNotMatch",
  "TokenProviderError",
  "TokenRefreshRequired",
  "UnauthorizedAccess",
]);
const CLOCK = new Set(["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"]);
const REGION = new Set([
  "AuthorizationHeaderMalformed",
  "IllegalLocationConstraintException",
  "PermanentRedirect",
  "TemporaryRedirect",
]);
const BUSY = new Set([
  "InternalError",
  "OperationAborted",
  "RequestLimitExceeded",
  "RequestTimeout",
  "ServiceUnavailable",
  "SlowDown",
  "ThrottlingException",
  "TooManyRequestsException",
]);
/** S3 refuses what was signed more than 15 minutes away from its time. */
const SKEW_MS = 15 * 60_000;
const TIMEOUTS = new Set(["ETIMEDOUT", "ESOCKETTIMEDOUT"]);
/** Of a system that could not reach the service, or lost it. */
const NETWORK = new Set([
  "EAI_AGAIN",
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETUNREACH",
  "ENOTFOUND",
  "EPIPE",
  "ERR_STREAM_PREMATURE_CLOSE",
  "HPE_INVALID_CONSTANT",
  "UND_ERR_SOCKET",
]);

/** The parts of an SDK's error that are looked at. */
export interface SdkError {
  readonly name?: string;
  readonly code?: string;
  readonly Region?: string;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
  readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> };
}

export function statusOf(error: unknown): number | undefined {
  const { $metadata, $response } = (error ?? {}) as SdkError;
  return $metadata?.httpStatusCode ?? $response?.statusCode;
}

export function nameOf(error: unknown): string {
  return String((error as SdkError | undefined)?.name ?? "");
}

/** The error that is thrown in place of what the SDK threw. */
export function s3Error(error: unknown, about: CallAbout, place: StorePlace): FlowError {
  if (isFlowError(error)) return error;
  const { code = "", Region, $metadata, $response } = (error ?? {}) as SdkError;
  const name = nameOf(error);
  const status = statusOf(error);
  const what = about.key === undefined ? place.text : `"${about.key}" in ${place.text}`;
  const words = [...new Set([status === undefined ? "" : String(status), plainWord(name), plainWord(code)])];
  const answer = words.filter((word) => word !== "" && word !== "Error").join(" ");
  const context = {
    store: place.text,
    ...(about.key === undefined ? {} : { key: about.key }),
    ...(place.host === undefined ? {} : { endpoint: place.host }),
    ...(status === undefined ? {} : { status }),
    ...(answer === "" ? {} : { answer }),
    ...($metadata?.requestId === undefined ? {} : { requestId: plainWord($metadata.requestId) }),
  };
  const at = place.host === undefined ? "" : ` at ${place.host}`;
  const flowError = (
    flowCode: ConstructorParameters<typeof FlowError>[0],
    why: string,
    hint: string,
    more: Readonly<Record<string, unknown>> = {},
  ) =>
    new FlowError(flowCode, {
      message: `Cannot ${about.verb} ${what}: ${why}`,
      hint,
      context: { ...context, ...more },
    });

  if (CLOCK.has(name) || (status === 403 && isOtherTime($response?.headers)))
    return flowError(
      "FLOW_STORAGE_CLOCK",
      `the clock of this machine and that of the service${at} differ too much (${answer})`,
      "Set the clock of this machine (timedatectl set-ntp true), then try again",
    );
  const region = plainWord(Region ?? headerOf($response?.headers, "x-amz-bucket-region") ?? "");
  if (REGION.has(name) || status === 301 || (status === 400 && region !== "")) {
    const where = region === "" ? "another region or behind another endpoint" : `the region "${region}"`;
    return flowError(
      "FLOW_STORAGE_WRONG_REGION",
      `the bucket "${place.bucket}" lies in ${where} (${answer})`,
      `Set AWS_REGION, or ?region= in the URL of the store${region === "" ? ", or the endpoint" : `, to ${region}`}`,
      region === "" ? {} : { region },
    );
  }
  if (/^Region is missing/.test(String((error as Error | undefined)?.message)))
    return flowError(
      "FLOW_STORAGE_WRONG_REGION",
      "no region is set",
      "Set AWS_REGION, or ?region= in the URL of the store; a service that knows no regions takes us-east-1",
    );
  if (name === "NoSuchBucket")
    return flowError(
      "FLOW_STORAGE_NO_BUCKET",
      `there is no bucket "${place.bucket}"${at}`,
      "Correct its name in the URL of the store, or the endpoint, or make the bucket",
    );
  if (CREDENTIALS.has(name) || status === 401 || status === 403)
    return flowError("FLOW_STORAGE_CREDENTIALS", credentialsWhy(name, answer, at), credentialsHint(name, place));
  if (status === 501 || name === "NotImplemented")
    return flowError(
      "FLOW_STORAGE_UNSUPPORTED",
      `the service${at} does not know how (${answer})`,
      'Run "flow store init" on it to see what it lacks',
    );
  const transient = { isTransient: true };
  // The SDK calls it a timeout also when a connection is cut.
  if ((name === "TimeoutError" && !NETWORK.has(code)) || TIMEOUTS.has(code))
    return flowError(
      "FLOW_STORAGE_TIMEOUT",
      `no answer${at} within the limit`,
      "See that the endpoint can be reached from this machine, then try again",
      transient,
    );
  const busy = BUSY.has(name) || status === 408 || status === 429 || (status !== undefined && status >= 500);
  if (busy || NETWORK.has(code) || name === "BrokenAnswer")
    return flowError(
      "FLOW_STORAGE_UNAVAILABLE",
      name === "BrokenAnswer"
        ? (error as Error).message
        : `the service${at} ${busy ? "is busy or failed" : "cannot be reached"} (${answer})`,
      "See that the endpoint can be reached from this machine, then try again",
      transient,
    );
  return flowError(
    "FLOW_STORAGE_UNAVAILABLE",
    `the service${at} gave an answer that was not expected (${answer === "" ? "of no name" : answer})`,
    "See that the endpoint speaks S3, and that the bucket's name is right",
    // An answer of success that cannot be read was spoilt on its way, most likely.
    status === undefined || status >= 300 ? {} : transient,
  );
}

function credentialsWhy(name: string, answer: string, at: string): string {
  if (name === "CredentialsProviderError" || name === "TokenProviderError") return "no credentials were found";
  if (/^Expired|TokenRefresh/.test(name)) return `the credentials have expired (${answer})`;
  return `the service${at} refuses the credentials (${answer})`;
}

function credentialsHint(name: string, { profile, bucket }: StorePlace): string {
  const settings =
    profile === undefined
      ? "AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
      : `the profile "${profile}" (AWS_PROFILE, ?profile=)`;
  if (name === "AccessDenied" || name === "Forbidden" || name === "")
    return `Look at ${settings}, and give the key the rights to list, read, write and delete in the bucket "${bucket}"`;
  return `Look at ${settings}${/^Expired|Token/.test(name) ? ", and AWS_SESSION_TOKEN" : ""}`;
}

/** Whether the service's clock is further away than it lets requests be: an answer to HEAD has no body that would say so. */
function isOtherTime(headers: Readonly<Record<string, string>> | undefined): boolean {
  const theirs = Date.parse(headerOf(headers, "date") ?? "");
  return Math.abs(theirs - Date.now()) > SKEW_MS;
}

/** A name that a service gave, if it is nothing but a name: what else it says may be what it was told. */
function plainWord(text: string): string {
  return /^[A-Za-z][\w.-]{0,39}$/.test(text) ? text : "";
}

function headerOf(headers: Readonly<Record<string, string>> | undefined, name: string): string | undefined {
  return headers === undefined ? undefined : Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
}
