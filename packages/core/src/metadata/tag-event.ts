import type { Digest } from "../artifact/artifact.ts";
import type { RunId } from "../ids/run-id.ts";
import type { RunSequence } from "./metadata-store.ts";
import type { TagCheck, TagPolicy } from "./tag-policy.ts";

/** One move of one tag, or a change of a policy, as it is kept in the append-only, hash-chained log (docs/formats/tag-log.md). */
export interface TagEvent {
  readonly sequence: number;
  readonly at: Date;
  readonly actor: string;
  readonly host: string;
  readonly verb: "add" | "remove" | "set-policy" | "remove-policy";
  /** Of a policy: its pattern. */
  readonly tag: string;
  /** Absent where a policy changes. */
  readonly run?: RunId;
  /** How it came: by `flow run --tag`, by `flow tag`, … */
  readonly via: string;
  readonly reason?: string;
  /** Events of one move name the first of them; absent in events of the first format. */
  readonly move?: number;
  /** What was meant, where that is more than adding and removing. */
  readonly action?: TagAction;
  /** The run that the tag was taken from in the same move. */
  readonly from?: RunId;
  /** What was looked at before the tag moved. */
  readonly checks?: readonly TagCheck[];
  readonly policy?: TagPolicy;
  readonly previous: Digest;
  readonly digest: Digest;
}

/** "request": a tag that was asked for at the start, moved when the run succeeded. */
export type TagAction = "promote" | "replace" | "rollback" | "request";

/** Who acts, when and where. */
export interface TagActor {
  readonly actor: string;
  readonly host: string;
  readonly at: Date;
  /** How it came: `flow tag`, `client`. */
  readonly via: string;
  readonly reason?: string;
}

export interface TagMove extends TagActor {
  readonly run: RunSequence;
  readonly add: readonly string[];
  readonly remove: readonly string[];
  readonly action?: TagAction;
  /** Whether the tags are taken from all other runs of the flow, also without a policy that says so. */
  readonly take?: boolean;
  /** The runs that must hold each tag that is added, mostly one, or "none": refused when somebody else has moved it. */
  readonly expect?: readonly RunId[] | RunId | "none";
  readonly checks?: readonly TagCheck[];
  /** Whether a run that is older than a policy allows may be given the tag. */
  readonly forceAge?: boolean;
}

/** A tag under a policy that a run was asked to take when it succeeds. */
export interface TagRequest extends TagActor {
  readonly tag: string;
  /** "waiting": the run has not succeeded. */
  readonly status: "waiting" | "moved" | "refused";
  /** Of a refused one. */
  readonly why?: string;
}

export interface TagPolicyChange extends TagActor {
  readonly policy: TagPolicy;
  /** Where several runs of a flow hold a tag that becomes exclusive, whether the newest one keeps it; else that is refused. */
  readonly keepNewest?: boolean;
}
