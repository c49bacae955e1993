/**
 * What a picture says of itself, read from the beginning of its bytes and without a library: its type by its magic bytes, its
 * width and height, and its description. The bytes may be anybody's: every length is checked against what is there, each
 * step goes forward, and nothing is unpacked.
 */

/** Types of pictures and pages that are known, by the ending of their files. */
export const FIGURE_TYPES = ["png", "jpg", "svg", "html"] as const;
export type FigureType = (typeof FIGURE_TYPES)[number];

export interface FigureFacts {
  readonly type: FigureType;
  /** In px. Absent for a page, and where it lies behind what was read. */
  readonly width?: number;
  readonly height?: number;
  /** What it shows, in words: the title of an SVG or a page, the description of a PNG, the comment of a JPEG. */
  readonly alt?: string;
}

/** As much of a figure as is needed to read its facts; only the profiles of a JPEG may be longer. */
export const FIGURE_HEAD_BYTES = 256 * 1024;
const MAX_ALT_LENGTH = 1_000;

/** The facts of a figure; undefined for bytes that are none. Never throws. */
export function figureFacts(bytes: Uint8Array): FigureFacts | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, FIGURE_HEAD_BYTES));
  if (head.subarray(0, 8).equals(PNG_MAGIC)) return pngFacts(head);
  // A JPEG may have any number of profiles before its size, so it is read as far as it goes.
  if (head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff)
    return jpegFacts(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const text = head.toString("utf8");
  return svgFacts(text) ?? htmlFacts(text);
}

export const PNG_MAGIC = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** Keyword of the text chunk that holds the description, as the PNG specification names it. */
export const PNG_ALT = "Description";

/** A part of a PNG: four bytes of length, four of type, what it holds, and a checksum. */
export interface PngChunk {
  readonly type: string;
  readonly data: Buffer;
  /** Where its length begins, and where the next chunk does. */
  readonly start: number;
  readonly end: number;
}

/** The chunks that are there as a whole. */
export function* pngChunks(bytes: Buffer): Generator<PngChunk, void> {
  for (let start = PNG_MAGIC.length; start + 12 <= bytes.length; ) {
    const end = start + 12 + bytes.readUInt32BE(start);
    if (end > bytes.length) return;
    yield {
      type: bytes.toString("latin1", start + 4, start + 8),
      data: bytes.subarray(start + 8, end - 4),
      start,
      end,
    };
    start = end;
  }
}

function pngFacts(bytes: Buffer): FigureFacts {
  let size: Pick<FigureFacts, "width" | "height"> = {};
  for (const { type, data } of pngChunks(bytes)) {
    if (type === "IHDR" && data.length === 13) size = sizeOf(data.readUInt32BE(0), data.readUInt32BE(4));
    else if (type === "iTXt" && data.toString("latin1", 0, PNG_ALT.length + 1) === `${PNG_ALT}\0`) {
      // Behind the keyword: whether it is compressed, how, a language and a keyword in it, both ended by a zero.
      const language = data.indexOf(0, PNG_ALT.length + 3);
      const translated = language < 0 ? -1 : data.indexOf(0, language + 1);
      if (data[PNG_ALT.length + 1] === 0 && translated >= 0)
        return { type: "png", ...size, ...altOf(data.toString("utf8", translated + 1)) };
    }
  }
  return { type: "png", ...size };
}

/** A segment of a JPEG before its picture. */
export interface JpegSegment {
  readonly marker: number;
  readonly data: Buffer;
  readonly start: number;
}

/** The segments before the compressed picture, as far as they are there. */
export function* jpegSegments(bytes: Buffer): Generator<JpegSegment, void> {
  for (let at = 2; at + 4 <= bytes.length; ) {
    if (bytes[at] !== 0xff) return;
    const marker = bytes[at + 1]!;
    if (marker === 0xff)
      at++; // Filled up.
    else {
      const length = bytes.readUInt16BE(at + 2);
      if (length < 2 || at + 2 + length > bytes.length) return;
      yield { marker, data: bytes.subarray(at + 4, at + 2 + length), start: at };
      if (marker === 0xda) return; // The picture begins.
      at += 2 + length;
    }
  }
}

