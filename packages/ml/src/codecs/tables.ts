/**
 * Tables as Arrow or Parquet files, which other languages read. A `Table` of this package can be an artifact as it is; these are
 * for tables that leave Millrace, and Parquet for those that should be small. Dictionaries of Arrow are written as plain text: their
 * ids count up over the life of a process, and the same table would have other bytes each time.
 */
import { zstdDecompressSync } from "node:zlib";
import { type Column, rowCount, type Table } from "../data/table.ts";
import type { ModelCodec, ModelLibrary, ModelSignature, SavedModel } from "./model-codec.ts";

type Arrow = typeof import("apache-arrow");
type ArrowTable = import("apache-arrow").Table;
type Parquet = {
  readonly hyparquet: typeof import("hyparquet");
  readonly writer: typeof import("hyparquet-writer");
};

const ARROW_FILE = "table.arrow";
const PARQUET_FILE = "table.parquet";

const arrow: ModelLibrary<Arrow> = {
  package: "apache-arrow",
  range: "^21.2.0",
  from: import.meta.url,
  isFormat: true,
  import: () => import("apache-arrow"),
};

/** Tables of the library `apache-arrow`. */
export const arrowCodec: ModelCodec<ArrowTable, Arrow> = {
  id: "arrow",
  version: 1,
  library: arrow,
  tolerance: 0,
  matches: (value) => {
    if (value === null || typeof value !== "object") return false;
    const { schema, batches, getChild } = value as Readonly<Record<string, unknown>>;
    return typeof getChild === "function" && Array.isArray(batches) && typeof schema === "object";
  },
  save: async (table) => arrowFile(withoutDictionaries(table, await arrow.import())),
  load: ({ files }, library) => readArrow(files[ARROW_FILE], library),
};

/** Tables of this package as Arrow files. */
export const arrowColumnsCodec: ModelCodec<Table, Arrow> = {
  id: "arrow-columns",
  version: 1,
  library: arrow,
  tolerance: 0,
  matches: () => false,
  save: async (table) => {
    rowCount(table);
    const { Float64, Table: Build, Utf8, vectorFromArray } = await arrow.import();
    const columns = Object.entries(table).map(([name, column]) => [
      name,
      vectorFromArray(column as readonly unknown[], column instanceof Float64Array ? new Float64() : new Utf8()),
    ]);
    return arrowFile(new Build(Object.fromEntries(columns)));
  },
  load: ({ files }, library) => {
    const table = readArrow(files[ARROW_FILE], library);
    const columns = table.schema.fields.map(({ name, type }) => {
      const vector = table.getChild(name)!;
      if (library.DataType.isUtf8(type)) return [name, checkedTexts([...vector], name)];
      if (library.DataType.isFloat(type)) return [name, Float64Array.from(vector as Iterable<number>)];
      throw new TypeError(`the column "${name}" is neither numbers nor text`);
    });
    return Object.fromEntries(columns) as Table;
  },
};

/** Tables of this package as Parquet files. */
export const parquetCodec: ModelCodec<Table, Parquet> = {
  id: "parquet",
  version: 1,
  library: {
    package: "hyparquet-writer",
    range: "^0.17.0",
    alsoNeeds: { hyparquet: "^1.31.5" },
    from: import.meta.url,
    isFormat: true,
    import: loadParquet,
  },
  tolerance: 0,
  matches: () => false,
  save: async (table) => {
    const rows = rowCount(table);
    const { writer } = await loadParquet();
    const columnData = Object.entries(table).map(([name, column]) => ({
      name,
      data: column instanceof Float64Array ? column : [...column],
      type: column instanceof Float64Array ? ("DOUBLE" as const) : ("STRING" as const),
      nullable: false,
    }));
    const bytes = new Uint8Array(writer.parquetWriteBuffer({ columnData }));
    return {
      files: { [PARQUET_FILE]: bytes },
      facts: {
        className: "Table",
        parameters: { rows, columns: Object.keys(table) },
        signature: columnsSignature(
          columnData.map(({ name, type }) => ({ name, type: type === "DOUBLE" ? "float64" : "string" })),
        ),
      },
    };
  },
  load: async ({ files }, { hyparquet }) => {
    const bytes = files[PARQUET_FILE] ?? new Uint8Array(0);
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    const metadata = hyparquet.parquetMetadata(file);
    // Each row of each column takes a bit at least.
    const cells = Number(metadata.num_rows) * (metadata.schema.length - 1);
    if (!(cells >= 0 && cells <= bytes.length * 100_000)) throw new RangeError(`it counts ${cells} cells`);
    const parts = new Map<string, unknown[][]>(metadata.schema.slice(1).map(({ name }) => [name, []]));
    await hyparquet.parquetRead({
      file: { byteLength: file.byteLength, slice: async (from, to) => file.slice(from, to) },
      metadata,
      compressors: { ZSTD: (input) => zstdDecompressSync(input) },
      onChunk: ({ columnName, columnData }) => parts.get(columnName)!.push([...(columnData as Iterable<unknown>)]),
    });
    const table = Object.fromEntries(
      metadata.schema.slice(1).map(({ name, type }) => [name, columnOf(parts.get(name)!.flat(), type, name)]),
    );
    if (rowCount(table) !== Number(metadata.num_rows)) throw new RangeError("it has fewer rows than it counts");
    return table;
  },
};

