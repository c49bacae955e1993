/**
 * The run-time side of scopes: which executions of a foreach body or of a loop's body exist, and what has arrived at the
 * joins in them.
 *
 * A `ScopeInstance` is the run itself (at the top), one execution of a foreach body, or one round of a loop. A `Fan` is
 * one execution of a foreach: it knows how many children it has and collects what they deliver to the join that closes
 * it. Children that are not dispatched yet are no objects: they are a range inside a `ReadyGroup`, so that 100,000
 * siblings stay cheap. A round knows nothing of the rounds before it, so that the thousandth is as cheap as the first.
 */
import { childPath, roundPath, type TaskPath } from "../../ids/task-path.ts";
import type { TaskSequence } from "../../metadata/metadata-store.ts";

export interface ScopeInstance {
  readonly path: TaskPath;
  /** The foreach execution that this is a child of. */
  readonly fan?: Fan;
  /** Index of the item; 0 elsewhere. */
  readonly index: number;
  /** For a round of a loop: where the loop stands, and which round it is, from 0. */
  readonly round?: { readonly outer: ScopeInstance; readonly number: number };
  /** What has arrived at steps with several incoming edges in this scope, by step. */
  arrivals?: Map<string, Arrival>;
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
  /** By child index. The edges into the join exclude each other, so a child delivers one of them at most. */
  readonly inputs: (JoinInput | undefined)[];
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
  return { index: 0, path: "" };
}

/** The scope of one item of a foreach. */
export function itemScope(fan: Fan, index: number): ScopeInstance {
  return { fan, index, path: childPath(fan.scope.path, index) };
}

/** A round of a loop that stands in `outer`. */
export function roundScope(outer: ScopeInstance, number: number): ScopeInstance {
  return { index: 0, path: roundPath(outer.path, number), round: { outer, number } };
}

/** The item that a scope is about: its own, or that of the scope around its loops. */
export function itemOf(scope: ScopeInstance): { readonly split: TaskSequence; readonly index: number } | undefined {
  let place = scope;
  while (place.round !== undefined) place = place.round.outer;
  return place.fan === undefined ? undefined : { split: place.fan.split, index: place.index };
}
