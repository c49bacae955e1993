/** What the flows of this example share: settings, the columns of a data set, fitting, and where results are written. */
import fs from "node:fs";
import path from "node:path";
import { current } from "@millrace/core";
import {
  type FeatureColumns,
  FeatureEngineer,
  Modeler,
  type ModelerOptions,
  numericColumn,
  type ParameterSpec,
  type Parameters,
  type Table,
} from "@millrace/ml";
import { config } from "./config.ts";
import { testConfig } from "./test-config.ts";

/** The seed of every draw in this example: equal inputs give equal artifacts. */
export const SEED = 7;

/** `synthetic`: made by a formula. `flights`: arrival delays of real flights. */
export type Dataset = "synthetic" | "flights";

/** What a configuration decides. */
export interface Settings {
  /** How many rows to take, unless `--rows` says otherwise. */
  readonly rows: Readonly<Record<Dataset, number>>;
  /** Share of the rows that is kept for Predict. */
  readonly predictFraction: number;
  /** Share of the rows for training on which the best contender is judged. */
  readonly testFraction: number;
  readonly folds: number;
  readonly contenders: readonly ParameterSpec[];
}

/** The settings of a configuration by its name on the command line. */
export function settingsOf(configuration: "config" | "test_config"): Settings {
  return { config, test_config: testConfig }[configuration];
}

/** What the columns of a table mean. */
export interface Columns extends FeatureColumns {
  readonly target: string;
  /** Unit of the target, for the plots. */
  readonly unit?: string;
}

/** What is kept to predict later: both parts together, since neither is of use without the other. */
export interface Fitted {
  readonly featureEngineer: FeatureEngineer;
  readonly modeler: Modeler;
}

/** What to fit, and on which rows. */
export interface FitOptions extends ModelerOptions {
  readonly contender: Parameters;
  readonly columns: Columns;
  readonly rows: Table;
  /** Held-out rows on which mode `test` finds the best number of iterations. */
  readonly validationRows?: Table;
}

/** Fits features and model on rows. */
export async function fitModel({ columns, rows, validationRows, ...options }: FitOptions): Promise<Fitted> {
  const featureEngineer = new FeatureEngineer(columns);
  const features = featureEngineer.fitTransform(rows);
  const validation = validationRows && {
    features: featureEngineer.transform(validationRows),
    target: numericColumn(validationRows, columns.target),
  };
  const modeler = new Modeler(options);
  await modeler.fit(features, numericColumn(rows, columns.target), { ...(validation && { validation }) });
  return { featureEngineer, modeler };
}

/** One prediction a row, in the unit of the target. */
export async function predictWith({ featureEngineer, modeler }: Fitted, rows: Table): Promise<Float64Array> {
  return modeler.predict(featureEngineer.transform(rows));
}

/** Writes files into `results/<flow>-<run number>/` below the working folder, says where, and gives the folder. */
export function writeResults(files: Readonly<Record<string, string>>): string {
  const folder = path.resolve("results", current.run.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-"));
  fs.mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    fs.writeFileSync(path.join(folder, name), text);
    console.log(`wrote ${path.relative(process.cwd(), path.join(folder, name))}`);
  }
  return folder;
}
