/**
 * Pictures and pages that a step keeps: plots, images, reports. They are files like all others, stored as they are; what
 * they are is read from their bytes, so nothing has to be recorded besides, and a picture that was pulled still says what it shows.
 */
import { crc32 } from "node:zlib";
import { FlowError } from "../../errors/flow-error.ts";
import { fileNameProblem } from "../codec-id.ts";
import { MemoryContent } from "../files/file-content.ts";
import { StoredFile } from "../files/stored-file.ts";
import {
  type FigureType,
  figureFacts,
  JPEG_COMMENT,
  jpegSegments,
  PNG_ALT,
  PNG_MAGIC,
  pngChunks,
  svgParts,
} from "./figure-facts.ts";

/** Larger pictures are no figures: keep them with `file()`, which streams. */
const MAX_FIGURE_BYTES = 64 * 1024 * 1024;
const MAX_ALT_LENGTH = 500;

export interface FigureOptions {
  /** What it is called when it is written somewhere; default the field with the ending of its type: `scores.svg`. */
  readonly name?: string;
  /**
   * What it shows, in words, for whoever does not see it: 1 to 500 characters. It is written into the file, where other programs find it
   * too: the title of an SVG, the description of a PNG, the comment of a JPEG. A page has its own title.
   */
  readonly alt?: string;
}

/**
 * A picture or a page to keep in a field: the text of an SVG or HTML document, or the bytes of a PNG, JPEG, SVG or HTML file. `flow show`
 * names its type, width and height, `flow pull` writes it as a file with the right name.
 *
 * Equal sources give equal bytes. It is looked at whole: magic bytes, the size in px, that it is not cut short; a PNG also by its
 * checksums. An SVG with entities or scripts is refused.
 *
 * @param source at most 64 MiB
 * @throws FlowError FLOW_ARTIFACT_BAD_FILE for what is none of these, is cut short, or has no size
 * @example this.scores = figure(svg, { alt: "R² of each contender" });
 */
export function figure(source: string | Uint8Array, options: FigureOptions = {}): StoredFile {
  const given = bytesOf(source);
  const { type } = checked(given);
  const bytes = options.alt === undefined ? given : describe(given, type, checkedAlt(options.alt));
  const content = new MemoryContent(bytes);
  if (options.name === undefined) return new StoredFile(`figure.${type}`, content, { ending: type });
  const name = options.name.normalize("NFC");
  const problem = fileNameProblem(name);
  if (problem !== undefined) throw badFigure(problem);
  return new StoredFile(name, content);
}

function bytesOf(source: string | Uint8Array): Buffer {
  if (typeof source === "string") {
    if (!source.isWellFormed()) throw badFigure("the text is not well-formed Unicode");
    if (source.length > MAX_FIGURE_BYTES) throw tooLarge();
    return Buffer.from(source, "utf8");
  }
  if (!(source instanceof Uint8Array)) throw badFigure(`${typeof source} is neither a text nor bytes`);
  if (source.byteLength > MAX_FIGURE_BYTES) throw tooLarge();
  return Buffer.from(source); // A copy: the step may go on with its own.
}

function tooLarge(): FlowError {
  return badFigure("it has more than 64 MiB", 'Keep it with file("out/picture.png"), which streams it');
}

/** What a figure is, when all of it is there. */
function checked(bytes: Buffer): { readonly type: FigureType } {
  const facts = figureFacts(bytes);
  if (facts === undefined) throw badFigure("it is no PNG, JPEG, SVG or HTML");
  const { type, width } = facts;
  const problem = { png: pngProblem, jpg: jpegProblem, svg: svgProblem, html: htmlProblem }[type](bytes);
  if (problem !== undefined) throw badFigure(`the ${NAMES[type]} ${problem}`);
  if (width === undefined && type !== "html")
    throw badFigure(
      `the ${NAMES[type]} says no width and height`,
      type === "svg" ? 'Give its root element width and height, or a viewBox="0 0 640 480"' : undefined,
    );
  return facts;
}

const NAMES: Readonly<Record<FigureType, string>> = { png: "PNG", jpg: "JPEG", svg: "SVG", html: "HTML page" };
const CUT = "is cut short";

