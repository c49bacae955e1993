import { FlowError } from "../../errors/flow-error.ts";
import type { BlobStore } from "../blob-store.ts";
import type { ValueCheck } from "./value-check.ts";

/** A file of the spool piece by piece, all in the same memory; where its bytes are not those of its key, that is thrown before the last piece is given. */
export async function* spooledPieces(
  spool: BlobStore,
  key: string,
  pieceBytes: number,
  check: ValueCheck | undefined,
): AsyncGenerator<Uint8Array, void> {
  const { sizeBytes = 0 } = (await spool.stat(key)) ?? {};
  const memory = Buffer.allocUnsafeSlow(Math.min(pieceBytes, sizeBytes));
  for (let start = 0; start < sizeBytes; start += pieceBytes) {
    const piece = await spool.get(key, { start, end: Math.min(start + pieceBytes, sizeBytes) }, memory);
    if (piece === undefined) throw spoolError(key, "is gone");
    check?.add(piece);
    if (start + pieceBytes >= sizeBytes) {
      const fault = check?.end();
      if (fault !== undefined) throw spoolError(key, fault);
    }
    yield piece;
  }
}

/** What lies in the spool is not what was put there: a crash has cut it, or somebody has changed it. */
export function spoolError(key: string, fault: string): FlowError {
  return new FlowError("FLOW_STORAGE_SPOOL", {
    message: `Cannot upload the value "${key}": its file on this machine ${fault}`,
    hint: "Go on with flow resume: the value is made again",
    context: { key },
  });
}
