/**
 * A growing buffer that writes the primitive items of CBOR in their one deterministic form: shortest heads, shortest
 * float that keeps the value, one NaN. Large byte strings are not copied: they are noted as insertions, and `take` cuts
 * the buffer around them. Shared references are insertions too, since what is shared is known only at the end.
 */
import { FlowError } from "../../errors/flow-error.ts";
import { MAJOR, SIMPLE, TAG } from "./tags.ts";
import { encodeWtf8 } from "./wtf8.ts";

/** Byte strings from here on are given out as they are, not copied. */
export const SPLICE_BYTES = 64 * 1024;

/** A buffer that grew beyond this is not kept for the next value. */
const KEPT_BYTES = 64 * 1024 * 1024;

/** What stands at a position without being in the buffer: foreign bytes, or a reference to the value that began at `target`. */
export type Insertion =
  | { readonly kind: "bytes"; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: "reference"; readonly at: number; readonly target: number };

const float32 = new Float32Array(1);
const float32Bits = new Uint32Array(float32.buffer);

export class ByteWriter {
  /** Where the next byte goes. Who writes single bytes must have reserved them. */
  position = 0;
  buffer: Buffer<ArrayBuffer>;
  maxBytes = Number.POSITIVE_INFINITY;
  insertions: Insertion[] | undefined;
  private view: DataView;
  private capacity: number;
  private insertedBytes = 0;

  constructor(capacity: number) {
    this.buffer = Buffer.allocUnsafeSlow(capacity);
    this.view = new DataView(this.buffer.buffer);
    this.capacity = capacity;
  }

  /** Makes room for `count` bytes. */
  reserve(count: number): void {
    if (this.position + count > this.capacity) this.grow(count);
  }

  /** The first bytes of an item; nine must be reserved. */
  head(major: number, argument: number): void {
    const buffer = this.buffer;
    if (argument < 24) buffer[this.position++] = major | argument;
    else if (argument < 0x100) {
      buffer[this.position++] = major | 24;
      buffer[this.position++] = argument;
    } else if (argument < 0x10000) {
      buffer[this.position++] = major | 25;
      buffer[this.position++] = argument >> 8;
      buffer[this.position++] = argument;
    } else if (argument < 0x1_0000_0000) {
      buffer[this.position++] = major | 26;
      this.view.setUint32(this.position, argument);
      this.position += 4;
    } else {
      buffer[this.position++] = major | 27;
      this.view.setUint32(this.position, Math.floor(argument / 0x1_0000_0000));
      this.view.setUint32(this.position + 4, argument >>> 0);
      this.position += 8;
    }
  }

  tag(number: number): void {
    this.reserve(9);
    this.head(MAJOR.tag, number);
  }

  simple(byte: number): void {
    this.reserve(1);
    this.buffer[this.position++] = byte;
  }

  /** A Number; nine bytes must be reserved. Safe integers are integers, all others and -0 are floats. */
  number(value: number): void {
    if ((value | 0) === value && (value !== 0 || 1 / value > 0)) {
      if (value >= 0) this.head(MAJOR.unsigned, value);
      else this.head(MAJOR.negative, -1 - value);
    } else if (value !== 0 && Number.isSafeInteger(value)) {
      if (value > 0) this.head(MAJOR.unsigned, value);
      else this.head(MAJOR.negative, -1 - value);
    } else this.float(value);
  }

  text(value: string): void {
    const length = value.length;
    if (length < 48) {
      // Most keys and short texts are ASCII: they are written without asking for their length in bytes first.
      this.reserve(50);
      const buffer = this.buffer;
      let at = this.position;
      if (length < 24) buffer[at++] = MAJOR.text | length;
      else {
        buffer[at++] = MAJOR.text | 24;
        buffer[at++] = length;
      }
      let index = 0;
      for (; index < length; index++) {
        const code = value.charCodeAt(index);
        if (code > 127) break;
        buffer[at++] = code;
      }
      if (index === length) {
        this.position = at;
        return;
      }
    }
    const byteLength = Buffer.byteLength(value);
    if (byteLength !== length && !value.isWellFormed()) {
      this.tag(TAG.wtf8);
      this.byteString(encodeWtf8(value));
      return;
    }
    this.reserve(byteLength + 9);
    this.head(MAJOR.text, byteLength);
    this.position += this.buffer.write(value, this.position, byteLength, byteLength === length ? "latin1" : "utf8");
  }

  byteString(bytes: Uint8Array): void {
    this.reserve(9);
    this.head(MAJOR.bytes, bytes.length);
    this.raw(bytes);
  }

  /** Bytes without a head; large ones are not copied. */
  raw(bytes: Uint8Array): void {
    if (bytes.length >= SPLICE_BYTES) {
      this.insertedBytes += bytes.length;
      this.checkSize(0);
      this.insertions ??= [];
      this.insertions.push({ kind: "bytes", at: this.position, bytes });
      return;
    }
    this.copy(bytes);
  }

