/** Mock data: per category a linear problem of its own, with a lot of noise. */
import { concatRows, deriveSeed, makeRegression, rowCount, type Table, takeRows } from "@millrace/ml";
import type { Columns } from "./common.ts";

const CATEGORIES = ["type_0", "type_1"];
const NUMERIC = Array.from({ length: 10 }, (_, place) => `num_${place}`);

export const syntheticColumns: Columns = { numeric: NUMERIC, categorical: ["cat"], target: "target" };

/**
 * Draws rows, equally many of each category. Rows from `skip` on continue the same problem: fresh rows for a model that
 * has learnt from the first ones.
 */
export function drawRows({ rows, skip = 0, seed }: { rows: number; skip?: number; seed: number }): Table {
  const tables = CATEGORIES.map((category, place) => {
    const [first, samples] = [skip, rows].map((count) => Math.ceil(count / CATEGORIES.length)) as [number, number];
    const { table } = makeRegression({ samples: first + samples, noise: 100, seed: deriveSeed(seed, place) });
    const taken = takeRows(
      table,
      Array.from({ length: samples }, (_, row) => first + row),
    );
    return { ...taken, cat: Array.from({ length: rowCount(taken) }, () => category) };
  });
  return concatRows(tables);
}
