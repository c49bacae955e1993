import { MlError } from "../ml-error.ts";
import { mean } from "../statistics.ts";
import { linearScale, tickLabel } from "./scale.ts";
import { drawFigure, escapeText, px } from "./svg.ts";

const LEFT = 84;
const TOP = 84;
const PLOT_HEIGHT = 380;

/** The scores of one contender. */
export interface ContenderScores {
  /** Such as "0 RandomForest": its number and its model. */
  readonly name: string;
  /** One score a fold, at least one. */
  readonly scores: ArrayLike<number>;
}

/** What to draw. */
export interface ScoresOptions {
  /** In the order in which they are drawn. */
  readonly contenders: readonly ContenderScores[];
  /** Default "Scores of all contenders". */
  readonly title?: string;
  /** What a score is, such as "R²"; shown behind the name of the axis. */
  readonly metric?: string;
}

/**
 * Draws a box for each contender as an SVG: quartiles, median, lowest and highest score, and each fold as a dot. The
 * contender with the highest mean is marked.
 *
 * @returns an SVG document
 * @throws MlError ML_DATA_BAD_ARGUMENT without contenders, or for one without scores
 */
export function plotScores(options: ScoresOptions): string {
  const { contenders, title = "Scores of all contenders", metric } = options;
  if (contenders.length === 0) throw new MlError("ML_DATA_BAD_ARGUMENT", "Cannot plot the scores of no contenders");
  const means = contenders.map(({ scores }) => mean(scores));
  const best = means.indexOf(Math.max(...means));

  const isCrowded = contenders.length > 5;
  const slot = isCrowded ? 64 : 120;
  const width = Math.max(680, LEFT + 28 + contenders.length * slot);
  const right = width - 28;
  const bottom = TOP + PLOT_HEIGHT;
  const height = bottom + (isCrowded ? 148 : 68);
  const y = linearScale(
    contenders.flatMap(({ scores }) => Array.from(scores)),
    [bottom, TOP],
  );
  const step = (right - LEFT) / contenders.length;
  const bestText = `Best: ${contenders[best]!.name}, mean ${means[best]!.toFixed(3).replace("-", "−")}`;
  const listed = contenders.map(({ name }, place) => `${name}: mean ${means[place]!.toFixed(3)}`).join("; ");
  const behind = metric === undefined ? "" : ` (${metric})`;

  return drawFigure({
    width,
    height,
    title,
    subtitle: bestText,
    description: `A box for each contender: the spread of its scores over the folds. ${bestText}. ${listed}.`,
    body: [
      ...y.ticks.flatMap((tick) => [
        `<line class="grid" x1="${LEFT}" x2="${right}" y1="${px(y(tick))}" y2="${px(y(tick))}"/>`,
        `<text x="${LEFT - 10}" y="${px(y(tick) + 4)}" text-anchor="end">${tickLabel(tick)}</text>`,
      ]),
      `<line class="axis" x1="${LEFT}" x2="${right}" y1="${bottom}" y2="${bottom}"/>`,
      ...contenders.map(({ name, scores }, place) => {
        const centre = LEFT + (place + 0.5) * step;
        const label = isCrowded
          ? `<text class="name" text-anchor="end" transform="translate(${px(centre + 5)} ${bottom + 18}) rotate(-40)">${escapeText(name)}</text>`
          : `<text class="name" text-anchor="middle" x="${px(centre)}" y="${bottom + 22}">${escapeText(name)}</text>`;
        return `<g${place === best ? ' class="best"' : ""}>${drawBox(Array.from(scores), centre, Math.min(56, step * 0.5), y)}${label}</g>`;
      }),
      `<text class="axis-name" x="${(LEFT + right) / 2}" y="${height - 18}" text-anchor="middle">Model</text>`,
      `<text class="axis-name" transform="translate(24 ${(TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">${escapeText(`Score${behind}`)}</text>`,
    ],
  });
}

function drawBox(scores: readonly number[], centre: number, width: number, y: (value: number) => number): string {
  const sorted = scores.toSorted((a, b) => a - b);
  const at = (share: number): number => y(quantile(sorted, share));
  const [lowest, lower, median, upper, highest] = [at(0), at(0.25), at(0.5), at(0.75), at(1)];
  const left = px(centre - width / 2);
  const right = px(centre + width / 2);
  const dots = scores.map((score) => `<circle class="dot" cx="${px(centre)}" cy="${px(y(score))}" r="4"/>`);
  if (scores.length === 1)
    return `<line class="median" x1="${left}" x2="${right}" y1="${px(median)}" y2="${px(median)}"/>${dots.join("")}`;
  return [
    `<line class="whisker" x1="${px(centre)}" x2="${px(centre)}" y1="${px(highest)}" y2="${px(upper)}"/>`,
    `<line class="whisker" x1="${px(centre)}" x2="${px(centre)}" y1="${px(lower)}" y2="${px(lowest)}"/>`,
    `<rect class="box" x="${left}" y="${px(upper)}" width="${px(width)}" height="${px(Math.max(0, lower - upper))}" rx="3"/>`,
    `<line class="median" x1="${left}" x2="${right}" y1="${px(median)}" y2="${px(median)}"/>`,
    ...dots,
  ].join("");
}

/** Linear between the neighbours, as most libraries do (type 7 of Hyndman and Fan). */
function quantile(sorted: readonly number[], share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below]!;
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return low + (high - low) * (place - below);
}
