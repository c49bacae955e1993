import { describe, expect, test } from "vitest";
import * as z from "zod";
import { step } from "./decorators.ts";
import { Flow } from "./flow.ts";
import { param } from "./param.ts";
import { taskInstance } from "./task-instance.ts";

let constructions = 0;
const counted = <T>(value: T): T => {
  constructions++;
  return value;
};

class Plain extends Flow {
  readonly size = counted(param(z.number()));
  readonly limits = [1, 2];
  rows!: number[];
  @step() start() {}
}

class Private extends Flow {
  #cache = counted(new Map<string, number>());
  @step() start() {
    this.#cache.set("a", (this.#cache.get("a") ?? 0) + 1);
    return this.#cache.get("a");
  }
}

class Bound extends Flow {
  readonly id = counted(() => this);
  @step() start() {}
}

describe("an instance for a task", () => {
  test("is made without its constructor, with the same own fields in the same order, once the class is known", () => {
    constructions = 0;
    const [first, second, third] = [taskInstance(Plain), taskInstance(Plain), taskInstance(Plain)];
    expect(constructions).toBe(1);
    expect(Object.keys(third.flow)).toEqual(Object.keys(first.flow));
    expect(third.flow).toBeInstanceOf(Plain);
    expect(third.flow).not.toBe(second.flow);
    expect([...third.fields].map(([name, field]) => [name, field.kind])).toEqual([
      ["size", "definition"],
      ["limits", "constant"],
      ["rows", "empty"],
    ]);
  });

  test("has private members of its own, never those of another task", () => {
    constructions = 0;
    const counts = [1, 2, 3].map(() => (taskInstance(Private).flow as Private).start());
    expect(counts).toEqual([1, 1, 1]);
    expect(constructions).toBe(3);
  });

  test("has functions that were made for it: they may have kept `this`", () => {
    const [first, second] = [taskInstance(Bound).flow as Bound, taskInstance(Bound).flow as Bound];
    expect(first.id()).toBe(first);
    expect(second.id()).toBe(second);
  });
});
