/** A number of bytes as users write it: a number and a unit, decimal (`MB`) or binary (`MiB`). */
export type ByteSize = `${number}${"B" | "KB" | "MB" | "GB" | "TB" | "KiB" | "MiB" | "GiB" | "TiB"}`;

const UNIT_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** Bytes of a size such as `"256MB"`; undefined when the text is not one. */
export function parseByteSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s?(B|[KMGT]i?B)$/.exec(text);
  return match === null ? undefined : Math.round(Number(match[1]) * UNIT_BYTES[match[2]!]!);
}
