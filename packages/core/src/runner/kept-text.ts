import { StringDecoder } from "node:string_decoder";
import type { MaskedStream, SecretMask } from "./secret-mask.ts";

/** Bytes of one stream of one attempt that are kept: 10 MiB, as Metaflow keeps 10 MB. */
export const OUTPUT_LIMIT_BYTES = 10 * 1024 * 1024;

/** What one attempt writes to one stream, as text that may be kept: decoded, without secrets, up to a limit. */
export class KeptText {
  readonly #limitBytes: number;
  readonly #masked: MaskedStream;
  #decoder: StringDecoder | undefined;
  #keptBytes = 0;
  /** What came after the limit. */
  droppedBytes = 0;

  constructor(mask: SecretMask, limitBytes: number = OUTPUT_LIMIT_BYTES) {
    this.#masked = mask.stream();
    this.#limitBytes = limitBytes;
  }

  /** Gives what is to be kept of a piece. Bytes that are no text become U+FFFD. */
  push(piece: string | Uint8Array): string {
    // Nothing is decoded or searched any more when it would not be kept: a flood costs no more than its writing.
    if (this.#keptBytes >= this.#limitBytes) {
      this.droppedBytes += typeof piece === "string" ? Buffer.byteLength(piece) : piece.byteLength;
      return "";
    }
    if (typeof piece === "string") return this.#bounded(this.#masked.push(piece));
    this.#decoder ??= new StringDecoder("utf8");
    return this.#bounded(this.#masked.push(this.#decoder.write(asBuffer(piece))));
  }

  /** What is left at the end: what was held back, and what there is to say about what was not kept. */
  end(stream: string): string {
    const rest = this.#bounded(this.#masked.push(this.#decoder?.end() ?? "") + this.#masked.end());
    return rest + cutNote(stream, this.droppedBytes);
  }

  #bounded(text: string): string {
    const sizeBytes = Buffer.byteLength(text);
    const roomBytes = this.#limitBytes - this.#keptBytes;
    this.#keptBytes += sizeBytes;
    if (sizeBytes <= roomBytes) return text;
    const kept = Math.max(0, roomBytes) === 0 ? "" : cutToBytes(text, roomBytes);
    this.droppedBytes += sizeBytes - Buffer.byteLength(kept);
    return kept;
  }
}

/** The line that stands where output was cut. */
export function cutNote(stream: string, droppedBytes: number): string {
  return droppedBytes === 0 ? "" : `\n[cut: ${droppedBytes} more bytes of ${stream} were not kept]\n`;
}

/** The longest beginning of a text that has at most so many bytes, without half a character at its end. */
function cutToBytes(text: string, limitBytes: number): string {
  const bytes = Buffer.from(text.slice(0, limitBytes));
  let end = Math.min(limitBytes, bytes.length);
  while (end > 0 && end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.toString("utf8", 0, end);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
