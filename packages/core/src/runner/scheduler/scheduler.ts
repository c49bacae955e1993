/**
 * Decides which task runs when: state transitions only, without threads, clocks, stores or promises.
 *
 * Every edge of the graph is, in each scope instance, *delivered* (its source finished and took it) or *dead* (its
 * source was never reached, or chose another way), exactly once. From that alone follows what is ready:
 * a plain step on its first delivered edge; a join when each of its edges is resolved and one was delivered; the join of
 * a foreach when that holds for every child, and at once when there is no child. A step whose edges are all dead is dead
 * itself and passes death on (dead-path elimination). The caller takes ready tasks, runs them, and reports back after the
 * result is durable. Not here: batching, limits of time, retries, recording.
 *
 * Task numbers come from outside (`allocate`), so that a replay with the same numbers gives the same tasks.
 */
import { FlowError } from "../../errors/flow-error.ts";
import type { StepProgress } from "../../events/run-event.ts";
import type { Graph, GraphEdge, GraphNode } from "../../graph/graph.ts";
import { splitsOf } from "../../graph/splits.ts";
import { childPath, type TaskPath } from "../../ids/task-path.ts";
import type { TaskSequence } from "../../metadata/metadata-store.ts";
import { type ReadyGroup, ReadyQueue } from "./ready-queue.ts";
import {
  type Arrival,
  type Closing,
  type Fan,
  type JoinInput,
  type ScopeInstance,
  topScope,
} from "./scope-instance.ts";
import { moveTask, type TaskState } from "./task-state.ts";

/** A task that may run now. */
export interface ReadyTask {
  readonly sequence: TaskSequence;
  readonly step: string;
  readonly path: TaskPath;
  /** Whose visible artifacts it starts with; absent for the start step and for joins. */
  readonly inherits?: TaskSequence;
  /** For a foreach child: the split task that holds its item, and the item's index. */
  readonly item?: { readonly split: TaskSequence; readonly index: number };
  /** For a join: its inputs in declared or item order. */
  readonly inputs?: readonly JoinInput[];
  /** For a join: the task that split what it joins. */
  readonly before?: TaskSequence;
}

/** What a task reports when it succeeded. */
export interface TaskOutcome {
  /** Number of items, for a foreach step. */
  readonly fanOut?: number;
  /** Value of `on`, for a choose step. */
  readonly choice?: string;
}

interface RunningTask {
  readonly task: ReadyTask;
  readonly scope: ScopeInstance;
  state: TaskState;
}

type Counts = { -readonly [Count in Exclude<keyof StepProgress, "step">]: number };

export class Scheduler {
  readonly #graph: Graph;
  readonly #allocate: (count: number) => TaskSequence;
  readonly #ready = new ReadyQueue<RunningTask>((group, index) => this.#runningTask(group, index));
  readonly #running = new Map<TaskSequence, RunningTask>();
  readonly #counts = new Map<string, Counts>();
  /** By join, and the steps among them whose tasks have to be remembered for that. */
  readonly #splitOf: ReadonlyMap<string, string>;
  readonly #splits: ReadonlySet<string>;
  #endTask: TaskSequence | undefined;

