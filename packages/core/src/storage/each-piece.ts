import { finished, Readable } from "node:stream";

/**
 * Hands over the pieces of an answer as they come, until `take` answers false; then, and when it throws, the answer is given up.
 *
 * Streams of Node are listened to: their iterators wait for a promise a piece, and copy pieces that came together into one.
 */
export async function eachPiece(body: AsyncIterable<Uint8Array>, take: (piece: Uint8Array) => boolean): Promise<void> {
  if (!(body instanceof Readable)) {
    for await (const piece of body) if (!take(piece)) return;
    return;
  }
  await new Promise<void>((resolve, reject) => {
    let isOver = false;
    const end = (error?: unknown): void => {
      if (isOver) return;
      isOver = true;
      body.off("data", hear);
      body.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    const hear = (piece: Uint8Array): void => {
      try {
        if (!take(piece)) end();
      } catch (error) {
        end(error);
      }
    };
    finished(body, { writable: false }, (error) => end(error ?? undefined));
    body.on("data", hear);
  });
}