function pngProblem(bytes: Buffer): string | undefined {
  let end = PNG_MAGIC.length;
  for (const chunk of pngChunks(bytes)) {
    const sum = bytes.readUInt32BE(chunk.end - 4);
    if (crc32(bytes.subarray(chunk.start + 4, chunk.end - 4)) !== sum)
      return `is damaged: ${chunk.type} has another checksum`;
    end = chunk.end;
    if (chunk.type === "IEND") return end === bytes.length ? undefined : "goes on behind its end";
  }
  return CUT;
}

function jpegProblem(bytes: Buffer): string | undefined {
  return bytes.at(-2) === 0xff && bytes.at(-1) === 0xd9 ? undefined : CUT;
}

function svgProblem(bytes: Buffer): string | undefined {
  const text = textOf(bytes);
  if (text === undefined) return "is not written in UTF-8";
  if (/<!ENTITY/i.test(text)) return "declares entities";
  if (/<(?:\w+:)?script[\s/>]/i.test(text) || /[\s"'/]on[a-z]+\s*=|[\s"'](?:javascript|vbscript)\s*:/i.test(text))
    return "holds a script";
  if (/^[^<]*(?:<[?!][^>]*>[^<]*)*<svg\b[^>]*\/>\s*$/.test(text)) return "shows nothing";
  return /<\/svg>\s*$/.test(text.slice(-200)) ? undefined : CUT;
}

function htmlProblem(bytes: Buffer): string | undefined {
  const text = textOf(bytes);
  if (text === undefined) return "is not written in UTF-8";
  return /<\/html>\s*$/i.test(text.slice(-200)) ? undefined : CUT;
}

function textOf(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function checkedAlt(alt: string): string {
  if (
    typeof alt !== "string" ||
    alt.trim() === "" ||
    alt.length > MAX_ALT_LENGTH ||
    /\p{Cc}/u.test(alt) ||
    !alt.isWellFormed()
  )
    throw badFigure(
      "its alt is no line of 1 to 500 characters",
      'Say in a few words what it shows: figure(svg, { alt: "R² of each contender" })',
    );
  return alt.trim();
}

/** The same figure with what it shows in words, written where its format has a place for it. */
function describe(bytes: Buffer, type: FigureType, alt: string): Buffer {
  switch (type) {
    case "png": {
      const [header] = pngChunks(bytes);
      return spliced(bytes, header!.end, pngText(alt));
    }
    case "jpg": {
      // Behind the segments of programs: JFIF wants its own to be the first.
      const after = [...jpegSegments(bytes)].find(({ marker }) => marker < 0xe0 || marker > 0xef)!.start;
      const text = Buffer.from(alt, "utf8");
      const length = Buffer.alloc(2);
      length.writeUInt16BE(text.length + 2);
      return spliced(bytes, after, Buffer.concat([Buffer.from([0xff, JPEG_COMMENT]), length, text]));
    }
    case "svg": {
      const text = bytes.toString("utf8");
      const { end, title } = svgParts(text)!;
      const escaped = alt.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
      return Buffer.from(
        `${text.slice(0, end)}<title>${escaped}</title>${text.slice(end + (title?.[0].length ?? 0))}`,
        "utf8",
      );
    }
    case "html":
      throw badFigure("an HTML page takes no alt", "Give the page a <title>");
  }
}

function pngText(alt: string): Buffer {
  const body = Buffer.concat([Buffer.from(`iTXt${PNG_ALT}\0\0\0\0\0`, "latin1"), Buffer.from(alt, "utf8")]);
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(body.length - 4, 0);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), body.length + 4);
  return chunk;
}

function spliced(bytes: Buffer, at: number, more: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
}

function badFigure(reason: string, hint?: string): FlowError {
  return new FlowError("FLOW_ARTIFACT_BAD_FILE", {
    message: `Cannot keep a figure: ${reason}`,
    hint: hint ?? "Give the text of an SVG or HTML document, or the bytes of a PNG, JPEG, SVG or HTML file",
  });
}