  /**
   * @param allocate gives the first of `count` consecutive task numbers that nobody else uses
   */
  constructor(graph: Graph, allocate: (count: number) => TaskSequence) {
    this.#graph = graph;
    this.#allocate = allocate;
    this.#splitOf = splitsOf(graph);
    this.#splits = new Set(
      [...this.#splitOf].filter(([join]) => this.#node(join).closes === undefined).map(([, split]) => split),
    );
    for (const step of graph.order)
      this.#counts.set(step, {
        total: 0,
        running: 0,
        waiting: 0,
        succeeded: 0,
        failed: 0,
        caught: 0,
        skipped: 0,
        cancelled: 0,
        adopted: 0,
      });
  }

  /** The largest number of task numbers that the success of one task can ask for, besides its fan-out. */
  get slack(): number {
    return this.#graph.order.length + 1;
  }

  /** The end task, once it succeeded. */
  get endTask(): TaskSequence | undefined {
    return this.#endTask;
  }

  /** Whether nothing runs and nothing is ready. */
  get isIdle(): boolean {
    return this.#running.size === 0 && this.#ready.isEmpty;
  }

  get progress(): readonly StepProgress[] {
    return this.#graph.order.map((step) => ({ step, ...this.#counts.get(step)! }));
  }

  /** Makes the start step ready. */
  begin(): void {
    this.#makeReady(this.#graph.start, topScope(), undefined);
  }

  /** Steps that have ready tasks, with their number, the step that has waited longest first. */
  readySteps(): Iterable<{ readonly step: string; readonly count: number }> {
    return this.#ready.steps();
  }

  /** Takes up to `limit` ready tasks of one step and marks them running. */
  take(step: string, limit: number): readonly ReadyTask[] {
    return this.#ready.take(step, limit).map((running) => {
      this.#run(running);
      return running.task;
    });
  }

  /**
   * A running task has no result and is ready again.
   *
   * @param options.isAlone whether it must run in a message of its own: its worker was lost, and it may be why
   */
  giveBack(sequence: TaskSequence, options: { readonly isAlone: boolean }): void {
    const running = this.#leave(sequence, "queued");
    this.#ready.giveBack(running.task.step, running, options.isAlone);
  }

  /** A task succeeded, and that is durable: what it leads to becomes ready. */
  succeeded(sequence: TaskSequence, outcome: TaskOutcome): void {
    const running = this.#leave(sequence, "succeeded");
    this.#counts.get(running.task.step)!.succeeded++;
    const node = this.#node(running.task.step);
    if (node.step.name === this.#graph.end) this.#endTask = sequence;
    if (this.#splits.has(node.step.name)) {
      running.scope.splits ??= new Map();
      running.scope.splits.set(node.step.name, sequence);
    }
    if (node.step.foreach !== undefined) {
      this.#openFan(node, running.scope, sequence, outcome.fanOut);
      return;
    }
    for (const index of node.outgoing) {
      const edge = this.#graph.edges[index]!;
      const isTaken = edge.kind !== "choice" || (outcome.choice !== undefined && edge.cases!.includes(outcome.choice));
      this.#resolve(edge, index, running.scope, isTaken ? sequence : undefined);
    }
  }

  failed(sequence: TaskSequence): void {
    this.#counts.get(this.#leave(sequence, "failed").task.step)!.failed++;
  }

  cancelled(sequence: TaskSequence): void {
    this.#counts.get(this.#leave(sequence, "cancelled").task.step)!.cancelled++;
  }

  /** Drops all that is ready: nothing new starts. Running tasks still report. */
  stop(): void {
    this.#ready.clear();
  }

  #openFan(node: GraphNode, scope: ScopeInstance, split: TaskSequence, size: number | undefined): void {
    if (size === undefined)
      throw new FlowError("FLOW_INTERNAL", { message: `The foreach step "${node.step.name}" reported no fan-out` });
    const edge = this.#graph.edges[node.outgoing[0]!]!;
    const fan: Fan = { step: node.step.name, split, scope, size, closings: new Map() };
    if (size > 0) {
      this.#counts.get(edge.to)!.total += size;
      this.#ready.push({ step: edge.to, first: this.#allocate(size), fan, inherits: split, next: 0, end: size });
      return;
    }
    for (const join of this.#joinsClosing(node.step.name)) this.#makeReady(join, scope, undefined, [], split);
  }

  /** An edge is delivered by `source`, or dead when there is none. */
  #resolve(edge: GraphEdge, index: number, scope: ScopeInstance, source: TaskSequence | undefined): void {
    if (edge.closes) {
      this.#resolveClosing(edge, scope, source);
      return;
    }
    const target = this.#node(edge.to);
    if (target.incoming.length === 1) {
      if (source === undefined) this.#die(target, scope);
      else this.#makeReady(edge.to, scope, source);
      return;
    }
    const arrival = this.#arrival(target, scope);
    arrival.delivered[target.incoming.indexOf(index)] = source;
    arrival.resolved++;
    if (target.step.isJoin) {
      if (arrival.resolved < target.incoming.length) return;
      const inputs = arrival.delivered.flatMap((task, position) =>
        task === undefined ? [] : [{ from: this.#graph.edges[target.incoming[position]!]!.from, task }],
      );
      scope.arrivals.delete(edge.to);
      if (inputs.length === 0) this.#die(target, scope);
      else this.#makeReady(edge.to, scope, undefined, inputs, scope.splits?.get(this.#splitOf.get(edge.to)!));
      return;
    }
    if (source !== undefined) this.#makeReady(edge.to, scope, source);
    else if (arrival.resolved === target.incoming.length && arrival.delivered.every((task) => task === undefined))
      this.#die(target, scope);
  }

  #resolveClosing(edge: GraphEdge, scope: ScopeInstance, source: TaskSequence | undefined): void {
    const fan = scope.fan!;
    const closing = this.#closing(edge.to, fan);
    if (source !== undefined) {
      closing.inputs[scope.index] ??= [];
      closing.inputs[scope.index]!.push({ from: edge.from, task: source });
    }
    if (--closing.pending > 0) return;
    fan.closings.delete(edge.to);
    const order = new Map(
      this.#node(edge.to).incoming.map((index, position) => [this.#graph.edges[index]!.from, position]),
    );
    const inputs = closing.inputs.flatMap((child) =>
      child.length < 2 ? child : child.sort((a, b) => order.get(a.from)! - order.get(b.from)!),
    );
    if (inputs.length === 0) this.#die(this.#node(edge.to), fan.scope);
    else this.#makeReady(edge.to, fan.scope, undefined, inputs, fan.split);
  }

  /** A step that will never run in this scope: its edges are dead, and so are the joins of a foreach that never opens. */
  #die(node: GraphNode, scope: ScopeInstance): void {
    if (node.step.foreach !== undefined) {
      for (const join of this.#joinsClosing(node.step.name)) this.#die(this.#node(join), scope);
      return;
    }
    for (const index of node.outgoing) this.#resolve(this.#graph.edges[index]!, index, scope, undefined);
  }

  #makeReady(
    step: string,
    scope: ScopeInstance,
    inherits: TaskSequence | undefined,
    inputs?: readonly JoinInput[],
    before?: TaskSequence,
  ): void {
    this.#counts.get(step)!.total++;
    this.#ready.push({
      step,
      first: this.#allocate(1),
      scope,
      next: 0,
      end: 1,
      ...(inherits === undefined ? {} : { inherits }),
      ...(inputs === undefined ? {} : { inputs }),
      ...(before === undefined ? {} : { before }),
    });
  }

  #runningTask(group: ReadyGroup, index: number): RunningTask {
    const { fan } = group;
    const scope: ScopeInstance =
      fan === undefined ? group.scope! : { fan, index, path: childPath(fan.scope.path, index), arrivals: new Map() };
    const task: ReadyTask = {
      sequence: (group.first + index) as TaskSequence,
      step: group.step,
      path: scope.path,
      ...(group.inherits === undefined ? {} : { inherits: group.inherits }),
      ...(fan === undefined ? {} : { item: { split: fan.split, index } }),
      ...(group.inputs === undefined ? {} : { inputs: group.inputs }),
      ...(group.before === undefined ? {} : { before: group.before }),
    };
    return { task, scope, state: "queued" };
  }

  #run(running: RunningTask): void {
    running.state = moveTask(running.state, "running");
    this.#running.set(running.task.sequence, running);
    this.#counts.get(running.task.step)!.running++;
  }

  #leave(sequence: TaskSequence, to: TaskState): RunningTask {
    const running = this.#running.get(sequence);
    if (running === undefined)
      throw new FlowError("FLOW_INTERNAL", { message: `Task number ${sequence} reported ${to} but is not running` });
    running.state = moveTask(running.state, to);
    this.#running.delete(sequence);
    this.#counts.get(running.task.step)!.running--;
    return running;
  }

  #arrival(node: GraphNode, scope: ScopeInstance): Arrival {
    let arrival = scope.arrivals.get(node.step.name);
    if (arrival === undefined) {
      arrival = { delivered: new Array(node.incoming.length).fill(undefined), resolved: 0 };
      scope.arrivals.set(node.step.name, arrival);
    }
    return arrival;
  }

  #closing(join: string, fan: Fan): Closing {
    let closing = fan.closings.get(join);
    if (closing === undefined) {
      closing = { inputs: new Array(fan.size), pending: fan.size * this.#node(join).incoming.length };
      fan.closings.set(join, closing);
    }
    return closing;
  }

  #joinsClosing(foreachStep: string): readonly string[] {
    return this.#graph.order.filter((step) => this.#node(step).closes === foreachStep);
  }

  #node(step: string): GraphNode {
    const node = this.#graph.nodes[step];
    if (node === undefined) throw new FlowError("FLOW_INTERNAL", { message: `The graph has no step "${step}"` });
    return node;
  }
}
