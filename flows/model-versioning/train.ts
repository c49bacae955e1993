import { Flow, figure, type Inputs, join, param, type StoredFile, step, upstream, z } from "@millrace/core";
import {
  type ContenderResult,
  explodeParameters,
  type FeatureEngineer,
  type Fold,
  htmlPage,
  kFold,
  type Modeler,
  numericColumn,
  type Parameters,
  plotPredictedVsTrue,
  plotScores,
  r2,
  rankContenders,
  rankingText,
  rowCount,
  summariseFolds,
  type Table,
  takeRows,
  trainTestSplit,
} from "@millrace/ml";
import { fitModel, predictWith, SEED, settingsOf, writeResults } from "./common.ts";
import GenerateData from "./generate-data.ts";

/**
 * Finds the best of several contenders by cross-validation, judges it on rows that no fold has seen, and fits it on all
 * rows: `featureEngineer` and `modeler` are what Predict looks for.
 *
 *     flow run train.ts --configuration test_config --tag test:v1
 *     flow run train.ts --tag prod:v1
 */
export default class Train extends Flow {
  readonly configuration = param(
    z.enum(["config", "test_config"]).default("config").describe("Which settings to run with"),
  );
  readonly dataset = param(
    z
      .enum(["synthetic", "flights"])
      .optional()
      .describe("Learn from the newest data tagged dataset:<this>; from the newest of all unless told"),
  );
  /** Whose rows to learn from. */
  readonly source = upstream(GenerateData, {
    tags: () => (this.dataset === undefined ? [] : [`dataset:${this.dataset}`]),
  });

  trainRows!: Table;
  testRows!: Table;
  contenders!: Parameters[];
  folds!: readonly Fold[];
  contender!: Parameters;
  contenderIndex!: number;
  score!: number;
  iterations!: number;
  result!: ContenderResult;
  results!: ContenderResult[];
  best!: ContenderResult;
  testScore!: number;
  /** The plots: `flow pull Train -o plots/` writes them as files. */
  predictedVsTrue!: StoredFile;
  featureEngineer!: FeatureEngineer;
  modeler!: Modeler;
  summary!: string;
  scoresPlot!: StoredFile;
  report!: StoredFile;

  @step({ next: "eachContender", foreach: "contenders" })
  start() {
    const { contenders, folds, testFraction } = settingsOf(this.configuration);
    const rows = this.source.data.trainRows;
    const { train, test } = trainTestSplit(rowCount(rows), { testFraction, seed: SEED });
    this.trainRows = takeRows(rows, train);
    this.testRows = takeRows(rows, test);
    this.folds = kFold(train.length, { folds, seed: SEED });
    this.contenders = explodeParameters(contenders, { seed: SEED });
  }

  @step({ next: "eachFold", foreach: "folds" })
  eachContender(contender: Parameters, index: number) {
    this.contender = contender;
    this.contenderIndex = index;
  }

  @step({ next: "joinFolds" })
  async eachFold({ train, validation }: Fold) {
    const { columns } = this.source.data;
    const validationRows = takeRows(this.trainRows, validation);
    const fitted = await fitModel({
      contender: this.contender,
      mode: "test",
      columns,
      rows: takeRows(this.trainRows, train),
      validationRows,
    });
    this.score = r2(numericColumn(validationRows, columns.target), await predictWith(fitted, validationRows));
    this.iterations = fitted.modeler.iterations!; // fitModel() has set it
  }

  @join({ next: "joinContenders" })
  joinFolds(inputs: Inputs<Train>) {
    this.mergeArtifacts(inputs, { exclude: ["score", "iterations"] });
    this.result = summariseFolds(this.contenderIndex, this.contender, inputs);
  }

  @join({ next: "judge" })
  joinContenders(inputs: Inputs<Train>) {
    this.mergeArtifacts(inputs, { include: ["trainRows", "testRows"] });
    this.results = inputs.map((input) => input.result);
    this.best = rankContenders(this.results)[0]!;
    console.log(`best contender: ${this.best.name}, mean R² ${this.best.meanScore.toFixed(4)}`);
  }

  /** The best contender, on rows that took no part in choosing it. */
  @step({ next: "fitFinal" })
  async judge() {
    const { columns } = this.source.data;
    const { contender, iterations } = this.best;
    const truth = numericColumn(this.testRows, columns.target);
    const predicted = await predictWith(
      await fitModel({ contender, iterations, mode: "train", columns, rows: this.trainRows }),
      this.testRows,
    );
    this.testScore = r2(truth, predicted);
    this.predictedVsTrue = figure(
      plotPredictedVsTrue({
        truth,
        predicted,
        title: `${this.best.name} on the test rows`,
        unit: columns.unit,
        seed: SEED,
      }),
    );
  }

  /** The model to keep: learnt from all rows. */
  @step({ next: "end" })
  async fitFinal() {
    const { columns, trainRows } = this.source.data;
    const { contender, iterations } = this.best;
    const fitted = await fitModel({ contender, iterations, mode: "train", columns, rows: trainRows });
    this.featureEngineer = fitted.featureEngineer;
    this.modeler = fitted.modeler;
  }

  @step()
  async end() {
    const scores = plotScores({ contenders: this.results, metric: "R²" });
    const predictedVsTrue = await this.predictedVsTrue.text();
    const report = htmlPage({
      title: `Training: ${this.best.name} is best`,
      figures: [scores, predictedVsTrue],
    });
    this.scoresPlot = figure(scores);
    this.report = figure(report);
    this.summary = `${rankingText(this.results)}\n\nR² on the test rows: ${this.testScore.toFixed(4)}\n`;
    console.log(this.summary.trimEnd());
    writeResults({
      "summary.txt": this.summary,
      "all-scores.svg": scores,
      "predicted-vs-true.svg": predictedVsTrue,
      "report.html": report,
    });
  }
}
