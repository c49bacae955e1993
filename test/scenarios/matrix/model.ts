/**
 * What a run must do, said without Millrace: the tasks of a shape are gone through in an order in which each comes after
 * what it starts from, and the behaviour says how its attempts end.
 */
import type { RandomFlow } from "../../kit/random-flow.ts";
import type { ItemStyle, Shape } from "./shapes.ts";

/** How one attempt at a task ends. */
export type Fate = "succeeded" | "failed" | "caught" | "skipped" | "cancelled";

/** What a step does at a task, and how it ends. */
export interface Conduct {
  /** Of each attempt in order; the last one counts. */
  readonly attempts: readonly Fate[];
  /** Why the attempts before the last failed, and the last one if it did. */
  readonly code?: string;
  /** What is done with the trail: the step's own line, another one instead, or nothing. */
  readonly writes?: "own" | "replaced" | "nothing";
  /** Words behind the step's own line. */
  readonly adds?: readonly string[];
}

/** What is visible to whoever starts from a task. */
interface State {
  readonly trail?: readonly string[];
  readonly common?: string;
  readonly failure?: { readonly code: string; readonly attempts: number };
}

export interface Predicted {
  /** By task as `step` or `step/path`: how each attempt ended. */
  readonly tasks: ReadonlyMap<string, readonly Fate[]>;
  /** What the end leaves; undefined when it is not reached. */
  readonly end: State | undefined;
}

/** @param conductOf how a task, given as `step/path`, goes */
export function predict(
  shape: Shape,
  conductOf: (task: string) => Conduct,
  options: { readonly merges?: boolean } = {},
): Predicted {
  const states = new Map<string, State>();
  const tasks = new Map<string, readonly Fate[]>();
  for (const [task, { inherits, item, inputs, before }] of shape.expected) {
    const needs = [...(inherits === undefined ? [] : [inherits]), ...(inputs ?? [])];
    if (needs.some((need) => !states.has(need)) || (before !== undefined && !states.has(before))) continue;
    const { attempts, code = "", writes = "own", adds = [] } = conductOf(task);
    tasks.set(shortName(task), attempts);
    const last = attempts.at(-1)!;
    if (last === "failed" || last === "cancelled") continue;
    const inherited = inputs === undefined ? (states.get(inherits ?? "") ?? {}) : {};
    if (last === "caught") {
      states.set(task, { ...inherited, failure: { code, attempts: attempts.length } });
      continue;
    }
    const given = inputs?.map((input) => states.get(input)!) ?? [];
    const own = task + (item === undefined ? "" : `=${itemText(shape.items, item.index)}`);
    const begun =
      inputs === undefined
        ? (inherited.trail ?? [])
        : [...given.flatMap(({ trail = [] }) => trail), `|${states.get(before!)?.trail?.length ?? 0}`];
    const common =
      inherits === undefined && inputs === undefined && writes === "own"
        ? "c"
        : options.merges && writes === "own"
          ? given.find((input) => input.common !== undefined)?.common
          : undefined;
    states.set(task, {
      ...inherited,
      ...(common === undefined ? {} : { common }),
      ...(writes === "nothing"
        ? {}
        : { trail: writes === "replaced" ? [...(inherited.trail ?? []), "replaced"] : [...begun, own, ...adds] }),
    });
  }
  return { tasks, end: states.get([...shape.expected.keys()].at(-1)!) };
}

/** What a step of the flow writes of its item. */
export function itemText(style: ItemStyle, index: number): string {
  const number = index * 10 + 1;
  return `${JSON.stringify(style === "map" ? [`key${index}`, number] : number)}@${index}`;
}

/** Tasks that decide nothing about the graph: they may fail, and the others know what to do. */
export function plainTasks(shape: RandomFlow): readonly string[] {
  return [...shape.expected.keys()].filter((task) => {
    const [step, path] = [task.slice(0, task.indexOf("/")), task.slice(task.indexOf("/") + 1)];
    const { fanOut, choice } = shape.outcome(step, path);
    return fanOut === undefined && choice === undefined;
  });
}

/** `start/` is `start`. */
export function shortName(task: string): string {
  return task.endsWith("/") ? task.slice(0, -1) : task;
}
