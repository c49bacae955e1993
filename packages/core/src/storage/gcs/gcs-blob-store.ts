/**
 * Values in a bucket of Google Cloud Storage: created where there is none by `ifGenerationMatch=0`, changed by their
 * generation. Tried with a server of our own that follows the public description of the API, not with the real service.
 * Not here: retries, prefixes, caches (wrappers).
 */
import { createHash, randomBytes } from "node:crypto";
import type { BlobStore, BlobStoreCapabilities, ByteRange } from "../blob-store.ts";
import { loadSdk } from "../load-sdk.ts";
import type { LimitedCall } from "../object/limit-call.ts";
import { DEFAULT_PART_BYTES, ObjectBlobStore, type ObjectStoreOptions } from "../object/object-blob-store.ts";
import type {
  ObjectBody,
  ObjectFacts,
  ObjectPage,
  ObjectQuery,
  ObjectService,
  PartCalls,
} from "../object/object-service.ts";
import { brokenAnswer } from "../object/service-error.ts";
import { GcsRequests } from "./gcs-requests.ts";

export interface GcsStoreOptions extends ObjectStoreOptions {
  readonly bucket: string;
  /** Default: STORAGE_EMULATOR_HOST, as the client library reads it, else Google's own. */
  readonly endpoint?: string;
}

/**
 * Opens a bucket. Nothing is asked of the service before the first call. Credentials are found as Google's tools find them
 * (Application Default Credentials); an endpoint that begins with `http:` is an emulator's and gets none.
 *
 * @throws FlowError FLOW_STORAGE_NO_SDK (@google-cloud/storage is not installed)
 * @example
 * const store = await openGcsBlobStore({ bucket: "team-artifacts" });
 */
export async function openGcsBlobStore(options: GcsStoreOptions): Promise<BlobStore> {
  const { Storage } = await loadSdk("@google-cloud/storage", () => import("@google-cloud/storage"));
  const client = new Storage({
    retryOptions: { autoRetry: false },
    ...(options.endpoint === undefined ? {} : { apiEndpoint: options.endpoint }),
  });
  const units = Math.ceil((options.partBytes ?? DEFAULT_PART_BYTES) / SESSION_UNIT_BYTES);
  return new ObjectBlobStore(new GcsService(new GcsRequests(client), options.bucket), {
    ...options,
    partBytes: units * SESSION_UNIT_BYTES,
  });
}

interface GcsObject {
  readonly name: string;
  readonly generation: string;
  readonly size: string;
  readonly updated: string;
  readonly md5Hash?: string;
}

const OTHER_BYTES = "what the service has is not what was sent";
const FIELDS = "name,generation,size,updated,md5Hash";
/** The size of what a session takes in one request, but for the last, is a multiple of this. */
const SESSION_UNIT_BYTES = 256 * 1024;

class GcsService implements ObjectService {
  readonly capabilities: BlobStoreCapabilities = Object.freeze({
    synchronous: false,
    rangeReads: true,
    persistent: true,
    remote: true,
    createOnce: "atomic",
    compareAndSet: true,
    multipart: true,
  });
  readonly listsAfter = true;
  readonly #requests: GcsRequests;
  readonly #bucket: string;

  constructor(requests: GcsRequests, bucket: string) {
    this.#requests = requests;
    this.#bucket = bucket;
  }

  action(verb: string, key: string): string {
    return `Cannot ${verb} "${key}" of gs://${this.#bucket}`;
  }

  async create(key: string, bytes: Uint8Array, call: LimitedCall): Promise<boolean> {
    return (await this.replace(key, bytes, undefined, call)) !== undefined;
  }

