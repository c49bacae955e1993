import { constants } from "node:fs";
import type { ByteRange } from "../blob-store.ts";
import { call, type FileSteps } from "./file-calls.ts";
import { errnoOf, foreignFile } from "./file-error.ts";

/** Every system refuses or cuts a single read of 2 GiB or more. */
const MAX_READ_BYTES = 1024 ** 3;
const READ = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * The bytes of a plain file, or of a part of it; undefined when there is none. Links are not followed.
 *
 * @param into takes them, where it is large enough
 */
export function* readValue(
  file: string,
  range: ByteRange | undefined,
  into?: Uint8Array,
): FileSteps<Uint8Array | undefined> {
  let fd: number;
  try {
    fd = yield* call("open", file, READ, 0);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
  try {
    const facts = yield* call("fstat", fd);
    if (!facts.isFile()) throw foreignFile(file);
    const start = Math.min(range?.start ?? 0, facts.size);
    const end = Math.min(range?.end ?? facts.size, facts.size);
    // Not from the pool: the caller may keep the bytes for long, and typed arrays over them want their alignment.
    const sizeBytes = end - start;
    const bytes =
      into !== undefined && into.byteLength >= sizeBytes
        ? into.subarray(0, sizeBytes)
        : Buffer.allocUnsafeSlow(sizeBytes);
    let done = 0;
    while (done < bytes.length) {
      const length = Math.min(bytes.length - done, MAX_READ_BYTES);
      const got = yield* call("read", fd, bytes, done, length, start + done);
      if (got === 0) throw new Error(`the file became shorter while it was read, ${start + done} of ${end} bytes came`);
      done += got;
    }
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  } finally {
    yield* call("close", fd);
  }
}
