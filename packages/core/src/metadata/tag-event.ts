import type { Digest } from "../artifact/artifact.ts";
import type { RunId } from "../ids/run-id.ts";
import type { RunSequence } from "./metadata-store.ts";

/** One move of one tag, as it is kept in the append-only, hash-chained log (docs/formats/tag-log.md). */
export interface TagEvent {
  readonly sequence: number;
  readonly at: Date;
  readonly actor: string;
  readonly host: string;
  readonly verb: "add" | "remove";
  readonly tag: string;
  readonly run: RunId;
  /** How it came: by `flow run --tag`, by `flow tag`, … */
  readonly via: string;
  readonly reason?: string;
  readonly previous: Digest;
  readonly digest: Digest;
}

export interface TagMove {
  readonly run: RunSequence;
  readonly add: readonly string[];
  readonly remove: readonly string[];
  readonly actor: string;
  readonly host: string;
  readonly at: Date;
  readonly via: string;
  readonly reason?: string;
}
