import { closeSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import type { ArtifactRef } from "../artifact.ts";
import { badFile, fileError } from "./file-error.ts";

const PIECE_BYTES = 1024 * 1024;

/** The bytes of a file or folder artifact, wherever they are. They are read again with each call. */
export interface FileContent {
  /** Number of bytes; what is not stored yet is looked at. */
  size(): number;
  /** All bytes in order; whoever comes to the end without an error has read them whole. */
  pieces(): AsyncIterable<Uint8Array>;
  /** All bytes at once, without an event loop. */
  whole(): Uint8Array;
  /** Of what is stored: its identity, and the store that it was read from. */
  readonly stored?: { readonly ref: ArtifactRef; readonly store: object };
}

/** Bytes that lie in memory. */
export class MemoryContent implements FileContent {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  size(): number {
    return this.#bytes.byteLength;
  }

  async *pieces(): AsyncGenerator<Uint8Array, void> {
    yield this.whole();
  }

  whole(): Uint8Array {
    return Buffer.from(this.#bytes);
  }
}

/** A file of the machine, read when the step has ended: the step may go on writing it after `file()`. */
export class DiskContent implements FileContent {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  size(): number {
    const facts = fileError(this.#file, () => statSync(this.#file));
    if (!facts.isFile()) throw badFile(quoted(this.#file), facts.isDirectory() ? "it is a folder" : "it is no file");
    return facts.size;
  }

  async *pieces(): AsyncGenerator<Uint8Array, void> {
    this.size();
    yield* diskPieces(this.#file);
  }

  whole(): Uint8Array {
    this.size();
    return fileError(this.#file, () => readFileSync(this.#file));
  }
}

/** The bytes of a plain file, in memory of their own. */
export function* diskPieces(file: string): Generator<Uint8Array, void> {
  const fd = fileError(file, () => openSync(file, "r"));
  try {
    for (let at = 0; ; ) {
      const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
      const read = fileError(file, () => readSync(fd, piece, 0, PIECE_BYTES, at));
      if (read === 0) return;
      at += read;
      yield piece.subarray(0, read);
    }
  } finally {
    closeSync(fd);
  }
}

export function quoted(file: string): string {
  return JSON.stringify(file);
}