/** Markers of frames among 0xc0 to 0xcf; the others are tables. */
const NO_FRAMES: readonly number[] = [0xc4, 0xc8, 0xcc];
export const JPEG_COMMENT = 0xfe;

function jpegFacts(bytes: Buffer): FigureFacts {
  let alt: Pick<FigureFacts, "alt"> = {};
  for (const { marker, data } of jpegSegments(bytes)) {
    if (marker === JPEG_COMMENT && alt.alt === undefined) alt = altOf(data.toString("utf8"));
    if (marker >= 0xc0 && marker <= 0xcf && !NO_FRAMES.includes(marker) && data.length >= 6)
      return { type: "jpg", ...sizeOf(data.readUInt16BE(3), data.readUInt16BE(1)), ...alt };
  }
  return { type: "jpg", ...alt };
}

/** What may stand before the first element: a mark of the encoding, declarations, comments, a document type. */
const PROLOG = /^\ufeff?(?:\s|<\?[^>]*\?>|<!--(?:[^-]|-(?!->))*-->|<!DOCTYPE\s+svg[^>[]*>)*/;
const SVG_TAG = /^<svg(?=[\s>])(?:[^>"']|"[^"]*"|'[^']*')*>/;
const SVG_TITLE = /^\s*<title(?:\s[^<>]*)?>([^<]*)<\/title>/;

/** Where the root element of an SVG begins and ends, and its title if that comes first. Undefined for other texts. */
export function svgParts(
  text: string,
): { readonly tag: string; readonly end: number; readonly title?: RegExpExecArray } | undefined {
  const start = PROLOG.exec(text)?.[0].length ?? 0;
  const tag = SVG_TAG.exec(text.slice(start, start + FIGURE_HEAD_BYTES))?.[0];
  if (tag === undefined) return undefined;
  const end = start + tag.length;
  const title = SVG_TITLE.exec(text.slice(end, end + 4 * MAX_ALT_LENGTH)) ?? undefined;
  return { tag, end, ...(title === undefined ? {} : { title }) };
}

function svgFacts(text: string): FigureFacts | undefined {
  const parts = svgParts(text);
  if (parts === undefined) return undefined;
  const attributes = new Map<string, string>();
  for (const [, name, double, single] of parts.tag.matchAll(/\s([\w:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g))
    attributes.set(name!, double ?? single!);
  const [width, height] = ["width", "height"].map((name) => pixels(attributes.get(name)));
  const [, , viewWidth, viewHeight] = (attributes.get("viewBox") ?? "")
    .trim()
    .split(/[\s,]+/)
    .map(Number);
  return {
    type: "svg",
    ...sizeOf(width ?? viewWidth ?? 0, height ?? viewHeight ?? 0),
    ...altOf(unescaped(parts.title?.[1] ?? "")),
  };
}

/** A length in px; undefined for one in other units, such as `100%`. */
function pixels(length: string | undefined): number | undefined {
  const number = /^\s*(\d+(?:\.\d+)?)(?:px)?\s*$/.exec(length ?? "")?.[1];
  return number === undefined ? undefined : Number(number);
}

function htmlFacts(text: string): FigureFacts | undefined {
  const start = PROLOG.exec(text)?.[0].length ?? 0;
  if (!/^<(?:!doctype\s+html|html)(?=[\s>])/i.test(text.slice(start, start + 100))) return undefined;
  const title = /<title(?:\s[^<>]*)?>([^<]*)<\/title>/i.exec(text)?.[1] ?? "";
  return { type: "html", ...altOf(unescaped(title)) };
}

function sizeOf(width: number, height: number): Pick<FigureFacts, "width" | "height"> {
  const isSize = [width, height].every((length) => length > 0 && length < 2 ** 31);
  return isSize ? { width, height } : {};
}

function altOf(text: string): Pick<FigureFacts, "alt"> {
  const alt = text.trim().slice(0, MAX_ALT_LENGTH);
  return alt === "" ? {} : { alt };
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", apos: "'" };

function unescaped(text: string): string {
  return text.replaceAll(/&(#39|[a-z]+);/g, (whole, name: string) => ENTITIES[name] ?? whole);
}
