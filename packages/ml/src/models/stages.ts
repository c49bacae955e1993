/** The number of iteration counts tried on validation rows unless `fit.stages` says otherwise. */
export const DEFAULT_STAGES = 4;

/**
 * The iteration counts that are tried on validation rows: evenly spaced, the last one is all of them.
 *
 * Neither library can watch validation rows while it learns, so early stopping is done by hand: models of these counts
 * are compared and the best is kept.
 *
 * @example stageCounts(100, 4) // [25, 50, 75, 100]
 */
export function stageCounts(iterations: number, stages: number): number[] {
  const counts = Array.from({ length: stages }, (_, stage) =>
    Math.max(1, Math.round((iterations * (stage + 1)) / stages)),
  );
  return [...new Set(counts)];
}

/** Mean squared error, in squared units of the target. */
export function meanSquaredError(truth: ArrayLike<number>, predicted: ArrayLike<number>): number {
  let sum = 0;
  for (let row = 0; row < truth.length; row++) sum += (truth[row]! - predicted[row]!) ** 2;
  return sum / truth.length;
}
