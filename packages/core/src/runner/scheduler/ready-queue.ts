/**
 * Tasks that may run now, by step, in the order in which they became ready. The children of a foreach wait as one range,
 * and every operation costs what it gives: 100,000 siblings are one entry, and 100,000 entries are not walked through.
 *
 * With a source of random numbers, steps and tasks come in shuffled order instead. Whatever relies on the order in which
 * independent tasks start then shows early.
 */
import type { TaskSequence } from "../../metadata/metadata-store.ts";
import type { Fan, JoinInput, ScopeInstance } from "./scope-instance.ts";
import type { StepPlan } from "./step-plan.ts";

/** Tasks of one step that became ready together: one task, or children of one fan from `next` to `end`. */
export interface ReadyGroup {
  readonly step: StepPlan;
  /** What is added to a task's index to have its number. */
  readonly base: number;
  readonly fan?: Fan;
  readonly scope?: ScopeInstance;
  readonly inherits?: TaskSequence;
  readonly inputs?: readonly JoinInput[];
  /** For a join: the task whose artifacts `inputs.before` shows. */
  readonly before?: TaskSequence;
  next: number;
  readonly end: number;
  /** When shuffled: which index stands in the place of another, where it is not its own. */
  moved?: Map<number, number>;
}

interface StepQueue<Task> {
  /** Tasks that must not share a message: one of them may have ended its worker. */
  readonly alone: Task[];
  /** Tasks that were handed out and came back, or wait no longer: they go before the groups. */
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
  readonly #random: (() => number) | undefined;
  /** When shuffled: the order of the steps, until what is ready changes. How often somebody looks must not decide anything. */
  #shuffled: readonly string[] | undefined;

  constructor(makeTask: (group: ReadyGroup, index: number) => Task, random?: () => number) {
    this.#makeTask = makeTask;
    this.#random = random;
  }

  get isEmpty(): boolean {
    return this.#steps.size === 0;
  }

  push(group: ReadyGroup): void {
    this.#shuffled = undefined;
    const queue = this.#queue(group.step.name);
    queue.groups.push(group);
    queue.count += group.end - group.next;
  }

  giveBack(step: string, task: Task, isAlone: boolean): void {
    this.#shuffled = undefined;
    const queue = this.#queue(step);
    (isAlone ? queue.alone : queue.returned).push(task);
    queue.count++;
  }

  /** Steps with ready tasks and how many each has. */
  *steps(): Generator<{ readonly step: string; readonly count: number }> {
    if (this.#random === undefined) {
      for (const [step, { count }] of this.#steps) yield { step, count };
      return;
    }
    this.#shuffled ??= this.#shuffle([...this.#steps.keys()]);
    for (const step of this.#shuffled) {
      const queue = this.#steps.get(step);
      if (queue !== undefined) yield { step, count: queue.count };
    }
  }

  /** Takes up to `limit` tasks of one step; a task that must be alone comes alone. */
  take(step: string, limit: number): readonly Task[] {
    const queue = this.#steps.get(step);
    if (queue === undefined) return [];
    this.#shuffled = undefined;
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
    while (tasks.length < limit && queue.head < queue.groups.length) {
      if (this.#random !== undefined) this.#swap(queue.groups, queue.head);
      const group = queue.groups[queue.head]!;
      tasks.push(this.#makeTask(group, this.#nextOf(group)));
      if (group.next === group.end) queue.head++;
    }
    if (queue.head > 1_024 && queue.head * 2 > queue.groups.length) {
      queue.groups.splice(0, queue.head); // Rarely, so that each group is moved a bounded number of times.
      queue.head = 0;
    }
    return tasks;
  }

  /** The next child of a group, or any that is left: a shuffle that keeps only what it has moved. */
  #nextOf(group: ReadyGroup): number {
    const place = group.next++;
    if (this.#random === undefined) return place;
    group.moved ??= new Map();
    const other = place + Math.floor(this.#random() * (group.end - place));
    const index = group.moved.get(other) ?? other;
    if (other !== place) group.moved.set(other, group.moved.get(place) ?? place);
    group.moved.delete(place);
    return index;
  }

  #shuffle(names: string[]): readonly string[] {
    for (let place = 0; place < names.length; place++) this.#swap(names, place);
    return names;
  }

  /** Puts some element from `place` on into that place, and gives it back. */
  #swap<T>(list: T[], place: number): number {
    const other = place + Math.floor(this.#random!() * (list.length - place));
    [list[place], list[other]] = [list[other]!, list[place]!];
    return place;
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
