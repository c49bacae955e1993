/** Lines of JSON: one value a line, keys sorted, no white space, so that equal values are equal bytes. */
import type * as z from "zod";
import { canonicalJson } from "../metadata/canonical-json.ts";
import { MAX_JSON_DEPTH, MAX_LINE_BYTES } from "./limits.ts";

/** A line as bytes; undefined when it would be larger than a reader takes. */
export function encodeLine(value: unknown): Uint8Array | undefined {
  const bytes = Buffer.from(`${canonicalJson(value, "a line")}\n`);
  return bytes.length > MAX_LINE_BYTES ? undefined : bytes;
}

/** Something in a file that is not as it must be; whoever reads the file says where it stands. */
export class BadContent extends Error {}

/**
 * Cuts bytes that come piece by piece into lines, with bounded memory.
 *
 * @throws BadContent for a line that is too long or has no end
 */
export function* splitLines(pieces: Iterable<Uint8Array>): Generator<string, void> {
  let open: Uint8Array[] = [];
  let openBytes = 0;
  for (const piece of pieces) {
    let from = 0;
    for (let end = piece.indexOf(10); end >= 0; end = piece.indexOf(10, from)) {
      const part = piece.subarray(from, end);
      if (openBytes + part.length > MAX_LINE_BYTES) throw new BadContent("a line in it is too long");
      const line = openBytes === 0 ? part : Buffer.concat([...open, part]);
      open = [];
      openBytes = 0;
      from = end + 1;
      yield decodeText(line);
    }
    if (from === piece.length) continue;
    open.push(Uint8Array.from(piece.subarray(from))); // A copy (`slice` of a Buffer is none): the piece is used again.
    openBytes += piece.length - from;
    if (openBytes > MAX_LINE_BYTES) throw new BadContent("a line in it is too long");
  }
  if (openBytes > 0) throw new BadContent("its last line has no end");
}

const strictText = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function decodeText(bytes: Uint8Array): string {
  try {
    return strictText.decode(bytes);
  } catch {
    throw new BadContent("it holds bytes that are no UTF-8");
  }
}

/**
 * Reads a line by its shape.
 *
 * @throws BadContent naming the field
 */
export function parseLine<T>(line: string, shape: z.ZodType<T>): T {
  return checkShape(parseJson(line), shape);
}

/** JSON that is not deeper than MAX_JSON_DEPTH: whoever walks it may call itself. */
export function parseJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BadContent("a line in it is no JSON");
  }
  checkDepth(value);
  return value;
}

export function checkShape<T>(value: unknown, shape: z.ZodType<T>): T {
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place =
    issue === undefined || issue.path.length === 0 ? "a line" : JSON.stringify(issue.path.join(".").slice(0, 200));
  throw new BadContent(`${place} in it is not as it must be (${(issue?.message ?? "").slice(0, 200)})`);
}

/** Level by level, without recursion: the depth is what is to be found out. */
function checkDepth(value: unknown): void {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_JSON_DEPTH) throw new BadContent(`values in it are more than ${MAX_JSON_DEPTH} levels deep`);
    const next: unknown[] = [];
    for (const item of level) {
      if (typeof item !== "object" || item === null) continue;
      for (const part of Array.isArray(item) ? item : Object.values(item)) {
        if (typeof part === "object" && part !== null) next.push(part);
      }
    }
    level = next;
  }
}
