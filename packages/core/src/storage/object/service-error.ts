/**
 * What a service answered, or why it did not, as an error with a code that says what to do. The errors of client libraries
 * are not kept as causes: they hold requests with their signatures and addresses with their tokens.
 */
import type { ErrorCode } from "../../errors/code-table.ts";
import { FlowError } from "../../errors/flow-error.ts";

/** What is known of a call that failed. */
export interface ServiceFailure {
  /** For the message: `Cannot read "k" of azure://container`. */
  readonly action: string;
  /** Of the answer; undefined when none came. */
  readonly status: number | undefined;
  /** The service's own word for it: `ContainerNotFound`. */
  readonly word?: string | undefined;
  /** The system's: `ECONNREFUSED`. */
  readonly errno?: string | undefined;
  /** By which the service's people find the call. */
  readonly requestId?: string | undefined;
}

/** How a service is set up, for hints. */
export interface ServiceSettings {
  /** `Azure Blob Storage`. */
  readonly name: string;
  /** The settings that give credentials, in words. */
  readonly credentials: string;
  /** What makes the bucket. */
  readonly makeBucket: string;
}

/** Words of services that say more than the status of their answer. */
export interface ServiceWords {
  readonly noBucket: readonly string[];
  readonly clock: readonly string[];
  readonly credentials: readonly string[];
  readonly transient: readonly string[];
}

export function serviceError(failure: ServiceFailure, settings: ServiceSettings, words: ServiceWords): FlowError {
  const { action, status, word, errno, requestId } = failure;
  const said = [status === undefined ? undefined : String(status), word, errno].filter((part) => part !== undefined);
  const make = (code: ErrorCode, reason: string, hint: string, isTransient = false) =>
    new FlowError(code, {
      message: `${action}: ${reason}${said.length === 0 ? "" : ` (${said.join(" ")})`}`,
      hint,
      context: {
        ...(isTransient ? { isTransient: true } : {}),
        ...(status === undefined ? {} : { status }),
        ...(word === undefined ? {} : { word }),
        ...(errno === undefined ? {} : { errno }),
        ...(requestId === undefined ? {} : { requestId }),
      },
    });
  const is = (list: readonly string[]) => word !== undefined && list.includes(word);
  if (is(words.noBucket))
    return make(
      "FLOW_STORAGE_NO_BUCKET",
      "there is no such bucket",
      `Look at its name; ${settings.makeBucket} makes one`,
    );
  if (is(words.clock))
    return make(
      "FLOW_STORAGE_CLOCK",
      "the clock of this machine differs too much from the service's",
      "Set the clock of this machine, by NTP at best",
    );
  const isBusy = is(words.transient);
  if (!isBusy && (status === 401 || status === 403 || is(words.credentials)))
    return make(
      "FLOW_STORAGE_CREDENTIALS",
      `${settings.name} does not let these credentials do that`,
      `Look at ${settings.credentials}, and at what they may do`,
    );
  if (status === 501)
    return make("FLOW_STORAGE_UNSUPPORTED", "the service cannot do that", "Use a service that has what is missing");
  const reason = status === undefined ? `${settings.name} could not be reached` : `${settings.name} failed`;
  const hint = "See that the service can be reached from here, by its endpoint and through proxies and firewalls";
  // An answer that says that all is well and cannot be understood is none of the service's.
  const isNone = status === undefined || status < 300;
  const isTransient = isNone || status >= 500 || status === 408 || status === 429 || isBusy;
  return make("FLOW_STORAGE_UNAVAILABLE", reason, hint, isTransient);
}

/**
 * An answer that says too little, or other than its status: a proxy on the way has made it, or something has cut it.
 *
 * @param reason `the body ended after 3 of 5 bytes`
 */
export function brokenAnswer(action: string, reason: string): FlowError {
  return new FlowError("FLOW_STORAGE_UNAVAILABLE", {
    message: `${action}: ${reason}`,
    hint: "Try again; if it goes on, look at the network and the proxies to the service",
    context: { isTransient: true },
  });
}

/** The system's code anywhere below an error: client libraries and `fetch` wrap what the socket said. */
export function errnoBelow(error: unknown): string | undefined {
  let at: unknown = error;
  for (let depth = 0; depth < 8 && at instanceof Error; depth++) {
    if ("code" in at && typeof at.code === "string" && /^(E[A-Z]{3,}|UND_ERR_[A-Z_]+|CERT_[A-Z_]+)$/.test(at.code))
      return at.code;
    at = at instanceof AggregateError ? at.errors[0] : at.cause;
  }
  return undefined;
}
