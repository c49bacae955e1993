import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { parquetFacts, parquetRowGroups, sampleParquet } from "./parquet.ts";
import { categoryColumn, numericColumn, rowCount } from "./table.ts";

const datasets = createRequire(import.meta.url).resolve("vega-datasets");
const flights = join(dirname(datasets), "..", "data", "flights-3m.parquet");

describe("reading three million flights", () => {
  it("reads the facts from the footer", async () => {
    expect(await parquetFacts(flights)).toEqual({
      rows: 3_000_000,
      columns: ["date", "delay", "distance", "origin", "destination"],
    });
  });

  it("samples the same rows for the same seed, in the order of the file", async () => {
    const options = { columns: ["date", "delay"], rows: 3, seed: 7 };
    const sample = await sampleParquet(flights, options);
    expect(rowCount(sample)).toBe(3);
    const dates = numericColumn(sample, "date");
    expect([...dates]).toEqual([...dates].sort((a, b) => a - b));
    expect(new Date(dates[0]!).getUTCFullYear()).toBe(2001);
    expect(await sampleParquet(flights, options)).toEqual(sample);
  });

  it("skips row groups that are not wanted and reads the rest as they are", async () => {
    const groups = [];
    for await (const group of parquetRowGroups(flights, {
      columns: ["delay", "origin"],
      wants: ({ firstRow }) => firstRow === 0,
    }))
      groups.push(group);
    expect(groups).toHaveLength(1);
    expect(groups[0]!.rows).toBe(272_727);
    expect(numericColumn(groups[0]!.columns, "delay").slice(0, 5)).toEqual(Float64Array.of(33, 19, 14, -13, 1));
    expect(groups[0]!.columns.origin!.slice(0, 5)).toEqual(["LAS", "ATL", "MCI", "ANC", "RIC"]);
    expect(groups[0]!.columns.origin).toHaveLength(272_727);
  });

  it("keeps text apart from numbers", async () => {
    const sample = await sampleParquet(flights, { columns: ["origin"], rows: 1, seed: 1 });
    expect(categoryColumn(sample, "origin").every((origin) => /^[A-Z]{3}$/.test(origin))).toBe(true);
  });

  it("names a missing column and a file that is no Parquet", async () => {
    await expect(sampleParquet(flights, { columns: ["dealy"], rows: 3, seed: 1 })).rejects.toThrow(
      'Cannot find column "dealy"',
    );
    await expect(parquetFacts(datasets)).rejects.toMatchObject({ code: "ML_DATA_BAD_FILE" });
    await expect(parquetFacts("/no/such/file")).rejects.toMatchObject({ code: "ML_DATA_BAD_FILE" });
  });
});
