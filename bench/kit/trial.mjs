/**
 * The measure of all benchmarks: a trial has sides (Millrace, and the floor it is compared with) that take turns, and rows
 * that say what the figures of one round mean. A row's value is the median over the rounds, so what disturbs the machine for
 * a while disturbs both sides of a round alike.
 *
 * @typedef {Record<string, number>} Figures what one side measured in one round, by name
 * @typedef {Record<string, Figures>} Round the figures of all sides in one round, by side
 *
 * @typedef {object} RowPlan
 * @property {string} what what is measured, against what
 * @property {"x" | "tasks/s" | "ms" | "bytes" | "MB" | "count" | "share"} unit "MB" shows bytes as such; "share" is of 1, shown as %
 * @property {import("./goal.mjs").Goal} [goal] none for a row that only informs
 * @property {(round: Round) => number} figure the value of one round
 * @property {(medians: Round) => string} [shown] what stands below the row; the medians of the sides
 *
 * @typedef {object} Trial
 * @property {string} what
 * @property {number} [repeats] rounds that count; default 7
 * @property {number} [warmUps] rounds before them that do not; default 1
 * @property {(place: Place) => unknown} [open] makes what all rounds need; what it gives is the context of the sides
 * @property {Record<string, (context: any, round: number) => Figures | Promise<Figures>>} sides
 * @property {(context: any) => unknown} [close]
 * @property {readonly RowPlan[]} rows
 *
 * @typedef {object} Place
 * @property {string} folder an empty folder of the trial, removed afterwards
 * @property {boolean} isQuick whether a rough figure will do
 */
import fs from "node:fs";
import path from "node:path";
import { verdictOf } from "./goal.mjs";
import { median, spreadOf } from "./statistics.mjs";

const REPEATS = 7;
/** With `--quick`: enough for a median, not for a spread. */
const QUICK_REPEATS = 3;

/** Thrown by a trial whose subject is not there: the rows say so, and nothing has failed. */
export class NotOffered extends Error {}

/**
 * Runs a trial to its end.
 *
 * @param {Trial} trial
 * @param {{ folder: string, isQuick: boolean, repeats?: number }} options `repeats` overrides what the trial asks for
 * @returns {Promise<object[]>} one result a row: plain data, ready to be printed or kept
 */
export async function runTrial(trial, options) {
  const folder = fs.mkdtempSync(path.join(options.folder, "trial-"));
  try {
    const rounds = await measure(trial, { folder, isQuick: options.isQuick }, options);
    return trial.rows.map((row) => resultOf(row, rounds));
  } catch (error) {
    if (error instanceof NotOffered)
      return trial.rows.map(({ what, unit, goal }) => ({ what, unit, goal, verdict: "none", note: error.message }));
    return [{ what: trial.what, verdict: "FAILED", note: String(error?.stack ?? error) }];
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(trial, place, { isQuick, repeats }) {
  const wanted = trial.repeats ?? REPEATS;
  const count =
    repeats === undefined ? (isQuick ? Math.min(QUICK_REPEATS, wanted) : wanted) : Math.min(repeats, wanted);
  const warmUps = trial.warmUps ?? 1;
  const context = await trial.open?.(place);
  try {
    const rounds = [];
    for (let round = 0; round < warmUps + count; round++) {
      const figures = await oneRound(trial, context, round);
      if (round >= warmUps) rounds.push(figures);
    }
    return rounds;
  } finally {
    await trial.close?.(context);
  }
}

/** All sides once; every other round in the reverse order, so that none always comes after the same one. */
async function oneRound({ sides }, context, round) {
  const names = Object.keys(sides);
  if (round % 2 === 1) names.reverse();
  const figures = {};
  for (const name of names) figures[name] = await sides[name](context, round);
  return figures;
}

function resultOf({ what, unit, goal, figure, shown }, rounds) {
  const samples = rounds.map(figure);
  const spread = spreadOf(samples);
  const medians = mediansOf(rounds);
  return {
    what,
    unit,
    goal,
    ...spread,
    verdict: goal === undefined ? "none" : verdictOf(goal, spread.median),
    ...(shown === undefined ? {} : { note: shown(medians) }),
    samples,
    sides: medians,
  };
}

function mediansOf(rounds) {
  return Object.fromEntries(
    Object.entries(rounds[0]).map(([side, figures]) => [
      side,
      Object.fromEntries(Object.keys(figures).map((name) => [name, median(rounds.map((round) => round[side][name]))])),
    ]),
  );
}
