/**
 * The run-time side of scopes: which executions of a foreach body exist, and what has arrived at the joins in them.
 *
 * A `ScopeInstance` is one execution of a foreach body (or the run itself, at the top). A `Fan` is one execution of a
 * foreach: it knows how many children it has and collects what they deliver to the joins that close it. Children that are
 * not dispatched yet are no objects: they are a range inside a `ReadyGroup`, so that 100,000 siblings stay cheap.
 */
import type { TaskPath } from "../../ids/task-path.ts";
import type { TaskSequence } from "../../metadata/metadata-store.ts";

export interface ScopeInstance {
  /** The foreach execution that this is a child of; absent at the top. */
  readonly fan?: Fan;
  /** Index of the item; 0 at the top. */
  readonly index: number;
  readonly path: TaskPath;
  /** What has arrived at steps with several incoming edges in this scope, by step. */
  readonly arrivals: Map<string, Arrival>;
  /** Tasks of steps in this scope that a later join of branches calls its split; there once the first one succeeded. */
  splits?: Map<string, TaskSequence>;
}

/** Edges of one step inside one scope: each is delivered or proven dead, once. */
export interface Arrival {
  /** By position in the node's incoming edges. */
  readonly delivered: (TaskSequence | undefined)[];
  resolved: number;
}

export interface Fan {
  /** The foreach step. */
  readonly step: string;
  readonly split: TaskSequence;
  /** Where the foreach step itself ran. */
  readonly scope: ScopeInstance;
  readonly size: number;
  /** What the children have delivered to each join that closes this foreach. */
  readonly closings: Map<string, Closing>;
}

export interface Closing {
  /** By child index; inside a child in the order of the join's incoming edges. */
  readonly inputs: JoinInput[][];
  /** Edges still unresolved over all children. */
  pending: number;
}

/** One input of a join: the step it comes from and the task that delivered it. */
export interface JoinInput {
  readonly from: string;
  readonly task: TaskSequence;
}

/** A new scope at the top of a run. */
export function topScope(): ScopeInstance {
  return { index: 0, path: "", arrivals: new Map() };
}
