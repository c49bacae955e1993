import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { bindFlow } from "./bind-flow.ts";
import { lazyFields } from "./bound-flow.ts";
import { step } from "./decorators.ts";
import type { FieldWatch } from "./field-watch.ts";
import { Flow } from "./flow.ts";
import { param } from "./param.ts";
import { taskInstance } from "./task-instance.ts";

class Plain extends Flow {
  readonly size = param(z.number());
  readonly table = [1, 2];
  rows!: number[];
  sum!: number | undefined;
  @step() start() {}
  twice() {
    return this.rows.length * 2;
  }
  get first() {
    return this.rows[0];
  }
  set first(value: number | undefined) {
    this.sum = value;
  }
}

class Private extends Plain {
  #hidden = 3;
  readonly doubled = () => this.rows.length * this.#hidden;
  reveal() {
    return this.#hidden + (this.sum ?? 0);
  }
  static isOne(flow: object) {
    return #hidden in flow;
  }
}

/** A bound flow, and what its watch is told from now on. */
function watched<T extends Plain>(flowClass: new () => T) {
  const told: string[] = [];
  const watch: FieldWatch & { isOn: boolean } = {
    isOn: false,
    fieldRead: (name) => told.push(`read ${name}`),
    fieldSet: (name) => told.push(`set ${name}`),
    classRead: () => told.push("class"),
    unknownRead: (what) => told.push(what),
  };
  const bound = bindFlow(
    flowClass,
    {
      values: lazyFields({ size: () => 4 }),
      inputs: lazyFields({ rows: () => [5, 6], extra: () => 7 }),
      onRead: () => {},
      signal: new AbortController().signal,
      merge: () => {},
    },
    (each) => taskInstance(each, watch),
  );
  expect(told).toEqual([]);
  watch.isOn = true;
  return { bound, told, flow: bound.flow as T & { extra: number } & Record<string, unknown> };
}

describe.each([
  ["a class that is copied", Plain],
  ["a class with private members", Private],
])("%s", (_, flowClass) => {
  test("tells what is read before it is set, once for each name", () => {
    const { flow, told } = watched(flowClass);
    expect([flow.size, flow.rows, flow.rows.length, flow.extra]).toEqual([4, [5, 6], 2, 7]);
    expect(told).toEqual(["read size", "read rows", "read extra"]);
  });

  test("tells that a field was asked for that is not there, whether it is declared or not", () => {
    const { flow, told } = watched(flowClass);
    expect([flow.sum, flow.unheardOf, "other" in flow, Object.hasOwn(flow, "more")]).toEqual([
      undefined,
      undefined,
      false,
      false,
    ]);
    expect(told).toEqual(["read sum", "read unheardOf", "read other", "read more"]);
  });

  test("a field that is set or deleted first is not read", () => {
    const { flow, told, bound } = watched(flowClass);
    flow.sum = 1;
    flow.sum += 1;
    delete (flow as Record<string, unknown>).extra;
    expect([flow.sum, flow.extra, "extra" in flow]).toEqual([2, undefined, false]);
    Object.defineProperty(flow, "defined", { value: 3, enumerable: true });
    expect(told).toEqual(["set sum", "set extra", "set defined"]);
    expect(bound.fields().filter(({ kind }) => kind === "value")).toMatchObject([
      { name: "sum", value: 2 },
      { name: "defined", value: 3 },
    ]);
  });

  test("methods and accessors are code: what they do with `this` is told", () => {
    const { flow, told } = watched(flowClass);
    expect([flow.twice(), flow.first]).toEqual([4, 5]);
    flow.first = 8;
    expect(flow.sum).toBe(8);
    expect(told).toEqual(["read rows", "set sum"]);
  });

  test("tells when the class or all fields are asked for", () => {
    const { flow, told } = watched(flowClass);
    expect(flow instanceof flowClass).toBe(true);
    expect(flow.constructor).toBe(flowClass);
    expect(told).toEqual(["class", "class"]);
    for (const look of [Object.keys, JSON.stringify, inspect, (value: object) => ({ ...value })]) {
      told.length = 0;
      look(flow);
      expect(told.join()).toContain("the list of its fields");
    }
  });

  test("read-only fields stay read-only, and a constant stays a constant", () => {
    const { flow, bound } = watched(flowClass);
    expect(() => {
      (flow as { size: number }).size = 5;
    }).toThrow(expect.objectContaining({ code: "FLOW_FLOW_READ_ONLY" }));
    flow.table.push(3);
    expect(() => bound.fields()).toThrow(expect.objectContaining({ code: "FLOW_FLOW_CONSTANT_CHANGED" }));
  });
});

test("private members and functions of the constructor belong to the object that is watched", () => {
  const { flow, told } = watched(Private);
  expect([flow.reveal(), flow.doubled(), Private.isOne(flow)]).toEqual([3, 6, true]);
  expect(told).toEqual(["read sum", "read doubled", "read rows"]);
});

test("a flow that is built beside a watched one is not watched", () => {
  class Nesting extends Plain {
    readonly inner = () => new Private().reveal();
    #mine = new Private();
    constructor() {
      new Private().reveal();
      super();
    }
    peek() {
      return this.#mine.reveal();
    }
  }
  const { flow, told } = watched(Nesting);
  expect([flow.inner(), flow.peek()]).toEqual([3, 3]);
  expect(told).toEqual(["read inner"]);
});