  /** One session, one request after the other, as the API wants it: no more than two parts are held. */
  async createOfParts(key: string, parts: AsyncIterable<Uint8Array>, calls: PartCalls): Promise<boolean> {
    const session = await calls((call) => this.#beginSession(key, call));
    if (session === undefined) return false;
    const md5 = createHash("md5");
    let sent = 0;
    let pending: Uint8Array | undefined;
    for await (const part of parts) {
      if (pending !== undefined) {
        md5.update(pending);
        const bytes = pending;
        const start = sent;
        await calls((call) => this.#sendPart(key, session, { bytes, start }, call));
        sent += bytes.length;
      }
      pending = part;
    }
    const bytes = pending ?? new Uint8Array(0);
    md5.update(bytes);
    const object = await calls((call) => this.#endSession(key, session, { bytes, start: sent }, call));
    if (object === undefined) return false;
    if (object.md5Hash !== undefined && object.md5Hash !== md5.digest("base64")) {
      await calls((call) => this.#remove(key, `&ifGenerationMatch=${object.generation}`, call));
      throw brokenAnswer(this.action("store", key), OTHER_BYTES);
    }
    return true;
  }

  async read(
    key: string,
    range: ByteRange | undefined,
    call: LimitedCall,
  ): Promise<ObjectBody | "outside" | undefined> {
    const action = this.action("read", key);
    const answer = await this.#requests.send(
      {
        action,
        method: "GET",
        path: `${this.#path(key)}?alt=media`,
        headers: {
          // Nothing on the way may compress it: its length would be another one.
          "accept-encoding": "identity",
          ...(range === undefined ? {} : { range: `bytes=${range.start}-${range.end - 1}` }),
        },
        answers: [404, 416],
      },
      call,
    );
    if (answer.status === 404) return undefined;
    if (answer.status === 416) {
      await answer.body?.cancel();
      return "outside";
    }
    const sizeBytes = Number(answer.headers.get("content-length") ?? Number.NaN);
    const version = answer.headers.get("x-goog-generation");
    if (!Number.isSafeInteger(sizeBytes) || version === null)
      throw brokenAnswer(action, "the answer does not say its size and its generation");
    return { version, sizeBytes, body: this.#requests.pieces(action, answer) };
  }

  async head(key: string, call: LimitedCall): Promise<ObjectFacts | undefined> {
    const action = this.action("look for", key);
    const path = `${this.#path(key)}?fields=${FIELDS}`;
    const answer = await this.#requests.send({ action, method: "GET", path, answers: [404] }, call);
    if (answer.status === 404) return undefined;
    const object = await this.#requests.object<GcsObject>(action, answer, ["generation", "size", "updated"]);
    return { ...factsOf(object), version: object.generation };
  }

  async list(query: ObjectQuery, call: LimitedCall): Promise<ObjectPage> {
    const parameters = new URLSearchParams({
      maxResults: String(query.limit),
      fields: `kind,nextPageToken,items(${FIELDS})`,
      prefix: query.prefix,
      // The offset is inclusive. A space stands before all characters that keys have.
      ...(query.after === "" ? {} : { startOffset: `${query.after} ` }),
      ...(query.token === undefined ? {} : { pageToken: query.token }),
    });
    const action = this.action("list", query.prefix);
    const path = `/storage/v1/b/${encodeURIComponent(this.#bucket)}/o?${parameters}`;
    const answer = await this.#requests.send({ action, method: "GET", path }, call);
    const page = await this.#requests.object<GcsList>(action, answer, ["kind"]);
    return {
      entries: (page.items ?? []).map((object) => ({ key: object.name, facts: factsOf(object) })),
      token: page.nextPageToken,
    };
  }

  async remove(key: string, call: LimitedCall): Promise<void> {
    await this.#remove(key, "", call);
  }

  async replace(
    key: string,
    bytes: Uint8Array,
    expected: string | undefined,
    call: LimitedCall,
  ): Promise<string | undefined> {
    const action = this.action("store", key);
    const boundary = randomBytes(16).toString("hex");
    const metadata = { name: key, md5Hash: createHash("md5").update(bytes).digest("base64") };
    const body = Buffer.concat([
      Buffer.from(`--${boundary}\r\ncontent-type: application/json\r\n\r\n${JSON.stringify(metadata)}\r\n`),
      Buffer.from(`--${boundary}\r\ncontent-type: application/octet-stream\r\n\r\n`),
      bytes,
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]);
    const path = `${this.#upload("multipart", key, expected ?? "0")}&fields=${FIELDS}`;
    const headers = { "content-type": `multipart/related; boundary=${boundary}` };
    const answers = expected === undefined ? [412, 409] : [412, 409, 404];
    const answer = await this.#requests.send({ action, method: "POST", path, headers, body, answers }, call);
    if (answer.status === 404) return undefined;
    if (answer.ok) return (await this.#requests.object<GcsObject>(action, answer, ["generation"])).generation;
    await this.#requests.text(action, answer);
    return undefined;
  }

  async renew(key: string, call: LimitedCall): Promise<boolean> {
    const action = this.action("renew", key);
    const body = Buffer.from(JSON.stringify({ metadata: { renewed: new Date().toISOString() } }));
    const headers = { "content-type": "application/json" };
    const path = `${this.#path(key)}?fields=${FIELDS}`;
    const answer = await this.#requests.send({ action, method: "PATCH", path, headers, body, answers: [404] }, call);
    if (answer.status === 404) return false;
    await this.#requests.object<GcsObject>(action, answer, ["generation"]);
    return true;
  }

  close(): void {}

  /** The address of a session that creates the object where there is none; undefined when there is one. */
  async #beginSession(key: string, call: LimitedCall): Promise<string | undefined> {
    const action = this.action("store", key);
    const path = this.#upload("resumable", key, "0");
    const answer = await this.#requests.send({ action, method: "POST", path, answers: [412, 409] }, call);
    await this.#requests.text(action, answer);
    if (!answer.ok) return undefined;
    return answer.headers.get("location") ?? Promise.reject(brokenAnswer(action, "the answer names no session"));
  }

  async #sendPart(key: string, session: string, part: Part, call: LimitedCall): Promise<void> {
    const action = this.action("store", key);
    let { bytes, start } = part;
    while (bytes.length > 0) {
      const headers = { "content-range": `bytes ${start}-${start + bytes.length - 1}/*` };
      const answer = await this.#requests.send(
        { action, method: "PUT", path: session, headers, body: bytes, answers: [308] },
        call,
      );
      await this.#requests.text(action, answer);
      // The service may keep a part of what it got: a multiple of its unit.
      const kept = Number(/-(\d+)$/.exec(answer.headers.get("range") ?? "")?.[1] ?? -1) + 1;
      if (answer.status !== 308 || kept <= start || kept > start + bytes.length)
        throw brokenAnswer(action, OTHER_BYTES);
      bytes = bytes.subarray(kept - start);
      start = kept;
    }
  }

  async #endSession(key: string, session: string, part: Part, call: LimitedCall): Promise<GcsObject | undefined> {
    const action = this.action("store", key);
    const { bytes, start } = part;
    const size = start + bytes.length;
    const headers = { "content-range": bytes.length === 0 ? `bytes */${size}` : `bytes ${start}-${size - 1}/${size}` };
    const answer = await this.#requests.send(
      { action, method: "PUT", path: session, headers, body: bytes, answers: [308, 412, 409] },
      call,
    );
    if (answer.ok) return await this.#requests.object<GcsObject>(action, answer, ["generation"]);
    await this.#requests.text(action, answer);
    if (answer.status === 308) throw brokenAnswer(action, OTHER_BYTES);
    return undefined;
  }

  async #remove(key: string, conditions: string, call: LimitedCall): Promise<void> {
    const action = this.action("delete", key);
    const path = `${this.#path(key)}?${conditions}`;
    const answer = await this.#requests.send({ action, method: "DELETE", path, answers: [404, 412] }, call);
    if (answer.status !== 404) await this.#requests.text(action, answer);
  }

  #path(key: string): string {
    return `/storage/v1/b/${encodeURIComponent(this.#bucket)}/o/${encodeURIComponent(key)}`;
  }

  #upload(type: string, key: string, generation: string): string {
    const parameters = new URLSearchParams({ uploadType: type, name: key, ifGenerationMatch: generation });
    return `/upload/storage/v1/b/${encodeURIComponent(this.#bucket)}/o?${parameters}`;
  }
}

interface GcsList {
  readonly kind: string;
  readonly nextPageToken?: string;
  readonly items?: readonly GcsObject[];
}

interface Part {
  readonly bytes: Uint8Array;
  readonly start: number;
}

function factsOf({ size, updated }: GcsObject) {
  return { sizeBytes: Number(size), putAt: Date.parse(updated) };
}
