import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { eachPiece } from "./each-piece.ts";

/** The answer of a server that has sent so many bytes of those that it named. */
async function answer({
  named,
  sent,
}: {
  readonly named: number;
  readonly sent: number;
}): Promise<http.IncomingMessage> {
  const server = http.createServer((_, response) => {
    response.writeHead(200, { "content-length": named });
    response.write(Buffer.alloc(sent, 7), () => (sent < named ? response.destroy() : response.end()));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const [got] = await once(http.get({ port, host: "127.0.0.1", agent: false }), "response");
  return got;
}

test("the pieces of an answer come in their order, each as it came", async () => {
  const got: Uint8Array[] = [];
  await eachPiece(await answer({ named: 300_000, sent: 300_000 }), (piece) => got.push(piece) > 0);
  expect(Buffer.concat(got).equals(Buffer.alloc(300_000, 7))).toBe(true);
});

test("an answer that is cut off is an error", async () => {
  await expect(eachPiece(await answer({ named: 300_000, sent: 100_000 }), () => true)).rejects.toThrow("aborted");
});

test("an answer that was ended before it is heard is an error, and not waited for", async () => {
  const body = Readable.from([Buffer.alloc(1)]);
  body.destroy();
  await once(body, "close");
  await expect(eachPiece(body, () => true)).rejects.toThrow("Premature close");
});

test("who wants no more gets no more, and the answer is given up", async () => {
  const body = Readable.from([Buffer.alloc(1), Buffer.alloc(1), Buffer.alloc(1)], { objectMode: false });
  let count = 0;
  await eachPiece(body, () => ++count < 2);
  expect([count, body.destroyed]).toEqual([2, true]);
});

test("what the taker throws is thrown, and the answer is given up", async () => {
  const body = await answer({ named: 300_000, sent: 300_000 });
  const taken = eachPiece(body, () => {
    throw new Error("too many bytes");
  });
  await expect(taken).rejects.toThrow("too many bytes");
  expect(body.destroyed).toBe(true);
});

test("pieces of what is no stream of Node come as well", async () => {
  const got: number[] = [];
  const body = (async function* () {
    yield Uint8Array.of(1);
    yield Uint8Array.of(2);
    yield Uint8Array.of(3);
  })();
  await eachPiece(body, (piece) => got.push(piece[0]!) < 2);
  expect(got).toEqual([1, 2]);
});
