/** Reads the payload of a folder artifact. It may come from anywhere: nothing in it becomes a path unchecked. */
import { BLOCK_BYTES, tarPadding } from "../../util/tar.ts";
import { entryHead } from "../../util/tar-entries.ts";
import { fileNameProblem } from "../codec-id.ts";
import { corruptFolder } from "./file-error.ts";

export interface FolderEntry {
  /** From the folder, with `/` between the parts. */
  readonly path: string;
  readonly sizeBytes: number;
}

export interface OpenedEntry extends FolderEntry {
  /** Its bytes; what is left unread is passed over. */
  readonly pieces: AsyncIterable<Uint8Array>;
}

/** @throws FlowError FLOW_ARTIFACT_CORRUPT for what is no folder as it is written */
export async function* folderEntries(payload: AsyncIterable<Uint8Array>): AsyncGenerator<OpenedEntry, void> {
  const input = new PieceReader(payload);
  try {
    let before = "";
    for (;;) {
      const entry = await readHead(input);
      if (entry === undefined) return;
      if (before !== "" && Buffer.compare(Buffer.from(before), Buffer.from(entry.path)) >= 0)
        throw corruptFolder(`${JSON.stringify(entry.path)} stands behind ${JSON.stringify(before)}`);
      before = entry.path;
      let left = entry.sizeBytes;
      const content = async function* (): AsyncGenerator<Uint8Array, void> {
        while (left > 0) {
          const piece = await input.some(left);
          left -= piece.byteLength;
          yield piece;
        }
      };
      yield { ...entry, pieces: content() };
      for await (const _ of content());
      await input.zeros(tarPadding(entry.sizeBytes));
    }
  } finally {
    await input.close();
  }
}

async function readHead(input: PieceReader): Promise<FolderEntry | undefined> {
  const block = await input.exactly(BLOCK_BYTES);
  if (block.every((byte) => byte === 0)) {
    await input.zeros(BLOCK_BYTES);
    if (!(await input.isAtEnd())) throw corruptFolder("something follows its end");
    return undefined;
  }
  const parts = [block];
  let [path, sizeBytes] = [text(block, 0, 100), number(block)];
  if (block[156] === "x".charCodeAt(0)) {
    if (sizeBytes > MAX_RECORD_BYTES) throw corruptFolder("a record of an entry is too long");
    const record = await input.exactly(sizeBytes + tarPadding(sizeBytes));
    const real = await input.exactly(BLOCK_BYTES);
    parts.push(record, real);
    [path, sizeBytes] = [text(real, 0, 100), number(real)];
    for (const [, key, value] of record.toString("utf8", 0, record.length).matchAll(/\d+ (path|size)=([^\n]*)\n/g)) {
      if (key === "path") path = value!;
      else sizeBytes = Number(value);
    }
  }
  // Every byte of a head follows from path and size: what is written otherwise is not ours, whatever it means to others.
  const problem = !Number.isSafeInteger(sizeBytes) || sizeBytes < 0 ? "an entry has no size" : pathProblem(path);
  if (problem !== undefined) throw corruptFolder(problem);
  if (!Buffer.concat(parts).equals(entryHead(path, sizeBytes)))
    throw corruptFolder(`the entry ${JSON.stringify(path)} is not as it is written`);
  return { path, sizeBytes };
}

const MAX_RECORD_BYTES = 64 * 1024;

function pathProblem(path: string): string | undefined {
  for (const part of path.split("/")) {
    const problem = fileNameProblem(part);
    if (problem !== undefined) return `the path ${JSON.stringify(path)} of an entry: ${problem}`;
  }
  return undefined;
}

function text(block: Buffer, at: number, length: number): string {
  const end = block.subarray(at, at + length).indexOf(0);
  return block.toString("utf8", at, at + (end < 0 ? length : end));
}

function number(block: Buffer): number {
  return Number.parseInt(text(block, 124, 12).trim() || "0", 8);
}

/** Bytes that come in pieces of any size, in portions that somebody asks for. */
class PieceReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** At least one byte, at most so many. */
  async some(most: number): Promise<Uint8Array> {
    if (await this.isAtEnd()) throw corruptFolder("it is cut short");
    const part = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(part.byteLength);
    return part;
  }

  async exactly(count: number): Promise<Buffer> {
    const bytes = Buffer.alloc(count);
    for (let at = 0; at < count; ) {
      const part = await this.some(count - at);
      bytes.set(part, at);
      at += part.byteLength;
    }
    return bytes;
  }

  async zeros(count: number): Promise<void> {
    if ((await this.exactly(count)).some((byte) => byte !== 0)) throw corruptFolder("bytes stand where none belong");
  }

  async isAtEnd(): Promise<boolean> {
    while (this.#rest.byteLength === 0) {
      const next = await this.#pieces.next();
      if (next.done === true) return true;
      this.#rest = next.value;
    }
    return false;
  }

  async close(): Promise<void> {
    await this.#pieces.return?.();
  }
}
