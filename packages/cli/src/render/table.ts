/**
 * A table of plain columns that fits the terminal. Cells may hold colours and wide characters. When the rows are too wide,
 * columns that allow it are cut, the widest first; columns that identify a row (runs, ids) are never cut.
 */
import type { Paint } from "./output.ts";
import { displayWidth, pad, truncate } from "./text.ts";

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
  /** The least width that this column may be cut to; without it the column is never cut. */
  readonly shrinkTo?: number;
}

const GAP = 2;

/** The table as text, one line per row, ending with a newline; a column whose cells are all empty is left out. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style: { readonly paint: Paint; readonly width: number },
): string {
  const kept = columns
    .map((column, index) => ({ column, index }))
    .filter(({ index }) => rows.some((row) => (row[index] ?? "") !== ""));
  const natural = kept.map(({ column, index }) =>
    rows.reduce((width, row) => Math.max(width, displayWidth(row[index] ?? "")), displayWidth(column.title)),
  );
  const widths = fit(
    natural,
    kept.map(({ column }) => column.shrinkTo),
    style.width,
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) =>
        pad(
          truncate(cell, widths[at]!),
          at === cells.length - 1 && kept[at]!.column.align !== "right" ? 0 : widths[at]!,
          kept[at]!.column.align,
        ),
      )
      .join(" ".repeat(GAP))
      .trimEnd();
  const head = style.paint.dim(line(kept.map(({ column }) => column.title)));
  return `${[head, ...rows.map((row) => line(kept.map(({ index }) => row[index] ?? "")))].join("\n")}\n`;
}

function fit(
  natural: readonly number[],
  shrinkTo: readonly (number | undefined)[],
  available: number,
): readonly number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, width) => sum + width, 0) + GAP * (widths.length - 1) - available;
  while (excess > 0) {
    let widest = -1;
    for (const [index, width] of widths.entries()) {
      const least = shrinkTo[index];
      if (least !== undefined && width > least && (widest < 0 || width > widths[widest]!)) widest = index;
    }
    if (widest < 0) break;
    widths[widest]!--;
    excess--;
  }
  return widths;
}
