import { eachPiece } from "../each-piece.ts";
import type { LimitedCall } from "./limit-call.ts";
import { brokenAnswer } from "./service-error.ts";

/**
 * The bytes of an answer, in memory of their own (typed arrays over them want their alignment) or in the caller's. A body
 * that ends early or goes on is broken: clients of services hand it out as if it were whole.
 *
 * @param into takes them, where it is large enough
 * @throws FlowError FLOW_STORAGE_UNAVAILABLE
 */
export async function readBody(
  action: string,
  answer: { readonly sizeBytes: number; readonly body: AsyncIterable<Uint8Array> },
  call: LimitedCall,
  into?: Uint8Array,
): Promise<Uint8Array> {
  const { sizeBytes, body } = answer;
  const bytes =
    into !== undefined && into.byteLength >= sizeBytes ? into.subarray(0, sizeBytes) : new Uint8Array(sizeBytes);
  call.moving(sizeBytes);
  let done = 0;
  await eachPiece(body, (piece) => {
    call.progress();
    // What comes after the limit of the call must not reach memory that the caller uses again.
    if (call.signal.aborted) return false;
    if (done + piece.length > sizeBytes)
      throw brokenAnswer(action, `more than the ${sizeBytes} bytes came that were said`);
    bytes.set(piece, done);
    done += piece.length;
    return true;
  });
  if (done < sizeBytes) throw brokenAnswer(action, `the body ended after ${done} of ${sizeBytes} bytes`);
  return bytes;
}
