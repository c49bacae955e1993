/**
 * Reading Parquet files, one row group after the other: of a file of three million rows only one row group is in memory
 * at a time. The library (`hyparquet`) is loaded on first use.
 */
import { zstdDecompressSync } from "node:zlib";
import type { ColumnData } from "hyparquet";
import { MlError } from "../ml-error.ts";
import { seededRandom } from "../random.ts";
import { type Column, concatRows, type Table, takeRows } from "./table.ts";

/** Consecutive rows of a file. */
export interface RowGroup {
  /** Number of the first row in the file, from 0. */
  readonly firstRow: number;
  readonly rows: number;
  /** The rows as a table: all numbers as Float64Array, timestamps as milliseconds since 1970 in UTC, text as it is. */
  readonly columns: Table;
}

/** Which part of a file to read. */
export interface ParquetSelection {
  /** Names of the columns; others are not read. */
  readonly columns: readonly string[];
  /** Row groups for which this gives false are not read. */
  readonly wants?: (rows: { readonly firstRow: number; readonly rows: number }) => boolean;
}

/**
 * Number of rows and names of the columns; reads the file's footer only.
 *
 * @throws MlError ML_DATA_BAD_FILE
 */
export async function parquetFacts(
  path: string,
): Promise<{ readonly rows: number; readonly columns: readonly string[] }> {
  const { metadata } = await openParquet(path);
  return { rows: Number(metadata.num_rows), columns: metadata.schema.slice(1).map((column) => column.name) };
}

/**
 * Reads a file row group by row group, in order.
 *
 * @throws MlError ML_DATA_BAD_FILE, ML_DATA_NO_COLUMN, ML_DATA_BAD_ARGUMENT for a cell that is neither number nor text
 * @example for await (const group of parquetRowGroups(path, { columns: ["delay"] })) total += group.rows;
 */
export async function* parquetRowGroups(path: string, selection: ParquetSelection): AsyncGenerator<RowGroup> {
  const { hyparquet, file, metadata } = await openParquet(path);
  const { compressors } = await import("hyparquet-compressors");
  const known = metadata.schema.slice(1).map((column) => column.name);
  for (const name of selection.columns) {
    if (!known.includes(name))
      throw new MlError("ML_DATA_NO_COLUMN", `Cannot find column "${name}" in "${path}"`, `it has ${known.join(", ")}`);
  }
  let firstRow = 0;
  for (const { num_rows } of metadata.row_groups) {
    const rows = Number(num_rows);
    const range = { firstRow, rows };
    firstRow += rows;
    if (selection.wants !== undefined && !selection.wants(range)) continue;
    const parts = new Map<string, ColumnData["columnData"][]>(selection.columns.map((name) => [name, []]));
    await hyparquet.parquetRead({
      file,
      metadata,
      // Node's own zstd takes a third of the time of the one in JavaScript.
      compressors: { ...compressors, ZSTD: (input) => zstdDecompressSync(input) },
      columns: [...selection.columns],
      rowStart: range.firstRow,
      rowEnd: range.firstRow + rows,
      rowFormat: "object",
      onChunk: ({ columnName, columnData }) => parts.get(columnName)!.push(columnData),
      parsers: { timestampFromMicroseconds: (micros) => Number(micros) / 1000, timestampFromMilliseconds: Number },
    });
    const columns = [...parts].map(([name, chunks]) => [name, columnOf(chunks, name, path)]);
    yield { ...range, columns: Object.fromEntries(columns) };
  }
}

/**
 * A seeded sample of rows, without replacement, in the order of the file. Row groups without a sampled row are skipped.
 *
 * @param path  the file
 * @param options.columns  names of the columns to read; others are not touched
 * @param options.rows  how many rows; all when the file has fewer
 * @param options.seed  the same seed gives the same rows
 * @throws MlError ML_DATA_BAD_FILE, ML_DATA_NO_COLUMN, ML_DATA_BAD_ARGUMENT
 */
export async function sampleParquet(
  path: string,
  options: { readonly columns: readonly string[]; readonly rows: number; readonly seed: number },
): Promise<Table> {
  const facts = await parquetFacts(path);
  const chosen = sampleRows(facts.rows, options.rows, options.seed);
  const within = (range: { readonly firstRow: number; readonly rows: number }): Int32Array =>
    chosen.subarray(lowerBound(chosen, range.firstRow), lowerBound(chosen, range.firstRow + range.rows));

  const wants = (range: { readonly firstRow: number; readonly rows: number }): boolean => within(range).length > 0;
  const taken: Table[] = [];
  for await (const group of parquetRowGroups(path, { columns: options.columns, wants })) {
    taken.push(
      takeRows(
        group.columns,
        within(group).map((row) => row - group.firstRow),
      ),
    );
  }
  return concatRows(taken);
}

/** `count` different row numbers in ascending order; all of them when there are not so many. */
export function sampleRows(rows: number, count: number, seed: number): Int32Array {
  return seededRandom(seed).sample(rows, Math.min(count, rows)).sort();
}

function lowerBound(ascending: Int32Array, value: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** One column of a row group. The first cell decides what the column holds; a cell of another kind is an error. */
function columnOf(chunks: readonly ColumnData["columnData"][], name: string, path: string): Column {
  const cells: ArrayLike<unknown> = chunks.length === 1 ? chunks[0]! : chunks.flatMap((chunk) => Array.from(chunk));
  const refuse = (cell: unknown): never => {
    const what = cell === null || cell === undefined ? "empty cells" : `${typeof cell} among other cells`;
    throw new MlError("ML_DATA_BAD_ARGUMENT", `Cannot read column "${name}" of "${path}": it holds ${what}`);
  };
  if (typeof cells[0] === "string") {
    for (let row = 0; row < cells.length; row++) if (typeof cells[row] !== "string") refuse(cells[row]);
    return cells as readonly string[];
  }
  const numbers = new Float64Array(cells.length);
  for (let row = 0; row < cells.length; row++) {
    const cell = cells[row];
    numbers[row] = typeof cell === "number" || typeof cell === "bigint" ? Number(cell) : refuse(cell);
  }
  return numbers;
}

type OpenParquet = {
  readonly hyparquet: typeof import("hyparquet");
  readonly file: import("hyparquet").AsyncBuffer;
  readonly metadata: import("hyparquet").FileMetaData;
};

async function openParquet(path: string): Promise<OpenParquet> {
  const hyparquet = await import("hyparquet");
  try {
    const file = await hyparquet.asyncBufferFromFile(path);
    return { hyparquet, file, metadata: await hyparquet.parquetMetadataAsync(file) };
  } catch (cause) {
    throw new MlError(
      "ML_DATA_BAD_FILE",
      `Cannot read "${path}" as a Parquet file`,
      "check the path and that the file is whole",
      { cause },
    );
  }
}
