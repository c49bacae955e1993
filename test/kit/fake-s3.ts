/**
 * A small S3 server in this process, over plain HTTP and path style: what the back-end asks of a service, and no more. It
 * honours conditional writes, which most imitations ignore without a word; it can be told to ignore them too, to refuse them,
 * to be slow, to lie in another region, to have another clock, and to know only some keys.
 */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { type Answer, FakeBuckets, failure } from "./fake-s3-buckets.ts";

/** How the server behaves; may be changed while it runs. */
export interface FakeS3Settings {
  /** Before each answer. Default 0. */
  latencyMs: number;
  /** What it makes of If-None-Match and If-Match on writes; `refused`: 501. Default `honoured`. */
  conditionalWrites: "honoured" | "ignored" | "refused";
  /** What it makes of If-Match alone. Default `honoured`. */
  ifMatch: "honoured" | "ignored";
  /** Access keys that it knows; undefined: any. */
  accessKeys: readonly string[] | undefined;
  /** Where its buckets lie: requests signed for another region are answered by 301. Undefined: anywhere. */
  region: string | undefined;
  /** How far its clock is ahead of this machine's; more than 15 minutes refuse every request. Default 0. */
  clockAheadMs: number;
  /** What parts of a value must have but the last one; bytes. Default 5 MiB, as at Amazon. */
  minPartBytes: number;
  /** The largest value that it copies by one request; bytes. Default 5 GiB, as at Amazon. */
  maxCopyBytes: number;
  /** Before the answer to this request, besides; milliseconds. Default 0. */
  delayOf: ((request: FakeS3Request) => number) | undefined;
  /** An answer in place of the usual one; undefined: the usual one. */
  instead: ((request: FakeS3Request) => Answer | undefined) | undefined;
}

