/**
 * Requests of the JSON API of Google Cloud Storage. The client library finds the endpoint and the credentials; the requests
 * are made here, because its streams cannot be given up when a limit is reached, and it reports no generation of what it reads.
 */
import { isFlowError } from "../../errors/flow-error.ts";
import type { LimitedCall } from "../object/limit-call.ts";
import {
  brokenAnswer,
  errnoBelow,
  type ServiceSettings,
  type ServiceWords,
  serviceError,
} from "../object/service-error.ts";

/** What is used of the library's `Storage`. */
export interface GcsClient {
  readonly apiEndpoint: string;
  readonly authClient: { getRequestHeaders(url?: string): Promise<unknown> };
}

export interface GcsRequest {
  readonly action: string;
  readonly method: string;
  /** Below the endpoint, with its parameters; or a whole address that the service has given. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Statuses that are answers and no errors, besides 2xx. */
  readonly answers?: readonly number[];
}

const SETTINGS: ServiceSettings = {
  name: "Google Cloud Storage",
  credentials: 'GOOGLE_APPLICATION_CREDENTIALS, or what "gcloud auth application-default login" has left',
  makeBucket: '"gcloud storage buckets create gs://…"',
};

const WORDS: ServiceWords = {
  noBucket: ["noSuchBucket"],
  clock: ["clock"],
  credentials: ["authError", "noCredentials"],
  transient: ["backendError", "internalError", "rateLimitExceeded", "userRateLimitExceeded"],
};

export class GcsRequests {
  readonly #client: GcsClient;

  constructor(client: GcsClient) {
    this.#client = client;
  }

  /** @throws FlowError of the storage room, for all but 2xx and the answers that were named */
  async send(request: GcsRequest, call: LimitedCall): Promise<Response> {
    const { action, method, path, body } = request;
    const url = path.startsWith("http") ? path : `${this.#client.apiEndpoint.replace(/\/+$/, "")}${path}`;
    const headers = new Headers(request.headers);
    for (const [name, value] of await this.#authorization(action, url)) headers.set(name, value);
    if (body !== undefined) call.moving(body.length, "uncounted");
    const answer = await this.#reach(action, () =>
      fetch(url, {
        method,
        headers,
        signal: call.signal,
        ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
      }),
    );
    call.progress();
    if (answer.ok || request.answers?.includes(answer.status) === true) {
      // A missing bucket is told by the same status as a missing object, and by its text alone.
      if (answer.status !== 404) return answer;
      const text = await this.text(action, answer);
      if (!isNoBucket(text)) return answer;
      throw serviceError({ action, status: 404, word: "noSuchBucket" }, SETTINGS, WORDS);
    }
    const text = await this.text(action, answer);
    const word = isNoBucket(text) ? "noSuchBucket" : reasonOf(text);
    const requestId = answer.headers.get("x-guploader-uploadid") ?? undefined;
    throw serviceError({ action, status: answer.status, word, requestId }, SETTINGS, WORDS);
  }

  /** An answer as JSON, with what the caller goes by. */
  async object<T extends object>(action: string, answer: Response, names: readonly (keyof T)[]): Promise<T> {
    const text = await this.text(action, answer);
    const value = parsed(text);
    if (typeof value === "object" && value !== null && names.every((name) => name in value)) return value as T;
    throw brokenAnswer(action, "the answer is not what the service says of objects");
  }

  async text(action: string, answer: Response): Promise<string> {
    return await this.#reach(action, () => answer.text());
  }

  /** The bytes of an answer as they come. */
  async *pieces(action: string, answer: Response): AsyncGenerator<Uint8Array, void> {
    try {
      if (answer.body !== null) yield* answer.body;
    } catch (error) {
      throw failure(action, error);
    }
  }

  /** An endpoint without encryption is an emulator's: it wants no credentials, and must not see any. */
  async #authorization(action: string, url: string): Promise<Headers> {
    if (url.startsWith("http:")) return new Headers();
    try {
      const found = await this.#client.authClient.getRequestHeaders(url);
      return new Headers(found as Record<string, string>);
    } catch (error) {
      const text = error instanceof Error ? error.message : "";
      const isClock = /\b(iat|exp)\b|clock/i.test(text);
      const errno = errnoBelow(error);
      const word = isClock ? "clock" : errno === undefined ? "noCredentials" : undefined;
      throw serviceError({ action, status: undefined, word, errno }, SETTINGS, WORDS);
    }
  }

  async #reach<T>(action: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw failure(action, error);
    }
  }
}

function failure(action: string, error: unknown): Error {
  if (isFlowError(error)) return error;
  return serviceError({ action, status: undefined, errno: errnoBelow(error) }, SETTINGS, WORDS);
}

function isNoBucket(text: string): boolean {
  return /bucket does not exist/i.test(text);
}

/** `{ "error": { "errors": [{ "reason": "backendError" }] } }`; media requests answer in plain text. */
function reasonOf(text: string): string | undefined {
  const reason = (parsed(text) as GcsErrorBody | undefined)?.error?.errors?.[0]?.reason;
  return typeof reason === "string" && /^[A-Za-z]+$/.test(reason) ? reason : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

interface GcsErrorBody {
  readonly error?: { readonly errors?: readonly { readonly reason?: unknown }[] };
}
