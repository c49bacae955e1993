import { eachPiece } from "../each-piece.ts";
import { BrokenAnswer } from "./s3-error.ts";

/**
 * The bytes of an answer, in memory of their own or of the caller's. An answer that ends before the size that it named, or goes
 * on behind it, is no value: the SDK would hand it over all the same.
 *
 * @param into takes them, where it is large enough
 * @throws BrokenAnswer
 */
export async function readBody(
  body: AsyncIterable<Uint8Array>,
  sizeBytes: number,
  limit: AbortSignal,
  into?: Uint8Array,
): Promise<Uint8Array> {
  const bytes =
    into !== undefined && into.byteLength >= sizeBytes
      ? into.subarray(0, sizeBytes)
      : Buffer.allocUnsafeSlow(sizeBytes);
  let done = 0;
  await eachPiece(body, (piece) => {
    // What comes after the limit of the call must not reach memory that the caller uses for another try.
    if (limit.aborted) return false;
    if (done + piece.length > sizeBytes) throw new BrokenAnswer(`more than the ${sizeBytes} bytes of the value came`);
    bytes.set(piece, done);
    done += piece.length;
    return true;
  });
  if (done < sizeBytes) throw new BrokenAnswer(`the answer ended after ${done} of ${sizeBytes} bytes`);
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
