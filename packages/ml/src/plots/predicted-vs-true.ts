import { MlError } from "../ml-error.ts";
import { seededRandom } from "../random.ts";
import { r2 } from "../statistics.ts";
import { linearScale, tickLabel } from "./scale.ts";
import { drawFigure, escapeText, px } from "./svg.ts";

/** More points than this say no more and make a file slow to open. */
const MAX_POINTS = 1000;
const WIDTH = 680;
const HEIGHT = 620;
const LEFT = 84;
const RIGHT = WIDTH - 28;
const TOP = 84;
const BOTTOM = HEIGHT - 68;

/** What to draw. */
export interface PredictedVsTrueOptions {
  /** True values, any unit; at least one. */
  readonly truth: ArrayLike<number>;
  /** Predicted values, the same unit and length. */
  readonly predicted: ArrayLike<number>;
  /** Default "Predicted against true". */
  readonly title?: string;
  /** Shown behind the names of the axes, such as "minutes". */
  readonly unit?: string | undefined;
  /** Which points are drawn when there are more than 1,000; default 0. */
  readonly seed?: number;
}

/**
 * Draws predicted (across) against true values (up) as an SVG: at most 1,000 points, drawn by the seed, and the line on
 * which a perfect prediction lies. R² in the subtitle is that of all points.
 *
 * @returns an SVG document
 * @throws MlError ML_DATA_BAD_ARGUMENT when the lengths differ or are 0
 */
export function plotPredictedVsTrue(options: PredictedVsTrueOptions): string {
  const { truth, predicted, title = "Predicted against true", unit, seed = 0 } = options;
  const score = r2(truth, predicted);
  const total = truth.length;
  const shown =
    total <= MAX_POINTS
      ? Array.from({ length: total }, (_, row) => row)
      : [...seededRandom(seed).sample(total, MAX_POINTS).sort()];
  const xs = shown.map((row) => predicted[row]!);
  const ys = shown.map((row) => truth[row]!);
  if (![...xs, ...ys].every(Number.isFinite))
    throw new MlError("ML_DATA_BAD_ARGUMENT", "Cannot plot values that are not finite");

  const x = linearScale(xs, [LEFT, RIGHT]);
  const y = linearScale(ys, [BOTTOM, TOP]);
  const behind = unit === undefined ? "" : ` (${unit})`;
  const count = (n: number): string => n.toLocaleString("en-US");
  const subtitle = `R² ${score.toFixed(3).replace("-", "−")} over ${count(total)} rows${total > MAX_POINTS ? `, ${count(MAX_POINTS)} of them drawn` : ""}`;
  const description = `A point for each row: across the predicted value, up the true value${behind}. ${subtitle}. The line is where both are equal.`;

  return drawFigure({
    width: WIDTH,
    height: HEIGHT,
    title,
    subtitle,
    description,
    body: [
      ...x.ticks.flatMap((tick) => [
        `<line class="grid" x1="${px(x(tick))}" x2="${px(x(tick))}" y1="${TOP}" y2="${BOTTOM}"/>`,
        `<text x="${px(x(tick))}" y="${BOTTOM + 20}" text-anchor="middle">${tickLabel(tick)}</text>`,
      ]),
      ...y.ticks.flatMap((tick) => [
        `<line class="grid" x1="${LEFT}" x2="${RIGHT}" y1="${px(y(tick))}" y2="${px(y(tick))}"/>`,
        `<text x="${LEFT - 10}" y="${px(y(tick) + 4)}" text-anchor="end">${tickLabel(tick)}</text>`,
      ]),
      `<line class="axis" x1="${LEFT}" x2="${RIGHT}" y1="${BOTTOM}" y2="${BOTTOM}"/>`,
      `<line class="axis" x1="${LEFT}" x2="${LEFT}" y1="${TOP}" y2="${BOTTOM}"/>`,
      `<g>${shown.map((_, place) => `<circle class="point" cx="${px(x(xs[place]!))}" cy="${px(y(ys[place]!))}" r="3.6"/>`).join("")}</g>`,
      identityLine(x, y),
      `<text class="axis-name" x="${(LEFT + RIGHT) / 2}" y="${HEIGHT - 20}" text-anchor="middle">${escapeText(`Predicted${behind}`)}</text>`,
      `<text class="axis-name" transform="translate(24 ${(TOP + BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${escapeText(`True${behind}`)}</text>`,
    ],
  });
}

/** The part of predicted = true that lies inside both axes; nothing when they have no value in common. */
function identityLine(x: ReturnType<typeof linearScale>, y: ReturnType<typeof linearScale>): string {
  const from = Math.max(x.ticks[0]!, y.ticks[0]!);
  const to = Math.min(x.ticks.at(-1)!, y.ticks.at(-1)!);
  if (from >= to) return "";
  return `<line class="identity" x1="${px(x(from))}" y1="${px(y(from))}" x2="${px(x(to))}" y2="${px(y(to))}"/>`;
}
