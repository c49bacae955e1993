import type { Table } from "../data/table.ts";
import { storeModel } from "./store-model.ts";
import type { StoredModel } from "./stored-model.ts";

/**
 * Makes a file of a table that other programs read, and that a step can keep.
 *
 * @param table columns of one length
 * @param options.format `parquet` (small, slower) or `arrow` (read as fast as it is copied)
 * @returns `.load()` gives the table; `.files` has `table.parquet` or `table.arrow`
 * @throws MlError ML_LIBRARY_MISSING, ML_MODEL_NOT_STORABLE
 */
export function storeTable(
  table: Table,
  options: { readonly format: "arrow" | "parquet" },
): Promise<StoredModel<Table>> {
  return storeModel(table, { codec: options.format === "arrow" ? "arrow-columns" : "parquet" });
}
