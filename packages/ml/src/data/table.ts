/**
 * Rows and columns as plain data: a table is an object of columns of one length, numbers as Float64Array and categories
 * as lists of text. It needs no codec, is stored column by column and reads the same in any language.
 */
import { MlError } from "../ml-error.ts";

/** Numbers or categories, one value a row. */
export type Column = Float64Array | readonly string[];

/** Columns by name, all of the same length. */
export type Table = Readonly<Record<string, Column>>;

/**
 * Number of rows.
 *
 * @throws MlError ML_DATA_BAD_ARGUMENT when the columns differ in length
 */
export function rowCount(table: Table): number {
  const lengths = Object.entries(table).map(([name, column]) => ({ name, length: column.length }));
  const first = lengths[0];
  const other = lengths.find(({ length }) => length !== first?.length);
  if (first !== undefined && other !== undefined) {
    throw new MlError(
      "ML_DATA_BAD_ARGUMENT",
      `Cannot read the table: column "${first.name}" has ${first.length} rows, column "${other.name}" has ${other.length}`,
    );
  }
  return first?.length ?? 0;
}

/** The named rows, in the order of `indexes`; a row may be named more than once. Nothing of the table is changed. */
export function takeRows<T extends Table>(table: T, indexes: ArrayLike<number>): T {
  const taken = Object.entries(table).map(([name, column]) => [name, takeValues(column, indexes)]);
  return Object.fromEntries(taken) as T;
}

/** Tables of the same columns, one below the other. */
export function concatRows(tables: readonly Table[]): Table {
  const first = tables[0] ?? {};
  return Object.fromEntries(
    Object.entries(first).map(([name, column]) => {
      if (!(column instanceof Float64Array)) return [name, tables.flatMap((table) => categoryColumn(table, name))];
      const parts = tables.map((table) => numericColumn(table, name));
      const joined = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
      let offset = 0;
      for (const part of parts) {
        joined.set(part, offset);
        offset += part.length;
      }
      return [name, joined];
    }),
  );
}

/**
 * A column of numbers by name.
 *
 * @throws MlError ML_DATA_NO_COLUMN when it is missing or holds categories
 */
export function numericColumn(table: Table, name: string): Float64Array {
  const column = findColumn(table, name);
  if (column instanceof Float64Array) return column;
  throw new MlError("ML_DATA_NO_COLUMN", `Cannot use column "${name}" as numbers: it holds categories`);
}

/**
 * A column of categories by name.
 *
 * @throws MlError ML_DATA_NO_COLUMN when it is missing or holds numbers
 */
export function categoryColumn(table: Table, name: string): readonly string[] {
  const column = findColumn(table, name);
  if (!(column instanceof Float64Array)) return column;
  throw new MlError("ML_DATA_NO_COLUMN", `Cannot use column "${name}" as categories: it holds numbers`);
}

function findColumn(table: Table, name: string): Column {
  const column = Object.hasOwn(table, name) ? table[name] : undefined;
  if (column !== undefined) return column;
  const known = Object.keys(table).map((other) => `"${other}"`);
  throw new MlError(
    "ML_DATA_NO_COLUMN",
    `Cannot find column "${name}"`,
    `the table has ${known.join(", ") || "no columns"}`,
  );
}

function takeValues(column: Column, indexes: ArrayLike<number>): Column {
  if (column instanceof Float64Array) return Float64Array.from(indexes, (index) => valueAt(column, index));
  return Array.from(indexes, (index) => valueAt(column, index));
}

function valueAt<V>(column: ArrayLike<V>, index: number): V {
  const value = column[index];
  if (value === undefined) {
    throw new MlError("ML_DATA_BAD_ARGUMENT", `Cannot take row ${index} of a table with ${column.length} rows`);
  }
  return value;
}
