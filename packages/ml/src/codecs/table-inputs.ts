import type { Table } from "../data/table.ts";
import { MlError } from "../ml-error.ts";
import type { SignaturePart } from "./model-codec.ts";

/**
 * What a model takes that has learnt from the columns of a table, for its signature: `flow validate` compares the tables that other runs
 * predict with (V09).
 *
 * @param columns names of the columns that the model takes, in its order; default all of the table
 * @returns for each column its name, `number` or `category`, and of categories all that are in the table
 * @throws MlError ML_DATA_NO_COLUMN
 * @example
 * const signature = { inputs: tableInputs(rows, ["distance", "weekday"]), outputs: [{ type: "number" }] };
 * this.forest = await storeModel(forest, { signature });
 */
export function tableInputs(table: Table, columns: readonly string[] = Object.keys(table)): readonly SignaturePart[] {
  return columns.map((name): SignaturePart => {
    const column = Object.hasOwn(table, name) ? table[name] : undefined;
    if (column === undefined) {
      throw new MlError(
        "ML_DATA_NO_COLUMN",
        `Cannot describe column "${name}": the table has none of this name`,
        `it has ${Object.keys(table).join(", ") || "no columns"}`,
      );
    }
    if (column instanceof Float64Array) return { name, type: "number" };
    return { name, type: "category", categories: [...new Set(column)].sort() };
  });
}
