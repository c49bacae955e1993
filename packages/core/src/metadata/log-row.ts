/** What tasks wrote to their output, as it is kept and asked for. */
import type { TaskSequence } from "./metadata-store.ts";

/** The store's own row number of a piece of output; grows in the order in which pieces were committed. */
export type LogSequence = number & { readonly __brand: "LogSequence" };

export interface LogChunk {
  readonly task: TaskSequence;
  readonly attempt: number;
  readonly stream: "stdout" | "stderr";
  readonly at: Date;
  readonly text: string;
}

export interface LogRow extends LogChunk {
  readonly sequence: LogSequence;
}

export interface LogQuery {
  readonly task: TaskSequence;
  readonly attempt?: number;
  readonly stream?: "stdout" | "stderr";
  /** Only what came later: the key of the next page. */
  readonly after?: LogSequence;
  /** Default: all. */
  readonly limit?: number;
}
