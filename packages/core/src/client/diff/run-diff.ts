/** How two runs differ, as plain data: one list of facts for each theme, each with both sides. */

export const DIFF_SECTIONS = [
  "run",
  "code",
  "parameters",
  "given",
  "upstreams",
  "data",
  "artifacts",
  "environment",
] as const;

/**
 * `run`: flow, status, duration, origin. `code`: code package, sources, installed packages, lockfile. `given`: configs, files
 * and constants. `upstreams`: the runs that they stand for. `data`: what was read of other runs. `artifacts`: what the run
 * left. `environment`: all that was recorded of machine, versions, user and git.
 */
export type DiffSection = (typeof DIFF_SECTIONS)[number];

export interface RunDiff {
  readonly schema: 1;
  readonly left: DiffSide;
  readonly right: DiffSide;
  /**
   * Whether the runs are the same in all that makes a result: everything but `environment`, and of `run` all but what no
   * two runs share (`duration`).
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
}

/** A value that is shown as it is, or one that is known by its digest. */
export type DiffValue =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "digest"; readonly digest: string; readonly sizeBytes?: number; readonly from?: string };
