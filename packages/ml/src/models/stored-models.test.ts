import { beforeAll, describe, expect, it } from "vitest";
// The encoding is no public API; the registry of classes is one for the process, whichever copy of core is loaded.
import { decodeValue, encodeValue } from "../../../core/src/artifact/value-codec.ts";
import { makeRegression } from "../data/make-regression.ts";
import { numericColumn, type Table } from "../data/table.ts";
import { FeatureEngineer } from "../features/feature-engineer.ts";
import type { FeatureMatrix } from "../features/feature-matrix.ts";
import { Modeler } from "./modeler.ts";

const { table } = makeRegression({ samples: 200, seed: 4 });
const rows: Table = { ...table, cat: Array.from({ length: 200 }, (_, row) => (row % 3 === 0 ? "a" : "b")) };
const columns = { numeric: ["num_0", "num_1", "num_2", "num_3"], categorical: ["cat"] };

let features: FeatureMatrix;

beforeAll(() => {
  features = new FeatureEngineer(columns).fitTransform(rows);
});

function throughStore<T>(value: T): { readonly value: T; readonly digest: string } {
  const encoded = encodeValue(value);
  return { value: decodeValue(encoded.codec, Buffer.concat(encoded.chunks)) as T, digest: encoded.digest };
}

describe.each(["RandomForest", "GradientBoosting"])("a stored %s", (model) => {
  const fit = (): Promise<Modeler> =>
    new Modeler({ contender: { model, "init.iterations": 9 }, mode: "test" }).fit(
      features,
      numericColumn(rows, "target"),
    );

  it("predicts exactly what it predicted before", async () => {
    const modeler = await fit();
    const stored = throughStore(modeler);
    expect(stored.value).toBeInstanceOf(Modeler);
    expect(stored.value).not.toBe(modeler);
    expect(stored.value.modelName).toBe(model);
    expect(await stored.value.predict(features)).toEqual(await modeler.predict(features));
    expect(new Set(await modeler.predict(features)).size).toBeGreaterThan(10);
  });

  it("is stored again in the same bytes, also after it was used", async () => {
    const first = throughStore(await fit());
    await first.value.predict(features);
    const second = throughStore(first.value);
    expect(second.digest).toBe(first.digest);
    expect(throughStore(second.value).digest).toBe(first.digest);
  });

  it("fitted again from the same seed has the same digest", async () => {
    expect(throughStore(await fit()).digest).toBe(throughStore(await fit()).digest);
  });
});

describe("a stored FeatureEngineer", () => {
  it("makes the same features and is stored again in the same bytes", () => {
    const engineer = new FeatureEngineer(columns).fit(rows);
    const stored = throughStore(engineer);
    expect(stored.value.transform(rows)).toEqual(features);
    expect(throughStore(stored.value).digest).toBe(stored.digest);
    expect(throughStore(new FeatureEngineer(columns)).digest).not.toBe(stored.digest);
  });

  it("keeps the feature matrix itself to the last bit", () => {
    expect(throughStore(features).value).toEqual(features);
  });
});
