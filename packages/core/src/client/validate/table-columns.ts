/** What the columns of a table are, and what a model takes: as far as values say it themselves, without the library that made them. */
import { isStoredInstance } from "../../artifact/cbor/kept-values.ts";

export type ColumnKind = "number" | "category" | "boolean" | "mixed";

export interface TableColumn {
  /** Undefined where no value says it: a column without rows, or of nothing but null. */
  readonly kind?: ColumnKind;
  /** Of a column of categories: the distinct ones. */
  readonly levels?: ReadonlySet<string>;
}

export interface WantedColumn {
  readonly name: string;
  /** Undefined where the signature calls its type something that is not known here. */
  readonly kind?: ColumnKind;
  /** The categories that it has learnt. */
  readonly levels?: readonly string[];
}

/** The columns that a model takes. */
export interface WantedColumns {
  readonly columns: readonly WantedColumn[];
  /** Whether it takes its columns by name out of a larger table. */
  readonly picks: boolean;
}

/** Names that signatures have for what a column holds. */
const KINDS: readonly (readonly [RegExp, ColumnKind])[] = [
  [/^(?:numbers?|numeric|float\d*|double|u?int\d*|integer)$/i, "number"],
  [/^(?:categor(?:y|ical)|strings?|text|utf-?8)$/i, "category"],
  [/^bool(?:ean)?$/i, "boolean"],
];

/** What a stored model or a fitted feature engineer takes by name; undefined for everything else. */
export function wantedColumns(value: unknown): WantedColumns | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const data = (isStoredInstance(value) ? value.data : value) as Readonly<Record<string, unknown>> | null;
  if (typeof data !== "object" || data === null) return undefined;
  const { numeric, categorical, categories } = data;
  if (isTexts(numeric) && isTexts(categorical) && Array.isArray(categories)) {
    const learnt = (place: number) => (isTexts(categories[place]) ? { levels: categories[place] } : {});
    return {
      picks: true,
      columns: [
        ...numeric.map((name): WantedColumn => ({ name, kind: "number" })),
        ...categorical.map((name, place): WantedColumn => ({ name, kind: "category", ...learnt(place) })),
      ],
    };
  }
  const inputs = (data.facts as { readonly signature?: { readonly inputs?: unknown } } | undefined)?.signature?.inputs;
  if (!Array.isArray(inputs) || inputs.length === 0) return undefined;
  const columns = inputs.map((input: unknown): WantedColumn | undefined => {
    const { name, type, categories: levels } = Object(input) as Readonly<Record<string, unknown>>;
    if (typeof name !== "string") return undefined;
    const kind = KINDS.find(([pattern]) => pattern.test(String(type)))?.[1];
    return { name, ...(kind === undefined ? {} : { kind }), ...(isTexts(levels) ? { levels } : {}) };
  });
  // Places without names say nothing about tables.
  return columns.every((column) => column !== undefined) ? { picks: false, columns } : undefined;
}

/** The columns of a table: an object of columns of one length, or a list of rows. Undefined for what is neither. */
export function tableColumns(value: unknown): ReadonlyMap<string, TableColumn> | undefined {
  if (Array.isArray(value)) return rowColumns(value);
  if (!isPlain(value)) return undefined;
  const entries = Object.entries(value);
  const lengths = new Set(entries.map(([, column]) => lengthOf(column)));
  if (entries.length === 0 || lengths.size !== 1 || lengths.has(undefined)) return undefined;
  return new Map(entries.map(([name, column]) => [name, describe(column as ArrayLike<unknown>)]));
}

function rowColumns(rows: readonly unknown[]): ReadonlyMap<string, TableColumn> | undefined {
  if (rows.length === 0 || !rows.every(isPlain)) return undefined;
  const names = new Set(rows.flatMap((row) => Object.keys(row)));
  return new Map([...names].map((name) => [name, describe(rows.map((row) => row[name]))]));
}

function describe(column: ArrayLike<unknown>): TableColumn {
  if (ArrayBuffer.isView(column)) return { kind: "number" };
  const kinds = new Set<ColumnKind>();
  const levels = new Set<string>();
  for (const value of Array.from(column)) {
    if (typeof value === "string") levels.add(value);
    if (value === null || value === undefined) continue; // Of whatever kind the others are.
    kinds.add(
      typeof value === "string"
        ? "category"
        : typeof value === "number" || typeof value === "bigint"
          ? "number"
          : typeof value === "boolean"
            ? "boolean"
            : "mixed",
    );
  }
  const [kind] = kinds;
  if (kind === undefined) return {}; // No value says of which kind it is.
  if (kinds.size !== 1) return { kind: "mixed" };
  return kind === "category" ? { kind, levels } : { kind };
}

function lengthOf(column: unknown): number | undefined {
  if (Array.isArray(column)) return column.length;
  return ArrayBuffer.isView(column) && !(column instanceof DataView)
    ? (column as unknown as ArrayLike<unknown>).length
    : undefined;
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}
