/** What the store says of how runs came from one another: links, reads along them, and the runs themselves. */
import type { CodecId, Digest } from "../artifact/artifact.ts";
import type { SelectorRecord } from "../events/run-record.ts";
import type { RunId } from "../ids/run-id.ts";
import type { DeletedRun } from "./deleted-run.ts";
import type { ArtifactRow, RunRow, RunValueKind } from "./metadata-store.ts";

export interface LineageQuery {
  readonly runs: readonly RunId[];
  readonly direction: "up" | "down";
  readonly artifact?: string;
}

/** `to` was made from `from`. */
export type LineageLinkRow = { readonly from: RunId; readonly to: RunId } & (
  | {
      /** An upstream field of `to`. */
      readonly kind: "upstream";
      readonly name: string;
      readonly selector: SelectorRecord;
    }
  /** A step of `to` called the flow whose run is `from`, and got its outcome. */
  | { readonly kind: "call"; readonly step: string; readonly path: string }
  /** A step of `from` started `to`, and gave it its inputs. */
  | { readonly kind: "start"; readonly step: string; readonly path: string }
  /** `to` is a fork and took finished tasks over. */
  | { readonly kind: "fork" }
  /** So many tasks of `to` have their outcome from tasks of `from`, by the step cache. */
  | { readonly kind: "cache"; readonly tasks: number }
);

/** One artifact of `from` that tasks of `to` read. */
export interface LineageReadRow {
  readonly from: RunId;
  readonly to: RunId;
  /** The upstream field, or the way to a run further up; absent for a read through the client. */
  readonly upstream?: string;
  readonly artifact: string;
  readonly codec: CodecId;
  readonly digest: Digest;
  /** How many tasks read it, their steps by name, and one of them: `start`, `fold/1.2`. */
  readonly tasks: number;
  readonly steps: readonly string[];
  readonly task: string;
}

export interface LineageRows {
  readonly links: readonly LineageLinkRow[];
  readonly reads: readonly LineageReadRow[];
}

export interface LineageRuns {
  readonly runs: readonly RunRow[];
  readonly deleted: readonly DeletedRun[];
  /** Configs and files that the runs were given. */
  readonly values: readonly (ArtifactRow & { readonly run: RunId; readonly kind: RunValueKind })[];
}
