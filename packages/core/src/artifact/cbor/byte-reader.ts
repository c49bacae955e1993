/**
 * Reads the primitive items of CBOR from bytes that nobody vouches for. Every length is checked against the bytes left
 * before anything is allocated; what is no valid item is FLOW_ARTIFACT_CORRUPT with the byte where reading stopped.
 */
import { isUtf8 } from "node:buffer";
import { FlowError } from "../../errors/flow-error.ts";

/** Short strings repeat, as keys and categories do: a fixed table gives them back without making them again. */
const SHORT_TEXT = 24;
const knownTexts = new Array<string>(4096).fill("");

/** A short text is made of its codes, by length, in a half to a third of the time of a call of Buffer. */
const codesOf = Array.from({ length: SHORT_TEXT }, (_, length) => new Array<number>(length).fill(0));

export class ByteReader {
  position = 0;
  readonly end: number;
  readonly bytes: Buffer;
  private readonly view: DataView;
  private claimed = 0;

  constructor(payload: Uint8Array) {
    this.bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    this.view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    this.end = payload.byteLength;
  }

  corrupt(reason: string, cause?: unknown): never {
    throw new FlowError("FLOW_ARTIFACT_CORRUPT", {
      message: `Cannot read an artifact: corrupt at byte ${this.position}: ${reason}`,
      context: { byte: this.position },
      ...(cause === undefined ? {} : { cause }),
    });
  }

  byte(): number {
    if (this.position >= this.end) this.corrupt("it ends too early");
    return this.bytes[this.position++]!;
  }

  /** The number in or after a first byte. Beyond the safe integers it is not exact: see `bigArgument`. */
  argument(additional: number): number {
    if (additional < 24) return additional;
    switch (additional) {
      case 24:
        return this.byte();
      case 25:
        return this.uint16();
      case 26:
        return this.uint32();
      case 27:
        return this.uint32() * 0x1_0000_0000 + this.uint32();
      case 31:
        return this.corrupt("a length is indefinite");
      default:
        return this.corrupt("a length has a reserved form");
    }
  }

  /** The eight-byte argument that was just read. */
  bigArgument(): bigint {
    return this.view.getBigUint64(this.position - 8);
  }

  uint16(): number {
    this.need(2);
    this.position += 2;
    return this.view.getUint16(this.position - 2);
  }

  uint32(): number {
    this.need(4);
    this.position += 4;
    return this.view.getUint32(this.position - 4);
  }

  float16(): number {
    const bits = this.uint16();
    const exponent = (bits >> 10) & 31;
    const mantissa = bits & 1023;
    const sign = bits & 0x8000 ? -1 : 1;
    if (exponent === 0) return sign * mantissa * 2 ** -24;
    if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return sign * (1024 + mantissa) * 2 ** (exponent - 25);
  }

  float32(): number {
    this.need(4);
    this.position += 4;
    return this.view.getFloat32(this.position - 4);
  }

  float64(): number {
    this.need(8);
    this.position += 8;
    return this.view.getFloat64(this.position - 8);
  }

  /** The bytes of a string of this length: a view of the payload. */
  slice(length: number): Buffer {
    this.need(length);
    this.position += length;
    return this.bytes.subarray(this.position - length, this.position);
  }

  text(length: number): string {
    this.need(length);
    const start = this.position;
    if (length < SHORT_TEXT) {
      const { bytes } = this;
      const codes = codesOf[length]!;
      let hash = length;
      let index = 0;
      for (; index < length; index++) {
        const code = bytes[start + index]!;
        if (code > 127) break;
        codes[index] = code;
        hash = (Math.imul(hash, 31) + code) | 0;
      }
      if (index === length) {
        this.position = start + length;
        const slot = (hash >>> 4) & 4095;
        const known = knownTexts[slot]!;
        if (known.length === length && isSame(known, bytes, start)) return known;
        const text = String.fromCharCode(...codes);
        knownTexts[slot] = text;
        return text;
      }
    }
    const text = this.bytes.toString("utf8", start, start + length);
    // Invalid bytes become U+FFFD, which valid text may hold too: only then the bytes are looked at again.
    if (text.includes("\ufffd") && !isUtf8(this.bytes.subarray(start, start + length)))
      this.corrupt("a text is not UTF-8");
    this.position = start + length;
    return text;
  }

  /** The argument of an item that must be of one major type. */
  headOf(major: number): number {
    if (this.position >= this.end || (this.bytes[this.position]! & 0xe0) !== major)
      this.corrupt("an item has an unexpected type");
    return this.argument(this.byte() & 31);
  }

  /**
   * Counts the elements that a container declares. An element takes a byte, so all containers together hold no more
   * elements than the payload has bytes: containers that lie inside one another cannot make the reader allocate more.
   */
  claim(count: number): void {
    this.claimed += count;
    if (count > this.end - this.position || this.claimed > this.end) this.corrupt("an array or map runs past the end");
  }

  need(count: number): void {
    if (count > this.end - this.position) this.corrupt("it ends too early");
  }
}

function isSame(text: string, bytes: Buffer, start: number): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) !== bytes[start + index]) return false;
  return true;
}
