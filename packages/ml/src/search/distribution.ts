import { MlError } from "../ml-error.ts";
import type { SeededRandom } from "../random.ts";

/** A range to draw a hyperparameter from, as plain data: it may stand in a JSON file and is stored with the run. */
export interface Distribution {
  readonly distribution: "randint" | "uniform" | "loguniform";
  readonly low: number;
  readonly high: number;
}

/** Whole numbers, each equally likely: low <= value < high. */
export function randint(low: number, high: number): Distribution {
  return checked({ distribution: "randint", low, high });
}

/** Real numbers, equally likely over low <= value < high. */
export function uniform(low: number, high: number): Distribution {
  return checked({ distribution: "uniform", low, high });
}

/** Positive numbers, equally likely on a logarithmic scale: as often between 0.01 and 0.1 as between 0.1 and 1. */
export function loguniform(low: number, high: number): Distribution {
  return checked({ distribution: "loguniform", low, high });
}

/** Whether a value of a specification is a range to draw from. */
export function isDistribution(value: unknown): value is Distribution {
  return typeof value === "object" && value !== null && "distribution" in value;
}

/** One draw. */
export function draw(distribution: Distribution, random: SeededRandom): number {
  const { low, high } = checked(distribution);
  switch (distribution.distribution) {
    case "randint":
      return random.integer(low, high);
    case "uniform":
      return random.uniform(low, high);
    case "loguniform":
      return Math.exp(random.uniform(Math.log(low), Math.log(high)));
  }
}

function checked(distribution: Distribution): Distribution {
  const { distribution: kind, low, high } = distribution;
  const problem = problemOf(distribution);
  if (problem === undefined) return distribution;
  throw new MlError("ML_SEARCH_BAD_SPEC", `Cannot draw from ${kind}(${low}, ${high}): ${problem}`);
}

function problemOf({ distribution: kind, low, high }: Distribution): string | undefined {
  if (!["randint", "uniform", "loguniform"].includes(kind)) return "the kind of distribution is unknown";
  if (!Number.isFinite(low) || !Number.isFinite(high)) return "both bounds must be finite numbers";
  if (!(low < high)) return "the lower bound must be below the upper bound";
  if (kind === "randint" && !(Number.isSafeInteger(low) && Number.isSafeInteger(high)))
    return "both bounds must be whole numbers";
  if (kind === "loguniform" && low <= 0) return "the lower bound must be above 0";
  return undefined;
}
