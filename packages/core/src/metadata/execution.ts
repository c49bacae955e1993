/**
 * Executions of runs. A run is executed once when it is created and once more each time it is continued; the number of
 * its current execution is the token by which the store tells who may write (docs/adr/0025).
 */
import type { Digest } from "../artifact/artifact.ts";
import type { RunnerIdentity } from "../events/run-record.ts";
import type { RunId } from "../ids/run-id.ts";
import type { RunSequence } from "./metadata-store.ts";

/** An execution is over when its run was finished by it ("lost": when another one took its place). */
export type ExecutionStatus = "running" | "succeeded" | "failed" | "cancelled" | "lost";

export interface ExecutionRow {
  readonly run: RunSequence;
  /** From 1. */
  readonly number: number;
  readonly runner: RunnerIdentity;
  readonly actor: string;
  readonly command: readonly string[];
  readonly packageDigest?: Digest;
  /** How it was asked to run: plain JSON, without secrets. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly startedAt: Date;
  readonly heartbeatAt: Date;
  readonly endedAt?: Date;
  readonly status: ExecutionStatus;
}

/** What a new execution is known by. */
export interface NewExecution {
  readonly runner: RunnerIdentity;
  readonly actor: string;
  /** The arguments of the process; values of secret flags are left out. */
  readonly command: readonly string[];
  readonly packageDigest?: Digest;
  /** How it was asked to run: plain JSON, without secrets. Default {}. */
  readonly options?: Readonly<Record<string, unknown>>;
}

export interface BeginExecution extends NewExecution {
  readonly run: RunSequence;
  readonly at: Date;
}

/** Where a fork comes from and why it is one. */
export interface RunOrigin {
  readonly run: RunId;
  /** The step from which on everything is run again, where one was named. */
  readonly fromStep?: string;
  readonly changedSteps?: readonly string[];
  readonly changedParameters?: readonly string[];
}

/** The call inside a step by which a flow was started: the same call of a retried task finds the run that it started. */
export interface ChildRunKey {
  /** The run whose step made the call. */
  readonly run: RunSequence;
  readonly step: string;
  readonly path: string;
  /** Which of the task's calls with these inputs, from 0. */
  readonly call: number;
  /** Of everything that the child run was given. */
  readonly inputsDigest: Digest;
}

/** The call that started a run, as its record shows it. */
export interface RunParent {
  readonly run: RunId;
  readonly step: string;
  readonly path: string;
  readonly call: number;
}
