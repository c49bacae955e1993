/** What lies in the buckets of `fake-s3.ts`, and what each request does to it. */
import { createHash, randomUUID } from "node:crypto";
import type { FakeS3Request, FakeS3Settings } from "./fake-s3.ts";
import { crc32Text } from "./fake-s3.ts";

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: Buffer;
}

export interface FakeObject {
  bytes: Buffer;
  etag: string;
  /** Milliseconds since 1970. */
  putAt: number;
  /** Headers `x-amz-meta-…`. */
  metadata: Readonly<Record<string, string>>;
}

interface Upload {
  readonly bucket: string;
  readonly key: string;
  /** Milliseconds since 1970: a test may change it. */
  begunAt: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly parts: Map<number, { readonly bytes: Buffer; readonly etag: string }>;
}

export class FakeBuckets {
  readonly #buckets: Map<string, Map<string, FakeObject>>;
  /** Uploads in parts that were neither completed nor aborted, by their id. */
  readonly uploads = new Map<string, Upload>();
  readonly #settings: FakeS3Settings;

  constructor(names: readonly string[], settings: FakeS3Settings) {
    this.#buckets = new Map(names.map((name) => [name, new Map()]));
    this.#settings = settings;
  }

  /** The objects of a bucket by key: a test may change them. */
  objects(bucket = "bucket"): Map<string, FakeObject> {
    return this.#buckets.get(bucket)!;
  }

  answer(request: FakeS3Request): Answer {
    const { method, bucket, key, query } = request;
    const objects = this.#buckets.get(bucket);
    if (key === "" && method === "PUT") {
      if (objects !== undefined) return failure(409, "BucketAlreadyOwnedByYou");
      this.#buckets.set(bucket, new Map());
      return { status: 200 };
    }
    if (objects === undefined) return failure(404, "NoSuchBucket");
    if (key === "") {
      if (method === "HEAD") return { status: 200 };
      if (method === "POST" && query.has("delete")) return deleteMany(request, objects);
      if (method === "GET" && query.has("uploads")) return this.#listUploads(bucket, query);
      if (method === "GET") return list(request, objects);
      return failure(405, "MethodNotAllowed");
    }
    if (query.has("uploads") || query.has("uploadId")) return this.#upload(request, objects);
    if (method === "PUT" && request.headers["x-amz-copy-source"] !== undefined) return this.#copy(request, objects);
    if (method === "PUT") return this.#put(request, objects, request.body);
    if (method === "GET" || method === "HEAD") return get(request, objects);
    if (method === "DELETE") {
      objects.delete(key);
      return { status: 204 };
    }
    return failure(405, "MethodNotAllowed");
  }

