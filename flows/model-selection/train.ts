import { Flow, type Inputs, join, param, step, z } from "@millrace/core";
import {
  type ContenderResult,
  explodeParameters,
  type Fold,
  htmlPage,
  kFold,
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
import { fitModel, predictWith, SEED, writeResults } from "../model-versioning/common.ts";
import { syntheticColumns as columns, drawRows } from "../model-versioning/synthetic.ts";
import { configurations } from "./config.ts";

/**
 * Which kind of model, with which hyperparameters? A grid, or a random search, over two kinds of models, in one flow.
 *
 *     flow run train.ts --configuration test_grid_config
 *     flow run train.ts --configuration randomized_config
 *     flow graph train.ts --format mermaid
 */
export default class SelectModel extends Flow {
  readonly configuration = param(
    z
      .enum(["grid_config", "randomized_config", "test_grid_config", "test_randomized_config"])
      .default("randomized_config")
      .describe("Which search space to go through"),
  );

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
  testScore!: number;
  predictedVsTrue!: string;
  scoresPlot!: string;

  @step({ next: "eachContender", foreach: "contenders" })
  start() {
    const { rows, folds, contenders } = configurations[this.configuration];
    const table = drawRows({ rows, seed: SEED });
    const { train, test } = trainTestSplit(rowCount(table), { testFraction: 0.2, seed: SEED });
    this.trainRows = takeRows(table, train);
    this.testRows = takeRows(table, test);
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
  joinFolds(inputs: Inputs<SelectModel>) {
    this.mergeArtifacts(inputs, { exclude: ["score", "iterations"] });
    this.result = summariseFolds(this.contenderIndex, this.contender, inputs);
  }

  @join({ next: "judge" })
  joinContenders(inputs: Inputs<SelectModel>) {
    this.mergeArtifacts(inputs, { include: ["trainRows", "testRows"] });
    this.results = inputs.map((input) => input.result);
  }

  /** The best contender, on rows that took no part in choosing it. */
  @step({ next: "end" })
  async judge() {
    const { contender, iterations, name } = rankContenders(this.results)[0]!;
    const truth = numericColumn(this.testRows, columns.target);
    const predicted = await predictWith(
      await fitModel({ contender, iterations, mode: "train", columns, rows: this.trainRows }),
      this.testRows,
    );
    this.testScore = r2(truth, predicted);
    this.predictedVsTrue = plotPredictedVsTrue({ truth, predicted, title: `${name} on the test rows`, seed: SEED });
    this.scoresPlot = plotScores({ contenders: this.results, metric: "R²" });
  }

  @step()
  end() {
    const summary = `${rankingText(this.results)}\n\nR² of the best on the test rows: ${this.testScore.toFixed(4)}\n`;
    console.log(summary.trimEnd());
    writeResults({
      "summary.txt": summary,
      "all-scores.svg": this.scoresPlot,
      "predicted-vs-true.svg": this.predictedVsTrue,
      "report.html": htmlPage({ title: "Model selection", figures: [this.scoresPlot, this.predictedVsTrue] }),
    });
  }
}
