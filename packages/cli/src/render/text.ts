/**
 * Text for terminals: how wide it is, how to cut it, and how to show text that others wrote without letting it move the
 * cursor, retitle the window or reverse the reading direction.
 */

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with a control character.
const SGR = /\x1b\[[0-9;:]*m/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
const SGR_PARTS = /(\x1b\[[0-9;:]*m)/;
// CSI, OSC/DCS/SOS/PM/APC with their text (bounded, so that an unclosed one cannot swallow a log), and two-character escapes.
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
const ESCAPE = /\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]|\x1b/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
const CONTROL = /[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
/** Anything that `harmless` would change; most lines have none of it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
const UNSAFE = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;
/** Anything that `forTerminal` may have to change: also an escape, which may begin a colour. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
const UNSAFE_ON_TERMINAL = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;
/** Anything that `plain` would change. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
const UNSAFE_IN_LINE = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;
const RESET = "\x1b[0m";

/** Text of others as it may be printed: colours stay (when wanted), every other control sequence is made harmless. */
export function harmless(text: string, options: { readonly colours: boolean }): string {
  const clean = text
    .replace(ESCAPE, (sequence) => (options.colours && sequence.replace(SGR, "") === "" ? sequence : ""))
    .replace(CONTROL, pictureOf);
  return clean.includes("\x1b") ? clean + RESET : clean;
}

/**
 * The last wall before a terminal: whatever was not made harmless on its way moves no cursor, sets no title and turns no
 * text around. Colours stay, since they are ours as well.
 */
export function forTerminal(text: string): string {
  if (!UNSAFE_ON_TERMINAL.test(text)) return text;
  return text
    .replace(ESCAPE, (sequence) => (sequence.replace(SGR, "") === "" ? sequence : ""))
    .replace(CONTROL, pictureOf);
}

/** A line of task output: as `harmless`, tabs as spaces, and of a line redrawn with carriage returns only its last state. */
export function harmlessLine(line: string, options: { readonly colours: boolean }): string {
  if (!UNSAFE.test(line)) return line;
  const states = line.split("\r").filter((state) => state !== "");
  return harmless((states.at(-1) ?? "").replaceAll("\t", "    "), options);
}

/**
 * Text of others as a part of a line of ours: on one line, without colours. For names, tags, values and paths, which must
 * neither end the line they stand in nor hide what stands beside them.
 */
export function plain(text: string): string {
  if (!UNSAFE_IN_LINE.test(text)) return text;
  return harmless(text.replaceAll("\t", " "), { colours: false }).replaceAll("\n", "\u240a");
}

/** Lines of at most so many columns, broken between words; a word that is longer is broken where the line ends. */
export function wrapText(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  const end = (): void => {
    if (line !== "") lines.push(line);
    line = "";
  };
  for (const word of text.split(" ")) {
    if (line !== "" && displayWidth(line) + 1 + displayWidth(word) > width) end();
    if (line !== "") line += " ";
    for (const character of word) {
      if (displayWidth(line) + characterWidth(character) > width) end();
      line += character;
    }
  }
  end();
  return lines;
}

function pictureOf(character: string): string {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? "\u2421" : "\ufffd";
}

/** Columns that a text takes on a terminal. */
export function displayWidth(text: string): number {
  const plain = text.replace(SGR, "");
  if (/^[\x20-\x7e]*$/.test(plain)) return plain.length;
  let width = 0;
  for (const character of plain) width += characterWidth(character);
  return width;
}

/** Cuts a text to a number of columns, with `…` as the last one; colours inside are closed. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (width <= 0) return "";
  let used = 0;
  let out = "";
  let isColoured = false;
  // Odd parts are colour sequences, which take no room.
  for (const [index, part] of text.split(SGR_PARTS).entries()) {
    if (index % 2 === 1) {
      out += part;
      isColoured = true;
      continue;
    }
    for (const character of part) {
      used += characterWidth(character);
      if (used > width - 1) return `${out}…${isColoured ? RESET : ""}`;
      out += character;
    }
  }
  return out;
}

/** Fills a text with blanks up to a number of columns. */
export function pad(text: string, width: number, align: "left" | "right" = "left"): string {
  const blanks = " ".repeat(Math.max(0, width - displayWidth(text)));
  return align === "left" ? text + blanks : blanks + text;
}

/** `3 tasks`, `1 task`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** A time of day for progress lines, in the user's own zone: `14:02:14`. */
export function clockTime(at: Date): string {
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

/** A date with time for tables, in the user's own zone: `2026-11-21 14:02`. */
export function dateTime(at: Date | string): string {
  const date = typeof at === "string" ? new Date(at) : at;
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()]
    .map((part) => String(part).padStart(2, "0"))
    .join("-");
  return `${day} ${clockTime(date).slice(0, 5)}`;
}

/** A number of bytes for people: `512 B`, `1.5 KB`, `2.3 GB` (powers of 1,000). */
export function byteSize(bytes: number): string {
  let size = bytes;
  for (const unit of ["B", "KB", "MB", "GB"]) {
    if (size < 999.95) return unit === "B" ? `${size} B` : `${size.toFixed(1)} ${unit}`;
    size /= 1000;
  }
  return `${size.toFixed(1)} TB`;
}

// Unicode 16 East Asian Width W and F in coarse ranges, with the emoji blocks; exact widths differ between terminals anyway.
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x23e9, 0x23f3],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1faff],
  [0x20000, 0x3fffd],
];

function characterWidth(character: string): number {
  if (/^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]$/u.test(character)) return 0;
  const code = character.codePointAt(0)!;
  if (code < 0x1100) return 1;
  return WIDE.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}