  #put(
    { key, headers }: FakeS3Request,
    objects: Map<string, FakeObject>,
    bytes: Buffer,
    { etag = `"${md5(bytes)}"`, metadata = metadataOf(headers) } = {},
  ) {
    const refused = this.#refusedBy(headers, objects.get(key));
    if (refused !== undefined) return refused;
    const object = { bytes, etag, metadata, putAt: Date.now() + this.#settings.clockAheadMs };
    objects.set(key, object);
    return { status: 200, headers: { etag: object.etag }, object };
  }

  /** Conditions of writes. */
  #refusedBy(headers: FakeS3Request["headers"], there: FakeObject | undefined): Answer | undefined {
    const { "if-none-match": none } = headers;
    const match = this.#settings.ifMatch === "ignored" ? undefined : headers["if-match"];
    if (none === undefined && match === undefined) return undefined;
    if (this.#settings.conditionalWrites === "refused") return failure(501, "NotImplemented");
    if (this.#settings.conditionalWrites === "ignored") return undefined;
    if (none !== undefined && there !== undefined) return failure(412, "PreconditionFailed");
    if (match !== undefined && there === undefined) return failure(404, "NoSuchKey");
    return match !== undefined && match.replaceAll('"', "") !== there!.etag.replaceAll('"', "")
      ? failure(412, "PreconditionFailed")
      : undefined;
  }

  #copy(request: FakeS3Request, objects: Map<string, FakeObject>): Answer {
    const { headers, bucket, key } = request;
    const from = this.#sourceOf(request);
    if ("status" in from) return from;
    if (from.bytes.length > this.#settings.maxCopyBytes) return failure(400, "InvalidRequest");
    const source = decodeURIComponent(String(headers["x-amz-copy-source"])).replace(/^\//, "");
    const isItself = source === `${bucket}/${key}`;
    if (isItself && headers["x-amz-metadata-directive"] !== "REPLACE") return failure(400, "InvalidRequest");
    const put = this.#put(request, objects, Buffer.from(from.bytes));
    if (!("object" in put)) return put;
    const { etag, putAt } = put.object;
    return xml(
      `<CopyObjectResult><ETag>${quoted(etag)}</ETag><LastModified>${inSeconds(putAt)}</LastModified></CopyObjectResult>`,
    );
  }

  #sourceOf({ headers }: FakeS3Request): FakeObject | Answer {
    const source = decodeURIComponent(String(headers["x-amz-copy-source"])).replace(/^\//, "");
    const slash = source.indexOf("/");
    const from = this.#buckets.get(source.slice(0, slash))?.get(source.slice(slash + 1));
    if (from === undefined) return failure(404, "NoSuchKey");
    const wanted = headers["x-amz-copy-source-if-match"];
    return wanted !== undefined && wanted !== from.etag ? failure(412, "PreconditionFailed") : from;
  }

  #copiedPart(request: FakeS3Request): Buffer | Answer | undefined {
    if (request.headers["x-amz-copy-source"] === undefined) return undefined;
    const from = this.#sourceOf(request);
    if ("status" in from) return from;
    const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(String(request.headers["x-amz-copy-source-range"])) ?? [];
    return Buffer.from(from.bytes.subarray(Number(start), Number(end) + 1));
  }

  #upload(request: FakeS3Request, objects: Map<string, FakeObject>): Answer {
    const { method, bucket, key, query } = request;
    if (method === "POST" && query.has("uploads")) {
      const id = randomUUID();
      const begunAt = Date.now() + this.#settings.clockAheadMs;
      this.uploads.set(id, { bucket, key, begunAt, metadata: metadataOf(request.headers), parts: new Map() });
      return xml(
        `<InitiateMultipartUploadResult><Bucket>${bucket}</Bucket><Key>${key}</Key><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
      );
    }
    const id = query.get("uploadId")!;
    const upload = this.uploads.get(id);
    if (upload === undefined || upload.key !== key || upload.bucket !== bucket) return failure(404, "NoSuchUpload");
    if (method === "PUT") {
      const copied = this.#copiedPart(request);
      if (copied !== undefined && "status" in copied) return copied;
      const bytes = copied ?? request.body;
      const etag = `"${md5(bytes)}"`;
      upload.parts.set(Number(query.get("partNumber")), { bytes, etag });
      if (copied === undefined) return { status: 200, headers: { etag } };
      return xml(`<CopyPartResult><ETag>${quoted(etag)}</ETag></CopyPartResult>`);
    }
    if (method === "DELETE") {
      this.uploads.delete(id);
      return { status: 204 };
    }
    if (method === "GET") return partsOf(upload);
    if (method !== "POST") return failure(405, "MethodNotAllowed");
    const named = [...request.body.toString().matchAll(/<Part>([\s\S]*?)<\/Part>/g)].map(([, part]) => ({
      number: Number(/<PartNumber>(\d+)</.exec(part!)?.[1]),
      etag: /<ETag>([^<]*)</.exec(part!)?.[1]?.replaceAll("&quot;", '"'),
    }));
    const parts = named.map(({ number, etag }) => {
      const part = upload.parts.get(number);
      return part?.etag === etag ? part : undefined;
    });
    if (parts.length === 0 || parts.includes(undefined)) return failure(400, "InvalidPart");
    if (parts.slice(0, -1).some((part) => part!.bytes.length < this.#settings.minPartBytes))
      return failure(400, "EntityTooSmall");
    const sums = Buffer.concat(parts.map((part) => Buffer.from(part!.etag.slice(1, -1), "hex")));
    const etag = `"${md5(sums)}-${parts.length}"`;
    const bytes = Buffer.concat(parts.map((part) => part!.bytes));
    const put = this.#put(request, objects, bytes, { etag, metadata: upload.metadata });
    if (!("object" in put)) return put;
    this.uploads.delete(id);
    return xml(
      `<CompleteMultipartUploadResult><Bucket>${bucket}</Bucket><Key>${key}</Key><ETag>${quoted(etag)}</ETag></CompleteMultipartUploadResult>`,
    );
  }

  /** By keys, and two a page: a real service gives a thousand. */
  #listUploads(bucket: string, query: URLSearchParams): Answer {
    const prefix = query.get("prefix") ?? "";
    const after = `${query.get("key-marker") ?? ""} ${query.get("upload-id-marker") ?? ""}`;
    const all = [...this.uploads]
      .filter(([, upload]) => upload.bucket === bucket && upload.key.startsWith(prefix))
      .map(([id, { key, begunAt }]) => ({ id, key, begunAt, place: `${key} ${id}` }))
      .filter(({ place }) => place > after)
      .sort((left, right) => (left.place < right.place ? -1 : 1));
    const page = all.slice(0, 2);
    const last = page.at(-1);
    const texts = page.map(
      ({ id, key, begunAt }) =>
        `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${inSeconds(begunAt)}</Initiated></Upload>`,
    );
    const next =
      all.length > page.length
        ? `<NextKeyMarker>${last!.key}</NextKeyMarker><NextUploadIdMarker>${last!.id}</NextUploadIdMarker>`
        : "";
    return xml(
      `<ListMultipartUploadsResult><Bucket>${bucket}</Bucket>${next}<IsTruncated>${next !== ""}</IsTruncated>${texts.join("")}</ListMultipartUploadsResult>`,
    );
  }
}

function partsOf({ key, parts }: Upload): Answer {
  const texts = [...parts].map(
    ([number, { bytes, etag }]) =>
      `<Part><PartNumber>${number}</PartNumber><ETag>${quoted(etag)}</ETag><Size>${bytes.length}</Size></Part>`,
  );
  return xml(`<ListPartsResult><Key>${key}</Key><IsTruncated>false</IsTruncated>${texts.join("")}</ListPartsResult>`);
}

function get({ headers, key }: FakeS3Request, objects: Map<string, FakeObject>): Answer {
  const object = objects.get(key);
  if (object === undefined) return failure(404, "NoSuchKey");
  const { bytes, etag, putAt, metadata } = object;
  const shared = {
    etag,
    "last-modified": new Date(putAt).toUTCString(),
    "accept-ranges": "bytes",
    "content-type": "application/octet-stream",
    ...metadata,
  };
  const range = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "");
  if (range === null) {
    const sum = headers["x-amz-checksum-mode"] === "ENABLED" ? { "x-amz-checksum-crc32": crc32Text(bytes) } : {};
    return { status: 200, headers: { ...shared, ...sum }, body: bytes };
  }
  const start = Number(range[1]);
  const end = Math.min(range[2] === "" ? bytes.length : Number(range[2]) + 1, bytes.length);
  if (start >= bytes.length) return failure(416, "InvalidRange");
  return {
    status: 206,
    headers: { ...shared, "content-range": `bytes ${start}-${end - 1}/${bytes.length}` },
    body: bytes.subarray(start, end),
  };
}

function metadataOf(headers: FakeS3Request["headers"]): Readonly<Record<string, string>> {
  const own = Object.entries(headers).filter(([name]) => name.startsWith("x-amz-meta-"));
  return Object.fromEntries(own.map(([name, value]) => [name, String(value)]));
}

function list({ bucket, query }: FakeS3Request, objects: Map<string, FakeObject>): Answer {
  const prefix = query.get("prefix") ?? "";
  const token = query.get("continuation-token");
  const after = token === null ? (query.get("start-after") ?? "") : Buffer.from(token, "base64").toString();
  const limit = Math.min(Number(query.get("max-keys") ?? 1_000), 1_000);
  const all = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
  const keys = all.slice(0, limit);
  const contents = keys.map((key) => {
    const { bytes, etag, putAt } = objects.get(key)!;
    return `<Contents><Key>${key}</Key><LastModified>${inSeconds(putAt)}</LastModified><ETag>${quoted(etag)}</ETag><Size>${bytes.length}</Size></Contents>`;
  });
  const more = all.length > keys.length;
  const next = more
    ? `<NextContinuationToken>${Buffer.from(keys.at(-1)!).toString("base64")}</NextContinuationToken>`
    : "";
  return xml(
    `<ListBucketResult><Name>${bucket}</Name><Prefix>${prefix}</Prefix><KeyCount>${keys.length}</KeyCount><MaxKeys>${limit}</MaxKeys><IsTruncated>${more}</IsTruncated>${next}${contents.join("")}</ListBucketResult>`,
  );
}

function deleteMany({ body, headers }: FakeS3Request, objects: Map<string, FakeObject>): Answer {
  if (headers["content-md5"] === undefined && headers["x-amz-checksum-crc32"] === undefined)
    return failure(400, "InvalidRequest");
  const keys = [...body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key!);
  for (const key of keys) objects.delete(key);
  return xml(`<DeleteResult>${keys.map((key) => `<Deleted><Key>${key}</Key></Deleted>`).join("")}</DeleteResult>`);
}

/** An answer that says no, as S3 does. */
export function failure(
  status: number,
  code: string,
  { headers = {}, extra = "" }: { readonly headers?: Readonly<Record<string, string>>; readonly extra?: string } = {},
): Answer {
  const body = `<Error><Code>${code}</Code><Message>The server says ${code}</Message>${extra}<RequestId>1</RequestId></Error>`;
  return { ...xml(body), status, headers: { "content-type": "application/xml", ...headers } };
}

function xml(body: string): Answer {
  const text = `<?xml version="1.0" encoding="UTF-8"?>\n${body}`;
  return { status: 200, headers: { "content-type": "application/xml" }, body: Buffer.from(text) };
}

/** Amazon says the age of an object in whole seconds. */
function inSeconds(time: number): string {
  return new Date(Math.floor(time / 1_000) * 1_000).toISOString();
}

function quoted(etag: string): string {
  return etag.replaceAll('"', "&quot;");
}

function md5(bytes: Buffer): string {
  return createHash("md5").update(bytes).digest("hex");
}
