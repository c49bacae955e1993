/**
 * What runs were made from, or what was made from them, as plain data: runs as nodes, and links that say how one run came
 * to be made from another. The same object is drawn as a tree, in DOT and in Mermaid, exported as OpenLineage events, and
 * printed as JSON.
 */
import type { DeletedRecord, RunStatus, SelectorRecord } from "./run-record.ts";

/** How far lineage is followed. */
export interface LineageOptions {
  /** `"up"`: what the run was made from (the default); `"down"`: what was made from it. */
  readonly direction?: "up" | "down";
  /** Links away from the run; a whole number from 0, default 5. */
  readonly depth?: number;
  /** Runs at most; a whole number from 1, default 1,000. */
  readonly limit?: number;
}

export interface Lineage {
  readonly schema: 1;
  readonly direction: "up" | "down";
  /** Id of the run that was asked about: the first of `runs`. */
  readonly root: string;
  /** Where one artifact of it comes from, when one was asked about. */
  readonly artifact?: ArtifactOrigin;
  readonly depth: number;
  readonly limit: number;
  /** False when there is more behind the depth or the limit; `more` of the runs says where. */
  readonly isWhole: boolean;
  /** Nearest first. */
  readonly runs: readonly LineageRun[];
  readonly links: readonly LineageLink[];
}

export interface LineageRun {
  /** The global id. */
  readonly id: string;
  /** Links between it and the run that was asked about. */
  readonly depth: number;
  /** The store's alias (`Train/17`); of a run that is not in this store, what an import called it, where known. */
  readonly run?: string;
  /** `project/Flow`. */
  readonly flow?: string;
  /** Whether the store has the run; when it has not, nothing below this is known but `deleted`. */
  readonly isHere: boolean;
  /** Present when it was deleted: when, by whom and why. */
  readonly deleted?: DeletedRecord;
  readonly status?: RunStatus;
  readonly createdAt?: string;
  readonly finishedAt?: string;
  readonly tags?: readonly string[];
  /** Digest of the code package. */
  readonly codePackage?: string;
  /** Encoded inputs; secrets are left out and named in `secretParameters`. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly secretParameters?: readonly string[];
  /** Configs and files that it was given. */
  readonly data?: readonly LineageValue[];
  /** How many runs behind this one are left out by the depth or the limit. */
  readonly more?: number;
}

export interface LineageValue {
  readonly name: string;
  readonly kind: string;
  readonly codec: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

/**
 * `to` was made from `from`: it declared it as an upstream, read from it through the client (`read`), called it from a step
 * (`call`), was started by a step of it (`start`), is a fork that took tasks over (`fork`), or has outcomes of its tasks by
 * the step cache (`cache`).
 */
export interface LineageLink {
  readonly from: string;
  readonly to: string;
  readonly kind: "upstream" | "read" | "call" | "start" | "fork" | "cache";
  /** Of an upstream: the field; of a read further up: the way, such as `model.upstreams.source`. */
  readonly name?: string;
  /** Of an upstream: how it was asked for. */
  readonly selector?: SelectorRecord;
  /** Of `call` and `start`: the task whose step did it (`fold/1.2`). */
  readonly task?: string;
  /** Of `cache`: how many tasks. */
  readonly tasks?: number;
  /** What was read; empty when nothing was. */
  readonly reads: readonly LineageRead[];
}

export interface LineageRead {
  readonly artifact: string;
  readonly codec: string;
  readonly digest: string;
  /** How many tasks of `to` read it, and their steps. */
  readonly tasks: number;
  readonly steps: readonly string[];
  /** One of these tasks; the only one when `tasks` is 1. */
  readonly task: string;
}

/** Where one artifact of a run comes from. */
export interface ArtifactOrigin extends LineageValue {
  /** The task that set it: `Train/17/pickBest`; absent for what the run was given. */
  readonly task?: string;
  /** Where that task was executed, when its outcome was taken over. */
  readonly takenFrom?: { readonly kind: "resume" | "cache"; readonly task?: string };
  /**
   * What is known of the artifacts that the task read: `recorded` as they were read (steps with `cache`), or `before`: all
   * that it began with, because what it read of them is not recorded.
   */
  readonly basis?: "recorded" | "before";
  readonly inputs?: readonly ArtifactInput[];
  /** Parameters, configs, files and constants that the task read; absent when that is not known. */
  readonly values?: readonly string[];
}

/** An artifact of the same run that a task could read, or did. */
export interface ArtifactInput {
  readonly name: string;
  /** The tasks that it comes from: one by its name, several by their step. */
  readonly from: string;
  readonly tasks: number;
  /** Absent when it comes from several tasks. */
  readonly codec?: string;
  readonly digest?: string;
}
