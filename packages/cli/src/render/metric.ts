/** Numbers and series of metrics as text. */

/** A value as a table shows it: at most six digits that count, `1.5e-7` where that is shorter. */
export function metricText(value: number | string | undefined): string {
  if (value === undefined) return "";
  const number = Number(value);
  if (!Number.isFinite(number)) return String(number);
  return Number.isInteger(number) && Math.abs(number) < 1e15 ? String(number) : String(Number(number.toPrecision(6)));
}

const BARS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/**
 * A series as a line of bars, from its lowest to its highest value. Longer ones are cut into as many pieces as there are
 * columns, each shown by its mean; where a piece has no finite value there is a blank.
 */
export function sparkline(values: readonly number[], columns: number): string {
  const width = Math.min(columns, values.length);
  const means = Array.from({ length: width }, (_, at) => {
    const from = Math.floor((at * values.length) / width);
    const piece = values.slice(from, Math.floor(((at + 1) * values.length) / width)).filter(Number.isFinite);
    // Divided first: a sum of large values would be infinite.
    return piece.length === 0 ? Number.NaN : piece.reduce((sum, value) => sum + value / piece.length, 0);
  });
  const finite = means.filter((mean) => !Number.isNaN(mean));
  const low = Math.min(...finite);
  const span = Math.max(...finite) / 2 - low / 2; // halves, which cannot overflow
  return means
    .map((mean) => {
      if (Number.isNaN(mean)) return " ";
      if (span === 0) return BARS[3]!;
      return BARS[Math.min(BARS.length - 1, Math.floor(((mean / 2 - low / 2) / span) * BARS.length))]!;
    })
    .join("");
}
