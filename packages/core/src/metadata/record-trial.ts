import type { ImportedFacts, ImportedRow } from "./imported-run.ts";

/**
 * Records of runs, tried out in a store that nobody else sees and that is given up afterwards. An export and an import ask the
 * same trial, so what one of them writes the other one takes; and what is refused is refused before anything is changed.
 */
export interface RecordTrial {
  /**
   * Begins with a run, whose rows follow.
   *
   * @throws FlowError when no store could hold it
   */
  begin(run: ImportedFacts): void;
  /**
   * Takes the next row of the run, as a store would.
   *
   * @throws FlowError when no store could hold it
   */
  add(row: ImportedRow): void;
  /** What is wrong with the run that was begun, against the digests of its records, in words; none when all is well. */
  end(): readonly string[];
  /** Gives up all that was tried. */
  close(): void;
}
