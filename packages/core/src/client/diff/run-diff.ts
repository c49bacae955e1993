/** How two runs differ, as plain data: one list of facts for each theme, each with both sides. */

export const DIFF_SECTIONS = [
  "run",
  "code",
  "parameters",
  "given",
  "upstreams",
  "data",
  "artifacts",
  "metrics",
  "environment",
] as const;

/**
 * `run`: flow, status, duration, origin. `code`: code package, sources, installed packages, lockfile. `given`: configs, files
 * and constants. `upstreams`: the runs that they stand for. `data`: what was read of other runs. `artifacts`: what the run
 * left. `metrics`: their last values. `environment`: all that was recorded of machine, versions, user and git.
 */
export type DiffSection = (typeof DIFF_SECTIONS)[number];

export interface RunDiff {
  readonly schema: 1;
  readonly left: DiffSide;
  readonly right: DiffSide;
  /**
   * Whether the runs are the same in all that makes a result: everything but `environment`, `metrics` (a metric may be a time) and,
   * of `run`, what no two runs share (`duration`).
   */
  readonly isSame: boolean;
  readonly sections: Readonly<Record<DiffSection, readonly DiffRow[]>>;
}

export interface DiffSide {
  readonly run: string;
  readonly id: string;
}

/** One fact. A side without it lacks `left` or `right`. */
export interface DiffRow {
  readonly name: string;
  readonly state: "same" | "changed" | "added" | "removed";
  readonly left?: DiffValue;
  readonly right?: DiffValue;
  /** Of a metric that both have as a finite number: right less left. */
  readonly difference?: number;
  /** The difference in hundredths of left, without its sign; absent where left is 0. */
  readonly percent?: number;
}

/** A value that is shown as it is, or one that is known by its digest. */
export type DiffValue =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "digest"; readonly digest: string; readonly sizeBytes?: number; readonly from?: string };
