import fs from "node:fs";
import { entryBytes, entryHead, TAIL_BYTES } from "../util/tar-entries.ts";
import { BadContent } from "./json-lines.ts";
import { PIECE_BYTES } from "./limits.ts";

/**
 * A file of which any part can be read at any time. What it is called is for messages alone; nothing in it becomes a path.
 */
export class ArchiveFile {
  readonly #fd: number;
  readonly name: string;
  readonly sizeBytes: number;

  /** @param fd of a plain file; it is closed with this object */
  constructor(fd: number, name: string) {
    this.#fd = fd;
    this.name = name;
    this.sizeBytes = fs.fstatSync(fd).size;
  }

  /** @throws BadContent when the file ends before */
  read(start: number, length: number): Uint8Array {
    const bytes = Buffer.allocUnsafeSlow(length);
    if (this.readInto(bytes, start) < length) throw new BadContent("it is cut short");
    return bytes;
  }

  /** As many bytes as there are. */
  readInto(target: Uint8Array, start: number): number {
    let done = 0;
    while (done < target.length) {
      const got = fs.readSync(this.#fd, target, done, target.length - done, start + done);
      if (got === 0) break;
      done += got;
    }
    return done;
  }

  /** A part of the file, piece by piece; each piece is overwritten by the next one. */
  *pieces(start: number, length: number): Generator<Uint8Array, void> {
    const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, Math.max(length, 1)));
    for (let done = 0; done < length; ) {
      const part = buffer.subarray(0, Math.min(buffer.length, length - done));
      if (this.readInto(part, start + done) < part.length) throw new BadContent("it is cut short");
      done += part.length;
      yield part;
    }
  }

  close(): void {
    fs.closeSync(this.#fd);
  }
}

/** An entry with its place in the file, which follows from all that come before it. */
export interface PlacedEntry {
  readonly name: string;
  readonly sizeBytes: number;
  readonly digest: string;
  /** Where its head begins. */
  readonly headAt: number;
  /** Where its content begins. */
  readonly contentAt: number;
}

/** Places entries one behind the other. */
export function placeEntries(
  entries: readonly { readonly name: string; readonly sizeBytes: number; readonly digest: string }[],
  from: number,
): { readonly placed: readonly PlacedEntry[]; readonly endAt: number } {
  let at = from;
  const placed = entries.map((entry) => {
    const headAt = at;
    at += entryBytes(entry.name, entry.sizeBytes);
    return { ...entry, headAt, contentAt: headAt + entryHead(entry.name, entry.sizeBytes).length };
  });
  return { placed, endAt: at + TAIL_BYTES };
}
