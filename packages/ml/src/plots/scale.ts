/** From values to places on paper, and the round values that an axis shows. */
export interface Scale {
  (value: number): number;
  readonly ticks: readonly number[];
}

/**
 * A linear scale over values, widened to round numbers.
 *
 * @param values  what must fit; when all are equal or there are none, a range around them
 * @param range  place of the lowest and of the highest value, in px
 */
export function linearScale(values: readonly number[], range: readonly [number, number]): Scale {
  const finite = values.filter(Number.isFinite);
  let low = finite.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  let high = finite.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  if (low > high) [low, high] = [0, 1];
  if (low === high)
    [low, high] = [low - Math.max(0.5, Math.abs(low) * 0.1), high + Math.max(0.5, Math.abs(high) * 0.1)];
  const step = roundStep((high - low) / 7);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  const ticks = Array.from({ length: last - first + 1 }, (_, index) =>
    Number(((first + index) * step).toPrecision(12)),
  );
  const from = first * step;
  const to = last * step;
  const place = (value: number): number => range[0] + ((value - from) / (to - from)) * (range[1] - range[0]);
  return Object.assign(place, { ticks });
}

/** A number as an axis shows it: no more digits than its neighbours need. */
export function tickLabel(value: number): string {
  const text =
    Math.abs(value) >= 1e6 ? value.toExponential(1) : value.toLocaleString("en-US", { maximumSignificantDigits: 6 });
  return text.replace("-", "−");
}

function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const digit = rough / power;
  if (digit <= 1) return power;
  if (digit <= 2) return 2 * power;
  if (digit <= 5) return 5 * power;
  return 10 * power;
}
