/**
 * Strings with lone surrogates. UTF-8 has no form for them; WTF-8 writes each as the three bytes its code point would
 * have. See https://simonsapin.github.io/wtf-8/.
 */

export function encodeWtf8(text: string): Buffer {
  const parts: Buffer[] = [];
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const isLone = code >= 0xd800 && code <= 0xdfff;
    parts.push(
      isLone
        ? Buffer.from([0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63)])
        : Buffer.from(character),
    );
  }
  return Buffer.concat(parts);
}

/** The text of WTF-8 bytes; undefined when they are none, or when plain UTF-8 would have been enough. */
export function decodeWtf8(bytes: Buffer): string | undefined {
  let text = "";
  let start = 0;
  for (let at = 0; at + 2 < bytes.length; at++) {
    if (bytes[at] !== 0xed || bytes[at + 1]! < 0xa0) continue;
    text += bytes.toString("utf8", start, at);
    text += String.fromCharCode(0xd000 | ((bytes[at + 1]! & 63) << 6) | (bytes[at + 2]! & 63));
    start = at + 3;
    at += 2;
  }
  text += bytes.toString("utf8", start);
  return text.isWellFormed() || !encodeWtf8(text).equals(bytes) ? undefined : text;
}
