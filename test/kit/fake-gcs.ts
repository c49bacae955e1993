/**
 * A server that speaks the JSON API of Google Cloud Storage as its public description has it: objects in memory, with
 * generations, preconditions, sessions of uploads, ranges and lists. It is strict where the service is.
 */
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";

export interface FakeGcs {
  readonly endpoint: string;
  makeBucket(name: string): string;
  /** Requests that came, as `METHOD path?parameters`. */
  readonly requests: string[];
  stop(): Promise<void>;
}

interface StoredObject {
  readonly bytes: Buffer;
  readonly generation: number;
  metageneration: number;
  readonly timeCreated: Date;
  updated: Date;
  metadata: Readonly<Record<string, string>>;
}

interface Session {
  readonly bucket: string;
  readonly name: string;
  readonly query: URLSearchParams;
  bytes: Buffer;
  /** Once it has ended. */
  object?: unknown;
}

/** What a request is answered by when it cannot be done. */
class Refusal extends Error {
  readonly status: number;
  readonly reason: string;
  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

const UNIT = 256 * 1024;

export async function startFakeGcs(): Promise<FakeGcs> {
  const server = new GcsServer();
  return await server.start();
}

class GcsServer {
  readonly #buckets = new Map<string, Map<string, StoredObject>>();
  readonly #sessions = new Map<string, Session>();
  readonly #requests: string[] = [];
  #endpoint = "";
  #generations = Date.now() * 1_000;

