/** Models of `ml-xgboost`: XGBoost's own binary file, which other bindings of XGBoost read as well. */
import { createRequire } from "node:module";
import { readXgboost } from "./formats/xgboost-format.ts";
import type { ModelCodec } from "./model-codec.ts";
import { quietRequire } from "./quiet-require.ts";

interface Booster {
  readonly options: Readonly<Record<string, unknown>>;
  predict(rows: readonly (readonly number[])[]): unknown;
  toJSON(): { readonly model: readonly number[]; readonly options: Readonly<Record<string, unknown>> };
  free(): void;
}

interface XgboostLibrary {
  load(stored: { readonly name: string; readonly model: Uint8Array; readonly options: object }): Booster;
}

const FILE = "model.bin";

/** Loaded models hold memory that nothing collects: `stored.free(model)`. */
export const xgboostCodec: ModelCodec<Booster, XgboostLibrary> = {
  id: "ml-xgboost",
  version: 1,
  library: {
    package: "ml-xgboost",
    range: "^1.1.2",
    from: import.meta.url,
    import: () => quietRequire<XgboostLibrary>(createRequire(import.meta.url), "ml-xgboost"),
  },
  tolerance: 0,
  matches: (value) =>
    value !== null && typeof value === "object" && value.constructor?.name === "XGBoost" && "checkLabels" in value,
  save: (booster) => {
    const { model, options } = booster.toJSON();
    const bytes = Uint8Array.from(model);
    const { features } = readXgboost(bytes);
    return {
      files: { [FILE]: bytes },
      facts: {
        className: "XGBoost",
        // Labels are a setting that predicting depends on, and no part of the file.
        parameters: structuredClone(options),
        signature: {
          inputs: [{ type: "number", shape: [null, features] }],
          outputs: [{ type: "number", shape: [null] }],
        },
      },
    };
  },
  load: ({ files, facts }, library) => {
    const model = files[FILE] ?? new Uint8Array(0);
    readXgboost(model);
    return library.load({ name: "ml-xgboost", model, options: structuredClone(facts.parameters ?? {}) });
  },
  predict: (booster, rows) => booster.predict(rows as readonly (readonly number[])[]),
  inspect: (files) => readXgboost(files[FILE] ?? new Uint8Array(0)),
  free: (booster) => booster.free(),
};