  /** Bytes without a head, copied whatever their number. */
  copy(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.position);
    this.position += bytes.length;
  }

  /** A BigInt: an eight-byte integer beyond the safe Numbers (no Number is written so), else tag 2 or 3. */
  bigint(value: bigint): void {
    const isNegative = value < 0n;
    const magnitude = isNegative ? -1n - value : value;
    this.reserve(12);
    if (magnitude >= (isNegative ? 2n ** 53n - 1n : 2n ** 53n) && magnitude < 2n ** 64n) {
      this.buffer[this.position++] = (isNegative ? MAJOR.negative : MAJOR.unsigned) | 27;
      this.view.setBigUint64(this.position, magnitude);
      this.position += 8;
      return;
    }
    const hex = magnitude === 0n ? "" : magnitude.toString(16);
    this.head(MAJOR.tag, isNegative ? TAG.negativeBigInt : TAG.positiveBigInt);
    this.byteString(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex"));
  }

  /** Notes that the value which began at `target` occurs here again. */
  reference(target: number): void {
    this.insertions ??= [];
    this.insertions.push({ kind: "reference", at: this.position, target });
  }

  /** What was written, as chunks that no later writing changes, and an empty writer. */
  take(): Uint8Array[] {
    const chunks =
      this.insertions === undefined
        ? [Buffer.from(this.buffer.subarray(0, this.position))]
        : assemble(this.buffer.subarray(0, this.position), this.insertions);
    this.reset();
    return chunks;
  }

  reset(): void {
    this.position = 0;
    this.insertions = undefined;
    this.insertedBytes = 0;
    if (this.capacity > KEPT_BYTES) this.replaceBuffer(Buffer.allocUnsafeSlow(SPLICE_BYTES));
  }

  private float(value: number): void {
    float32[0] = value;
    const single = float32[0];
    const buffer = this.buffer;
    if (Number.isNaN(value)) {
      buffer[this.position] = SIMPLE.float16;
      this.view.setUint16(this.position + 1, 0x7e00);
      this.position += 3;
    } else if (single !== value) {
      buffer[this.position] = SIMPLE.float64;
      this.view.setFloat64(this.position + 1, value);
      this.position += 9;
    } else {
      const bits = float32Bits[0]!;
      const half = halfOf(bits);
      if (half < 0) {
        buffer[this.position] = SIMPLE.float32;
        this.view.setUint32(this.position + 1, bits);
        this.position += 5;
      } else {
        buffer[this.position] = SIMPLE.float16;
        this.view.setUint16(this.position + 1, half);
        this.position += 3;
      }
    }
  }

  private grow(count: number): void {
    this.checkSize(count);
    const larger = Buffer.allocUnsafeSlow(Math.max(this.capacity * 2, this.position + count));
    this.buffer.copy(larger, 0, 0, this.position);
    this.replaceBuffer(larger);
  }

  private replaceBuffer(buffer: Buffer<ArrayBuffer>): void {
    this.buffer = buffer;
    this.view = new DataView(buffer.buffer);
    this.capacity = buffer.length;
  }

  /** Checked whenever memory is about to be taken, so that a value far over the limit stops early. */
  private checkSize(count: number): void {
    if (this.position + this.insertedBytes + count > this.maxBytes + SPLICE_BYTES) throw tooLarge(this.maxBytes);
  }
}

export function tooLarge(maxBytes: number): FlowError {
  return new FlowError("FLOW_ARTIFACT_TOO_LARGE", {
    message: `Cannot save a value: its encoding is larger than the limit of ${maxBytes} bytes`,
    hint: "Split it into several artifacts",
    context: { maxBytes },
  });
}

/** Bits of the half float that equals a finite or infinite single; -1 when none does. */
function halfOf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  const mantissa = bits & 0x7fffff;
  if (exponent === 0xff) return sign | 0x7c00;
  if (exponent === 0 && mantissa === 0) return sign;
  if (exponent >= 113 && exponent <= 142)
    return (mantissa & 0x1fff) === 0 ? sign | ((exponent - 112) << 10) | (mantissa >> 13) : -1;
  if (exponent < 103 || exponent > 142) return -1;
  const shift = 126 - exponent; // A subnormal half keeps the leading one as a bit of its mantissa.
  const full = mantissa | 0x800000;
  return (full & ((1 << shift) - 1)) === 0 ? sign | (full >> shift) : -1;
}

/**
 * Cuts the buffer around foreign bytes, writes the references, and puts tag 28 before every value that one of them
 * means, numbered in order of appearance.
 */
function assemble(source: Buffer, insertions: readonly Insertion[]): Uint8Array[] {
  const targets = new Set<number>();
  for (const insertion of insertions) if (insertion.kind === "reference") targets.add(insertion.target);
  const marks = [...targets].sort((left, right) => left - right);
  const numberOf = new Map(marks.map((at, index) => [at, index]));

  const out = new ByteWriter(source.length + insertions.length * 7 + marks.length * 2 + 16);
  const chunks: Uint8Array[] = [];
  let copiedTo = 0;
  let chunkStart = 0;
  let nextMark = 0;
  const copyTo = (end: number) => {
    source.copy(out.buffer, out.position, copiedTo, end);
    out.position += end - copiedTo;
    copiedTo = end;
  };
  // A mark at the very place of an insertion belongs to the value after it: nothing can be inserted at a value's first byte.
  const markBefore = (end: number) => {
    for (; nextMark < marks.length && marks[nextMark]! < end; nextMark++) {
      copyTo(marks[nextMark]!);
      out.head(MAJOR.tag, TAG.shared);
    }
  };
  for (const insertion of insertions) {
    markBefore(insertion.at);
    copyTo(insertion.at);
    if (insertion.kind === "bytes") {
      chunks.push(out.buffer.subarray(chunkStart, out.position), insertion.bytes);
      chunkStart = out.position;
    } else {
      out.head(MAJOR.tag, TAG.reference);
      out.head(MAJOR.unsigned, numberOf.get(insertion.target)!);
    }
  }
  markBefore(Number.POSITIVE_INFINITY);
  copyTo(source.length);
  chunks.push(out.buffer.subarray(chunkStart, out.position));
  return chunks.filter((chunk) => chunk.length > 0);
}