  async start(): Promise<FakeGcs> {
    const server = http.createServer((request, response) => void this.#serve(request, response));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    this.#endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return {
      endpoint: this.#endpoint,
      requests: this.#requests,
      makeBucket: (name) => {
        this.#buckets.set(name, new Map());
        return name;
      },
      stop: async () => {
        server.closeAllConnections();
        server.close();
        await once(server, "close");
      },
    };
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<unknown> {
    const url = new URL(request.url!, this.#endpoint);
    this.#requests.push(`${request.method} ${request.url}`);
    const isMedia = url.searchParams.get("alt") === "media";
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      return this.#answer(request, url, Buffer.concat(chunks), response);
    } catch (error) {
      if (!(error instanceof Refusal)) return response.destroy();
      const { status, reason, message } = error;
      if (isMedia) return response.writeHead(status, { "content-type": "text/plain" }).end(message);
      const body = { error: { code: status, message, errors: [{ domain: "global", reason, message }] } };
      return response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    }
  }

  #answer(request: http.IncomingMessage, url: URL, body: Buffer, response: http.ServerResponse): unknown {
    const { method, headers } = request;
    const query = url.searchParams;
    const upload = /^\/upload\/storage\/v1\/b\/([^/]+)\/o$/.exec(url.pathname);
    const list = /^\/storage\/v1\/b\/([^/]+)\/o$/.exec(url.pathname);
    const single = /^\/storage\/v1\/b\/([^/]+)\/o\/([^/]+)$/.exec(url.pathname);
    const json = (value: unknown) =>
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
    if (upload !== null && method === "POST") {
      const bucket = decodeURIComponent(upload[1]!);
      const type = query.get("uploadType");
      if (type === "multipart") return json(this.#insertMultipart(bucket, query, headers["content-type"], body));
      if (type === "media") return json(this.#insert(bucket, query.get("name"), body, query, {}));
      if (type === "resumable") return this.#begin(bucket, query, headers.host ?? "", response);
    }
    if (upload !== null && method === "PUT") return this.#continue(query, headers["content-range"], body, response);
    if (list !== null && method === "GET") return json(this.#list(decodeURIComponent(list[1]!), query));
    if (single !== null) {
      const [bucket, name] = [decodeURIComponent(single[1]!), decodeURIComponent(single[2]!)];
      const object = this.#find(bucket, name);
      this.#checkConditions(object, query);
      if (method === "GET" && query.get("alt") === "media") return media(object, headers.range, response);
      if (method === "GET") return json(resource(bucket, name, object));
      if (method === "DELETE") {
        this.#bucket(bucket).delete(name);
        return response.writeHead(204).end();
      }
      if (method === "PATCH") {
        const { metadata } = JSON.parse(String(body)) as { metadata?: Record<string, string> };
        object.metadata = { ...object.metadata, ...metadata };
        object.metageneration++;
        object.updated = new Date();
        return json(resource(bucket, name, object));
      }
    }
    throw new Refusal(400, "invalid", `Unknown request ${method} ${url.pathname}`);
  }

  #bucket(name: string): Map<string, StoredObject> {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) throw new Refusal(404, "notFound", "The specified bucket does not exist.");
    return bucket;
  }

  #find(bucket: string, name: string): StoredObject {
    const object = this.#bucket(bucket).get(name);
    if (object === undefined) throw new Refusal(404, "notFound", `No such object: ${bucket}/${name}`);
    return object;
  }

  #checkConditions(object: StoredObject | undefined, query: URLSearchParams): void {
    const wanted = query.get("ifGenerationMatch");
    if (wanted !== null && wanted !== String(object?.generation ?? 0))
      throw new Refusal(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.");
    const meta = query.get("ifMetagenerationMatch");
    if (meta !== null && meta !== String(object?.metageneration))
      throw new Refusal(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.");
  }

  #insert(
    bucket: string,
    name: string | null,
    bytes: Buffer,
    query: URLSearchParams,
    given: { readonly md5Hash?: string; readonly metadata?: Record<string, string> },
  ): unknown {
    if (name === null || name === "") throw new Refusal(400, "required", "Required parameter: name");
    const objects = this.#bucket(bucket);
    this.#checkConditions(objects.get(name), query);
    if (given.md5Hash !== undefined && given.md5Hash !== md5(bytes))
      throw new Refusal(400, "invalid", `Provided MD5 hash "${given.md5Hash}" doesn't match calculated MD5 hash.`);
    const now = new Date();
    const object: StoredObject = {
      bytes,
      generation: ++this.#generations,
      metageneration: 1,
      timeCreated: now,
      updated: now,
      metadata: given.metadata ?? {},
    };
    objects.set(name, object);
    return resource(bucket, name, object);
  }

  #insertMultipart(bucket: string, query: URLSearchParams, type: string | undefined, body: Buffer): unknown {
    const boundary = /^multipart\/related; *boundary="?([^";]+)"?$/.exec(type ?? "")?.[1];
    if (boundary === undefined) throw new Refusal(400, "badContent", "Multipart body expected");
    const mark = Buffer.from(`--${boundary}`);
    const parts: Buffer[] = [];
    for (let at = body.indexOf(mark); at !== -1; ) {
      const next = body.indexOf(mark, at + mark.length);
      if (next === -1) break;
      const part = body.subarray(at + mark.length + 2, next - 2);
      parts.push(part.subarray(part.indexOf("\r\n\r\n") + 4));
      at = next;
    }
    if (parts.length !== 2) throw new Refusal(400, "badContent", `Two parts expected, ${parts.length} came`);
    const metadata = JSON.parse(String(parts[0])) as { name?: string; md5Hash?: string };
    return this.#insert(bucket, query.get("name") ?? metadata.name ?? null, parts[1]!, query, metadata);
  }

  #begin(bucket: string, query: URLSearchParams, host: string, response: http.ServerResponse): unknown {
    const name = query.get("name");
    if (name === null) throw new Refusal(400, "required", "Required parameter: name");
    this.#checkConditions(this.#bucket(bucket).get(name), query);
    const id = randomUUID();
    this.#sessions.set(id, { bucket, name, query, bytes: Buffer.alloc(0) });
    const location = `http://${host}/upload/storage/v1/b/${bucket}/o?uploadType=resumable&name=${encodeURIComponent(name)}&upload_id=${id}`;
    return response.writeHead(200, { location }).end();
  }

  #continue(query: URLSearchParams, range: string | undefined, body: Buffer, response: http.ServerResponse): unknown {
    const session = this.#sessions.get(query.get("upload_id") ?? "");
    if (session === undefined) throw new Refusal(404, "notFound", "No such session");
    const match = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(range ?? "");
    if (match === null) throw new Refusal(400, "invalid", "Failed to parse Content-Range header.");
    const [, start, end, total] = match;
    if (start !== undefined) {
      if (Number(start) > session.bytes.length) throw new Refusal(503, "backendError", "Invalid request: a gap");
      if (Number(end) - Number(start) + 1 !== body.length) throw new Refusal(400, "invalid", "Content-Range is wrong");
      if (total === "*" && body.length % UNIT !== 0)
        throw new Refusal(400, "invalid", "There is no size that is a multiple of 256 KiB");
      // What is kept already is sent again when an answer was lost, and ignored.
      session.bytes = Buffer.concat([session.bytes, body.subarray(session.bytes.length - Number(start))]);
    }
    if (total === "*" || Number(total) > session.bytes.length) {
      const had = session.bytes.length === 0 ? {} : { range: `bytes=0-${session.bytes.length - 1}` };
      return response.writeHead(308, had).end();
    }
    session.object ??= this.#insert(session.bucket, session.name, session.bytes, session.query, {});
    return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(session.object));
  }

  #list(bucket: string, query: URLSearchParams): unknown {
    const prefix = query.get("prefix") ?? "";
    const from = query.get("startOffset") ?? "";
    const behind = Buffer.from(query.get("pageToken") ?? "", "base64").toString();
    const limit = Math.min(Number(query.get("maxResults") ?? 1_000), 1_000);
    if (!(limit >= 1)) throw new Refusal(400, "invalid", "Invalid value for maxResults");
    const fitting = [...this.#bucket(bucket)]
      .filter(([name]) => name.startsWith(prefix) && name >= from && name > behind)
      .toSorted(([left], [right]) => (left < right ? -1 : 1));
    const page = fitting.slice(0, limit);
    return {
      kind: "storage#objects",
      ...(page.length === 0 ? {} : { items: page.map(([name, object]) => resource(bucket, name, object)) }),
      ...(fitting.length > limit ? { nextPageToken: Buffer.from(page.at(-1)![0]).toString("base64") } : {}),
    };
  }
}