export interface FakeS3Request {
  readonly method: string;
  readonly bucket: string;
  /** Empty for a request to the bucket. */
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface FakeS3 {
  readonly endpoint: string;
  readonly settings: FakeS3Settings;
  readonly buckets: FakeBuckets;
  /** Every request that came, oldest first: `PUT bucket/key`, with the query where it has one. */
  readonly requests: string[];
  /** The largest number of requests that were under way at once. */
  readonly mostAtOnce: () => number;
  stop(): Promise<void>;
}

/**
 * Starts a server on a free port of 127.0.0.1.
 *
 * @param options.buckets that exist; default one, called "bucket"
 */
export async function startFakeS3(
  options: Partial<FakeS3Settings> & { readonly buckets?: readonly string[] } = {},
): Promise<FakeS3> {
  const { buckets: names = ["bucket"], ...given } = options;
  const settings: FakeS3Settings = {
    latencyMs: 0,
    conditionalWrites: "honoured",
    ifMatch: "honoured",
    accessKeys: undefined,
    region: undefined,
    clockAheadMs: 0,
    minPartBytes: 5 * 1024 * 1024,
    maxCopyBytes: 5 * 1024 ** 3,
    delayOf: undefined,
    instead: undefined,
    ...given,
  };
  const buckets = new FakeBuckets(names, settings);
  const requests: string[] = [];
  let underWay = 0;
  let most = 0;
  const server = http.createServer(async (incoming, outgoing) => {
    most = Math.max(most, ++underWay);
    try {
      const request = await readRequest(incoming);
      requests.push(wordsOf(request));
      const delayMs = settings.latencyMs + (settings.delayOf?.(request) ?? 0);
      if (delayMs > 0) await wait(delayMs, undefined, { ref: false });
      const answer = settings.instead?.(request) ?? refusal(request, settings) ?? buckets.answer(request);
      send(outgoing, request, answer, settings);
    } catch (error) {
      // A client that went away in the middle of its request gets no answer; anything else is a defect of this server.
      if (!incoming.destroyed && !outgoing.destroyed)
        send(outgoing, undefined, failure(500, "InternalError"), settings);
      if (incoming.complete) console.error(error);
    } finally {
      underWay--;
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    settings,
    buckets,
    requests,
    mostAtOnce: () => most,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function wordsOf({ method, bucket, key, query }: FakeS3Request): string {
  const shown = new URLSearchParams(query);
  shown.delete("x-id"); // The SDK says in it which call it makes.
  const words = shown.size === 0 ? "" : `?${shown}`;
  return `${method} ${bucket}${key === "" ? "" : `/${key}`}${words}`;
}

async function readRequest(incoming: http.IncomingMessage): Promise<FakeS3Request> {
  const url = new URL(incoming.url!, "http://fake");
  const [bucket, ...key] = url.pathname.slice(1).split("/").map(decodeURIComponent);
  const pieces: Buffer[] = [];
  for await (const piece of incoming) pieces.push(piece);
  const raw = Buffer.concat(pieces);
  const isChunked = /^STREAMING-/.test(String(incoming.headers["x-amz-content-sha256"] ?? ""));
  return {
    method: incoming.method!,
    bucket: bucket!,
    key: key.join("/"),
    query: url.searchParams,
    headers: incoming.headers,
    body: isChunked ? withoutChunks(raw) : raw,
  };
}

/** The bytes of an "aws-chunked" body: `<hex size>[;signature]\r\n<bytes>\r\n` …, `0\r\n`, trailers with checksums. */
function withoutChunks(raw: Buffer): Buffer {
  const pieces: Buffer[] = [];
  let at = 0;
  for (;;) {
    const line = raw.indexOf("\r\n", at);
    if (line < 0) throw new Error("an aws-chunked body that ends early");
    const size = Number.parseInt(raw.toString("latin1", at, line), 16);
    at = line + 2;
    if (size === 0) break;
    pieces.push(raw.subarray(at, at + size));
    at += size + 2;
  }
  const body = Buffer.concat(pieces);
  const sum = /x-amz-checksum-crc32:(\S+)/i.exec(raw.toString("latin1", at))?.[1];
  if (sum !== undefined && sum !== crc32Text(body)) throw new Error("the checksum of the trailer is wrong");
  return body;
}

export function crc32Text(body: Buffer): string {
  const four = Buffer.alloc(4);
  four.writeUInt32BE(crc32(body));
  return four.toString("base64");
}

/** What stands in the way before the buckets are asked. */
function refusal(request: FakeS3Request, settings: FakeS3Settings): Answer | undefined {
  const sum = request.headers["x-amz-checksum-crc32"];
  if (sum !== undefined && sum !== crc32Text(request.body)) return failure(400, "BadDigest");
  const credential = /Credential=([^/]+)\/\d+\/([^/]+)\//.exec(request.headers.authorization ?? "");
  if (credential === null) return failure(403, "AccessDenied");
  const [, accessKey, region] = credential;
  if (settings.accessKeys !== undefined && !settings.accessKeys.includes(accessKey!))
    return failure(403, "InvalidAccessKeyId", { extra: `<AWSAccessKeyId>${accessKey}</AWSAccessKeyId>` });
  const now = Date.now() + settings.clockAheadMs;
  if (Math.abs(now - signedAt(request)) > 15 * 60_000) return failure(403, "RequestTimeTooSkewed");
  if (settings.region !== undefined && region !== settings.region)
    return failure(301, "PermanentRedirect", { headers: { "x-amz-bucket-region": settings.region } });
  return undefined;
}

/** `20261122T160000Z` of the header x-amz-date. */
function signedAt({ headers }: FakeS3Request): number {
  const text = String(headers["x-amz-date"]);
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
}

function send(
  outgoing: http.ServerResponse,
  request: FakeS3Request | undefined,
  { status, headers = {}, body = Buffer.alloc(0) }: Answer,
  settings: FakeS3Settings,
): void {
  outgoing.writeHead(status, {
    date: new Date(Date.now() + settings.clockAheadMs).toUTCString(),
    "x-amz-request-id": "0000000000000001",
    ...(status === 204 ? {} : { "content-length": body.length }),
    ...headers,
  });
  outgoing.end(request?.method === "HEAD" ? undefined : body);
}