async function loadParquet(): Promise<Parquet> {
  const [hyparquet, writer] = await Promise.all([import("hyparquet"), import("hyparquet-writer")]);
  return { hyparquet, writer };
}

async function arrowFile(table: ArrowTable): Promise<SavedModel> {
  const { tableToIPC } = await arrow.import();
  const columns = table.schema.fields.map(({ name }) => name);
  return {
    files: { [ARROW_FILE]: tableToIPC(table, "file") },
    facts: {
      className: "Table",
      parameters: { rows: table.numRows, columns },
      signature: columnsSignature(
        table.schema.fields.map(({ name, type }) => ({ name, type: ARROW_TYPES[String(type)] ?? String(type) })),
      ),
    },
  };
}

/** Types that both kinds of files have, by one name. */
const ARROW_TYPES: Readonly<Record<string, string>> = { Float64: "float64", Utf8: "string" };

/** A table takes nothing and gives its columns: whoever looks at it without a library sees what they are. */
function columnsSignature(columns: readonly { readonly name: string; readonly type: string }[]): ModelSignature {
  return { inputs: [], outputs: columns.map((column) => ({ ...column, shape: [null] })) };
}

function withoutDictionaries(table: ArrowTable, { DataType, Table: Build, vectorFromArray }: Arrow): ArrowTable {
  if (!table.schema.fields.some(({ type }) => DataType.isDictionary(type))) return table;
  const columns = table.schema.fields.map(({ name, type }) => {
    const vector = table.getChild(name)!;
    return [name, DataType.isDictionary(type) ? vectorFromArray([...vector], type.dictionary) : vector];
  });
  return new Build(Object.fromEntries(columns)) as unknown as ArrowTable;
}

function readArrow(bytes: Uint8Array | undefined, { tableFromIPC }: Arrow): ArrowTable {
  const magic = Buffer.from("ARROW1");
  const file = Buffer.from(bytes ?? []);
  if (file.length < 20 || !file.subarray(0, 6).equals(magic) || !file.subarray(-6).equals(magic))
    throw new TypeError("it does not begin and end as an Arrow file");
  const table = tableFromIPC(bytes!);
  for (const batch of table.batches) {
    if (batch.numRows > bytes!.length * 8) throw new RangeError(`it counts ${batch.numRows} rows`);
    for (const column of batch.data.children) checkColumn(column);
  }
  return table;
}

/** The library believes lengths: offsets must rise and end within the text, and numbers must be there. */
function checkColumn(column: object): void {
  const { length, valueOffsets, values, children } = column as {
    readonly length: number;
    readonly valueOffsets?: Int32Array;
    readonly values?: ArrayLike<unknown>;
    readonly children: readonly unknown[];
  };
  if (valueOffsets !== undefined && valueOffsets.length > 0) {
    if (valueOffsets.length < length + 1) throw new RangeError("a column has fewer rows than it counts");
    for (let row = 0; row < length; row++)
      if (valueOffsets[row + 1]! < valueOffsets[row]!) throw new RangeError("its texts have no order");
    if (valueOffsets[length]! > (values?.length ?? 0)) throw new RangeError("a text ends after the file");
  } else if (values !== undefined && children.length === 0 && values.length * 64 < length) {
    throw new RangeError("a column has fewer rows than it counts");
  }
}

function columnOf(cells: readonly unknown[], type: string | undefined, name: string): Column {
  if (type !== "DOUBLE") return checkedTexts(cells, name);
  if (!cells.every((cell) => typeof cell === "number"))
    throw new TypeError(`"${name}" holds other things than numbers`);
  return Float64Array.from(cells as readonly number[]);
}

function checkedTexts(cells: readonly unknown[], name: string): readonly string[] {
  if (!cells.every((cell) => typeof cell === "string")) throw new TypeError(`"${name}" holds other things than text`);
  return cells as readonly string[];
}
