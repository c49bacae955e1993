/**
 * Tasks that may run now, by step, in the order in which they became ready. The children of a foreach wait as one range,
 * and every operation costs what it gives: 100,000 siblings are one entry, and 100,000 entries are not walked through.
 */
import type { TaskSequence } from "../../metadata/metadata-store.ts";
import type { Fan, JoinInput, ScopeInstance } from "./scope-instance.ts";

/** Tasks of one step that became ready together: one task, or the children of one fan from `next` to `end`. */
export interface ReadyGroup {
  readonly step: string;
  readonly first: TaskSequence;
  readonly fan?: Fan;
  readonly scope?: ScopeInstance;
  readonly inherits?: TaskSequence;
  readonly inputs?: readonly JoinInput[];
  /** For a join: the task whose artifacts `inputs.before` shows. */
  readonly before?: TaskSequence;
  next: number;
  readonly end: number;
}

interface StepQueue<Task> {
  /** Tasks that must not share a message: one of them may have ended its worker. */
  readonly alone: Task[];
  /** Tasks that were handed out and came back without having begun: they go before the groups. */
  readonly returned: Task[];
  readonly groups: ReadyGroup[];
  /** Groups before it are used up. */
  head: number;
  count: number;
}

export class ReadyQueue<Task> {
  /** Steps with ready tasks, the one that has had some for longest first. */
  readonly #steps = new Map<string, StepQueue<Task>>();
  readonly #makeTask: (group: ReadyGroup, index: number) => Task;

  constructor(makeTask: (group: ReadyGroup, index: number) => Task) {
    this.#makeTask = makeTask;
  }

  get isEmpty(): boolean {
    return this.#steps.size === 0;
  }

  push(group: ReadyGroup): void {
    const queue = this.#queue(group.step);
    queue.groups.push(group);
    queue.count += group.end - group.next;
  }

  giveBack(step: string, task: Task, isAlone: boolean): void {
    const queue = this.#queue(step);
    (isAlone ? queue.alone : queue.returned).push(task);
    queue.count++;
  }

  /** Steps with ready tasks and how many each has. */
  *steps(): Generator<{ readonly step: string; readonly count: number }> {
    for (const [step, { count }] of this.#steps) yield { step, count };
  }

  /** Takes up to `limit` tasks of one step; a task that must be alone comes alone. */
  take(step: string, limit: number): readonly Task[] {
    const queue = this.#steps.get(step);
    if (queue === undefined) return [];
    const alone = queue.alone.shift();
    const tasks = alone === undefined ? this.#takeTogether(queue, limit) : [alone];
    queue.count -= tasks.length;
    if (queue.count === 0) this.#steps.delete(step);
    return tasks;
  }

  clear(): void {
    this.#steps.clear();
  }

  #takeTogether(queue: StepQueue<Task>, limit: number): Task[] {
    const tasks = queue.returned.splice(0, limit);
    while (tasks.length < limit) {
      const group = queue.groups[queue.head];
      if (group === undefined) break;
      while (tasks.length < limit && group.next < group.end) tasks.push(this.#makeTask(group, group.next++));
      if (group.next === group.end) queue.head++;
    }
    if (queue.head > 1_024 && queue.head * 2 > queue.groups.length) {
      queue.groups.splice(0, queue.head); // Rarely, so that each group is moved a bounded number of times.
      queue.head = 0;
    }
    return tasks;
  }

  #queue(step: string): StepQueue<Task> {
    let queue = this.#steps.get(step);
    if (queue === undefined) {
      queue = { alone: [], returned: [], groups: [], head: 0, count: 0 };
      this.#steps.set(step, queue);
    }
    return queue;
  }
}
