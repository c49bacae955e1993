/** The public types of tags: how they move, who held them when, and moves as they happen. */

/** How and why a tag moves. */
export interface TagOptions {
  /** Why; kept in the log for ever, and asked for by some policies. */
  readonly reason?: string;
  /**
   * The run that must hold the tags that are given (`"Train/12"`, `"12"`, an id), or all of them where several do, or "none"; else
   * FLOW_TAG_NOT_EXPECTED.
   */
  readonly expect?: string | readonly string[];
  /** Make every check of `flow validate` first; one that fails is FLOW_TAG_CHECK_FAILED. Default: those that policies ask for. */
  readonly check?: boolean;
  /** Give the tag also to a run that is older than a policy allows; needs a reason. Default false. */
  readonly forceAge?: boolean;
}

/** A stretch of time in which a run held a tag. */
export interface TagHolding {
  readonly tag: string;
  /** `Train/17`. */
  readonly run: string;
  readonly runId: string;
  readonly from: Date;
  /** Absent while it holds the tag. */
  readonly until?: Date;
  /** Present when the run was deleted since. */
  readonly deletedAt?: Date;
  readonly givenBy: string;
  readonly takenBy?: string;
  /** Why it was given the tag. */
  readonly reason?: string;
}

/** One move of a tag, as the log of the store has it. */
export interface TagMoved {
  /** Its number in the log: give it as `after` to go on from here. */
  readonly sequence: number;
  readonly at: Date;
  readonly actor: string;
  readonly host: string;
  readonly verb: "add" | "remove";
  readonly tag: string;
  readonly run: string;
  readonly runId: string;
  /** The run that it was taken from in the same move. */
  readonly from?: string;
  readonly fromId?: string;
  readonly via: string;
  readonly reason?: string;
  readonly action?: "promote" | "replace" | "rollback" | "request";
  /** The moves of one transaction have one number. */
  readonly move?: number;
  /** What `flow validate` found before it moved. */
  readonly checks?: readonly { readonly id: string; readonly status: string; readonly evidence?: string }[];
}
