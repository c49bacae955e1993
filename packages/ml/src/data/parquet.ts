/**
 * Reading Parquet files, one row group after the other: of a file of three million rows only one row group is in memory
 * at a time. The library (`hyparquet`) is loaded on first use.
 */
import type { ColumnData } from "hyparquet";
import { MlError } from "../ml-error.ts";
import { seededRandom } from "../random.ts";
import type { Column, Table } from "./table.ts";

/** What a cell holds here: whole numbers of 64 bits are numbers, timestamps are milliseconds since 1970 in UTC. */
export type Cell = number | string;

/** Consecutive rows of a file. */
export interface RowGroup {
  /** Number of the first row in the file, from 0. */
  readonly firstRow: number;
  readonly rows: number;
  /** Cells by column name, each list of length `rows`. */
  readonly columns: Readonly<Record<string, readonly Cell[]>>;
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
export async function parquetFacts(path: string): Promise<{ readonly rows: number; readonly columns: readonly string[] }> {
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
    if (!known.includes(name)) throw new MlError("ML_DATA_NO_COLUMN", `Cannot find column "${name}" in "${path}"`, `it has ${known.join(", ")}`);
  }
  let firstRow = 0;
  for (const { num_rows } of metadata.row_groups) {
    const rows = Number(num_rows);
    const range = { firstRow, rows };
    firstRow += rows;
    if (selection.wants !== undefined && !selection.wants(range)) continue;
    const columns: Record<string, Cell[]> = Object.fromEntries(selection.columns.map((name) => [name, []]));
    const onChunk = ({ columnName, columnData }: ColumnData): void => {
      const cells = columns[columnName]!;
      for (const value of columnData) cells.push(cellOf(value, columnName, path));
    };
    await hyparquet.parquetRead({
      file,
      metadata,
      compressors,
      columns: [...selection.columns],
      rowStart: range.firstRow,
      rowEnd: range.firstRow + rows,
      rowFormat: "object",
      onChunk,
      parsers: { timestampFromMicroseconds: (micros) => Number(micros) / 1000, timestampFromMilliseconds: Number },
    });
    yield { ...range, columns };
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

  const cells: Record<string, Cell[]> = Object.fromEntries(options.columns.map((name) => [name, []]));
  for await (const group of parquetRowGroups(path, { columns: options.columns, wants: (range) => within(range).length > 0 })) {
    for (const row of within(group)) {
      for (const name of options.columns) cells[name]!.push(group.columns[name]![row - group.firstRow]!);
    }
  }
  return Object.fromEntries(Object.entries(cells).map(([name, values]) => [name, columnOf(name, values)]));
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

function columnOf(name: string, cells: readonly Cell[]): Column {
  if (cells.every((cell) => typeof cell === "number")) return Float64Array.from(cells);
  if (cells.every((cell) => typeof cell === "string")) return cells;
  throw new MlError("ML_DATA_BAD_ARGUMENT", `Cannot use column "${name}": it holds numbers and text`);
}

function cellOf(value: unknown, column: string, path: string): Cell {
  if (typeof value === "string" || typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  throw new MlError("ML_DATA_BAD_ARGUMENT", `Cannot read column "${column}" of "${path}": it holds ${value === null ? "empty cells" : typeof value}`);
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
    throw new MlError("ML_DATA_BAD_FILE", `Cannot read "${path}" as a Parquet file`, "check the path and that the file is whole", { cause });
  }
}
