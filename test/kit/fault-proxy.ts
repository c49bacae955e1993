/**
 * A proxy before any server that speaks HTTP, which does to requests and answers what networks and services do. Bodies pass
 * through its memory. What it does to which request is decided by chance with a seed, or by the test.
 */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { seededRandom } from "../../packages/core/src/flow/random.ts";

/**
 * - `busy`: 503 SlowDown, and the server hears nothing of it
 * - `reset`: the connection is cut before the server hears anything
 * - `lost`: the server does what it was asked, and the connection is cut in place of the answer
 * - `partial`: the answer's body ends in the middle
 * - `flipped`: one bit of the answer's body is another one
 * - `error-as-value`: 200 with a body that says what is wrong, in place of the answer
 * - `hole`: nothing is answered, ever
 */
export type ProxyFault = "busy" | "reset" | "lost" | "partial" | "flipped" | "error-as-value" | "hole";

export interface ProxiedRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
}

export interface FaultPlan {
  readonly faults: readonly ProxyFault[];
  /** Of the requests that it is about, from 0 to 1. */
  readonly share: number;
  /** Which requests it is about. Default: all. */
  readonly only?: (request: ProxiedRequest) => boolean;
  /** Faults at most. Default: no limit. */
  readonly limit?: number;
}

export interface FaultProxy {
  readonly endpoint: string;
  /** What goes wrong from now on; undefined: nothing. */
  plan: FaultPlan | undefined;
  /** Before each request is passed on; milliseconds. */
  latencyMs: number;
  readonly happened: readonly ({ readonly fault: ProxyFault } & ProxiedRequest)[];
  readonly requests: readonly ProxiedRequest[];
  stop(): Promise<void>;
}

/**
 * Starts a proxy on a free port of 127.0.0.1.
 *
 * @param target the endpoint of a server, `http://127.0.0.1:1234`
 */
export async function startFaultProxy(target: string, seed: number): Promise<FaultProxy> {
  const random = seededRandom(`millrace:test:fault-proxy:${seed}`);
  const { hostname, port } = new URL(target);
  const agent = new http.Agent({ keepAlive: true });
  const happened: ({ readonly fault: ProxyFault } & ProxiedRequest)[] = [];
  const requests: ProxiedRequest[] = [];

  const decide = (request: ProxiedRequest): ProxyFault | undefined => {
    const { plan } = proxy;
    if (plan === undefined || plan.only?.(request) === false || happened.length >= (plan.limit ?? Infinity))
      return undefined;
    return random() < plan.share ? plan.faults[Math.floor(random() * plan.faults.length)] : undefined;
  };

  const server = http.createServer(async (incoming, outgoing) => {
    const request = { method: incoming.method!, path: incoming.url! };
    try {
      const body = await bytesOf(incoming);
      requests.push(request);
      const fault = decide(request);
      if (proxy.latencyMs > 0) await wait(proxy.latencyMs);
      if (fault === "reset" || fault === "hole" || fault === "busy" || fault === "error-as-value") {
        happened.push({ fault, ...request });
        if (fault === "hole") return;
        if (fault === "reset") return void outgoing.destroy();
        return answer(outgoing, request, fault === "busy" ? 503 : 200, {}, problem("SlowDown"));
      }
      const [upstream, bytes] = await passedOn(request, incoming.rawHeaders, body);
      const isHarmed = fault === "lost" || (fault !== undefined && bytes.length > 0 && upstream.statusCode! < 300);
      if (isHarmed) happened.push({ fault, ...request });
      if (fault === "lost") return void outgoing.destroy();
      if (isHarmed && fault === "flipped") bytes[Math.floor(random() * bytes.length)]! ^= 1 << Math.floor(random() * 8);
      if (isHarmed && fault === "partial") {
        outgoing.writeHead(upstream.statusCode!, upstream.headers);
        outgoing.write(bytes.subarray(0, bytes.length >> 1), () => outgoing.destroy());
        return;
      }
      answer(outgoing, request, upstream.statusCode!, upstream.headers, bytes);
    } catch {
      outgoing.destroy(); // A side that went away is what this proxy is for.
    }
  });

  const passedOn = async (request: ProxiedRequest, rawHeaders: readonly string[], body: Buffer) => {
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    // The headers as they came: what was signed stays as it was, the host among them.
    const headers = rawHeaders.filter((_, index) => rawHeaders[index & ~1]!.toLowerCase() !== "transfer-encoding");
    const passing = http.request({ hostname, port, ...request, headers, agent }, resolve).on("error", reject);
    passing.end(body);
    const upstream = await promise;
    return [upstream, await bytesOf(upstream)] as const;
  };

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxy: FaultProxy = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    plan: undefined,
    latencyMs: 0,
    happened,
    requests,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        agent.destroy();
      }),
  };
  return proxy;
}

async function bytesOf(message: http.IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of message) pieces.push(piece);
  return Buffer.concat(pieces);
}

function answer(
  outgoing: http.ServerResponse,
  { method }: ProxiedRequest,
  status: number,
  headers: http.OutgoingHttpHeaders,
  bytes: Buffer,
): void {
  const { "transfer-encoding": _, ...kept } = headers;
  const hasLength = method === "HEAD" || status === 204 || status === 304;
  outgoing.writeHead(status, { ...kept, ...(hasLength ? {} : { "content-length": bytes.length }) });
  outgoing.end(method === "HEAD" ? undefined : bytes);
}

function problem(code: string): Buffer {
  return Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>Reduce your request rate</Message></Error>`,
  );
}
