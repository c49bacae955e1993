import type { EnvironmentRecord } from "../events/run-record.ts";
import type { ChildRunKey } from "../metadata/execution.ts";
import { Slots } from "../runner/slots.ts";
import { ExecutorShelf } from "./executor-shelf.ts";

/** Levels of runs that may stand inside each other, the outermost not counted: more than anybody nests on purpose. */
export const MAX_DEPTH = 8;

/** What a run shares with all runs that are started inside its steps, and inside theirs. */
export interface RunFamily {
  readonly slots: Slots;
  readonly executors: ExecutorShelf;
  readonly maxDepth: number;
}

/** Where in its family a run stands that is started inside a step. */
export interface FamilyPlace {
  readonly family: RunFamily;
  /** Names of the runs that it stands inside of, the outermost first. */
  readonly ancestors: readonly string[];
  /** The call that starts it. */
  readonly parent: ChildRunKey;
  /** How the process of all of them was started, as the outermost run records it. */
  readonly environment: EnvironmentRecord;
  /** Root of the sources that `environment` tells the git state of. */
  readonly root: string;
}

/** @param slots tasks that may run at once */
export function openFamily(slots: number, maxDepth: number = MAX_DEPTH): RunFamily {
  return { slots: new Slots(slots), executors: new ExecutorShelf(), maxDepth };
}
