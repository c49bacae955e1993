/** What `flow validate` finds, as plain JSON. */

/**
 * integrity: what was read is whole and is what was stored; a failure means that a result cannot be trusted.
 * currency: what was asked for would lead to another run today; nothing is wrong with what was done.
 */
export type CheckKind = "integrity" | "currency";
export type CheckStatus = "pass" | "warn" | "fail";

/** The checks by id. Ids are stable; those below V20 are explained in docs/guide/validate.md. */
export const CHECKS = {
  V00: { kind: "integrity", title: "Every step that had to run has succeeded" },
  V01: { kind: "integrity", title: "The selector meant exactly one run" },
  V02: { kind: "integrity", title: "What was read is what the producer left" },
  V03: { kind: "integrity", title: "The stored bytes are whole" },
  V04: { kind: "integrity", title: "The log of tags is unbroken" },
  V05: { kind: "integrity", title: "The sizes agree" },
  V10: { kind: "integrity", title: "Shared data comes from one run" },
  V15: { kind: "integrity", title: "The producers are there and succeeded" },
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

/** What a check is about. `run` is the run that is validated, by its alias. */
export interface CheckSubject {
  readonly run: string;
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
}

/** Where checks put what they find about one run. */
export interface CheckSink {
  add(id: CheckId, status: CheckStatus, evidence: string, about?: Omit<CheckSubject, "run">): void;
}