function resource(bucket: string, name: string, object: StoredObject) {
  return {
    kind: "storage#object",
    id: `${bucket}/${name}/${object.generation}`,
    name,
    bucket,
    generation: String(object.generation),
    metageneration: String(object.metageneration),
    size: String(object.bytes.length),
    md5Hash: md5(object.bytes),
    timeCreated: object.timeCreated.toISOString(),
    updated: object.updated.toISOString(),
    metadata: object.metadata,
  };
}

function media(object: StoredObject, range: string | undefined, response: http.ServerResponse): unknown {
  const { bytes, generation } = object;
  const headers = {
    "content-type": "application/octet-stream",
    "x-goog-generation": String(generation),
    "x-goog-hash": `md5=${md5(bytes)}`,
  };
  const match = /^bytes=(\d+)-(\d+)$/.exec(range ?? "");
  if (match === null) return response.writeHead(200, { ...headers, "content-length": bytes.length }).end(bytes);
  const start = Number(match[1]);
  if (start >= bytes.length) throw new Refusal(416, "requestedRangeNotSatisfiable", "Request range not satisfiable");
  const part = bytes.subarray(start, Number(match[2]) + 1);
  const said = `bytes ${start}-${start + part.length - 1}/${bytes.length}`;
  return response.writeHead(206, { ...headers, "content-length": part.length, "content-range": said }).end(part);
}

function md5(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("base64");
}
