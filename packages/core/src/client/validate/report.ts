/** What `flow validate` finds, as plain JSON. */

/**
 * integrity: what was read is whole and is what was stored; a failure means that a result cannot be trusted.
 * currency: what was asked for would lead to another run today; nothing is wrong with what was done.
 */
export type CheckKind = "integrity" | "currency";
export type CheckStatus = "pass" | "warn" | "fail";

/** The checks by id. Ids are stable, and explained in docs/guide/validate.md. */
export const CHECKS = {
  V00: { kind: "integrity", title: "Every step that had to run has succeeded" },
  V01: { kind: "integrity", title: "The selector meant exactly one run" },
  V02: { kind: "integrity", title: "What was read is what the producer left" },
  V03: { kind: "integrity", title: "The stored bytes are whole" },
  V04: { kind: "integrity", title: "The log of tags is unbroken" },
  V05: { kind: "integrity", title: "The sizes agree" },
  V06: { kind: "integrity", title: "The models load with what is installed here" },
  V07: { kind: "integrity", title: "The models predict what they predicted" },
  V08: { kind: "integrity", title: "The packages are those that it ran with" },
  V09: { kind: "integrity", title: "The models were given what they take" },
  V10: { kind: "integrity", title: "Shared data comes from one run" },
  V11: { kind: "integrity", title: "The code can be had again" },
  V13: { kind: "integrity", title: "The metrics are as good as they must be" },
  V14: { kind: "integrity", title: "It ran with the parameters that it must have" },
  V15: { kind: "integrity", title: "The producers are there and succeeded" },
  V16: { kind: "integrity", title: "Nothing that it was made from was withdrawn" },
  V17: { kind: "integrity", title: "It is signed as it must be" },
  V18: { kind: "integrity", title: "Nothing that was kept is a program" },
  V19: { kind: "integrity", title: "The store is whole" },
  V20: { kind: "integrity", title: "What is deployed is this run's" },
  V12: { kind: "currency", title: "Nothing is too old" },
  V21: { kind: "currency", title: "The selector still means the same run" },
} as const satisfies Readonly<Record<string, { readonly kind: CheckKind; readonly title: string }>>;

export type CheckId = keyof typeof CHECKS;

export interface ValidationCheck {
  readonly id: CheckId;
  readonly kind: CheckKind;
  readonly title: string;
  readonly status: CheckStatus;
  /** What was seen, in words, naming runs, artifacts and digests. */
  readonly evidence: string;
  readonly subject: CheckSubject;
}

/** What a check is about. `run` is the run that is validated, by its alias; absent where it is the store. */
export interface CheckSubject {
  readonly run?: string;
  readonly upstream?: string;
  readonly artifact?: string;
  readonly digest?: string;
}

export interface ValidatedRun {
  readonly run: string;
  readonly runId: string;
  readonly flow: string;
  readonly status: string;
  readonly ok: boolean;
}

export interface ValidationReport {
  readonly schema: 1;
  /** Whether no check failed. */
  readonly ok: boolean;
  readonly runs: readonly ValidatedRun[];
  readonly checks: readonly ValidationCheck[];
  readonly totals: Readonly<Record<CheckStatus, number>>;
  /** Distinct values that were read and hashed, and their size. */
  readonly hashed: { readonly blobs: number; readonly bytes: number };
  /** What was read of them: the store itself; or, of a bucket, the copies on this machine where there were any. */
  readonly readFrom: "store" | "copies";
}

/** Where checks put what they find about one run. */
export interface CheckSink {
  add(id: CheckId, status: CheckStatus, evidence: string, about?: Omit<CheckSubject, "run">): void;
}
