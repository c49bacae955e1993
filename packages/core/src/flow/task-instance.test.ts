import fs from "node:fs";
import { transformSync } from "esbuild";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { bindFlow } from "./bind-flow.ts";
import { lazyFields } from "./bound-flow.ts";
import { join, step } from "./decorators.ts";
import { Flow } from "./flow.ts";
import { param } from "./param.ts";
import { hasPlainConstructor } from "./plain-constructor.ts";
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

const KEY = Symbol("key");

class Symbols extends Flow {
  readonly [KEY] = counted(7);
  @step() start() {}
}

abstract class SymbolBase extends Flow {
  readonly [KEY] = counted(7);
}

class InheritedSymbol extends SymbolBase {
  @step() start() {}
}

abstract class Effectful extends Flow {
  rows!: number[];
  constructor() {
    super();
    counted(0);
  }
}

class Inherited extends Effectful {
  @step() start() {}
}

abstract class Setting extends Flow {
  set late(_value: readonly number[]) {
    throw new Error("a setter ran");
  }
}

class Shadowing extends Setting {
  // @ts-expect-error a field that hides the setter of a base class
  readonly late = counted([1]);
  @step() start() {}
}

class Hidden extends Flow {
  rows!: number[];
  constructor() {
    super();
    counted(0);
    Object.defineProperty(this, "rows", { get: () => [1], enumerable: false });
  }
  @step() start() {}
}

/** Classes as the loader compiles them. */
function compiled(source: string): readonly (new () => Flow)[] {
  const { code } = transformSync(
    source.replace(/^import .*$/m, "").replaceAll(/export (?:default )?(?=(?:abstract )?class)/g, ""),
    {
      loader: "ts",
      target: "node22",
      keepNames: true,
      tsconfigRaw: { compilerOptions: { experimentalDecorators: false, useDefineForClassFields: true } },
    },
  );
  const names = [...source.matchAll(/class (\w+) extends/g)].map((match) => match[1]);
  const make = new Function("Flow", "step", "join", "param", "z", "counted", `${code}\nreturn [${names.join(", ")}];`);
  return make(Flow, step, join, param, z, counted) as readonly (new () => Flow)[];
}

/** The instance as its task gets it, without values. */
function withFields(flowClass: new () => Flow, instance: ReturnType<typeof taskInstance>): object {
  const none = lazyFields({});
  const { signal } = new AbortController();
  return bindFlow(flowClass, { values: none, inputs: none, onRead: () => {}, merge: () => {}, signal }, () => instance)
    .flow;
}

describe("an instance for a task", () => {
  test("is made without its constructor, with the same own fields in the same order, once the class is known", () => {
    constructions = 0;
    const bound = [1, 2, 3].map(() => {
      const instance = taskInstance(Plain);
      return { ...instance, flow: withFields(Plain, instance) };
    });
    const [first, second, third] = [bound[0]!, bound[1]!, bound[2]!];
    expect(constructions).toBe(1);
    expect(Object.keys(third.flow)).toEqual(Object.keys(first.flow));
    expect(third.flow).toBeInstanceOf(Plain);
    expect(third.flow === second.flow).toBe(false);
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

  test.each([
    ["a symbol-named field", Symbols],
    ["a symbol-named field of a base class that no compiler rewrites", InheritedSymbol],
    ["a base class whose constructor has an effect", Inherited],
    ["an own getter", Hidden],
  ])("is constructed for real with %s", (_what, flowClass) => {
    constructions = 0;
    const [first, , third] = [taskInstance(flowClass), taskInstance(flowClass), taskInstance(flowClass)];
    expect(constructions).toBe(3);
    expect(Reflect.ownKeys(third.flow)).toEqual(Reflect.ownKeys(first.flow));
  });

  test("does not run a setter of the prototype", () => {
    constructions = 0;
    taskInstance(Shadowing);
    const second = withFields(Shadowing, taskInstance(Shadowing));
    expect(constructions).toBe(1);
    expect(Object.getOwnPropertyDescriptor(second, "late")).toMatchObject({ enumerable: true, configurable: false });
  });

  test("is made without the constructor that esbuild writes", () => {
    const source = fs.readFileSync(new URL("../../../../bench/flows/wide.ts", import.meta.url), "utf8");
    constructions = 0;
    const [wide] = compiled(source.replace(/param\((.*)\);/, "counted(param($1));"));
    taskInstance(wide!);
    taskInstance(wide!);
    expect(constructions).toBe(1);
  });
});

describe("a constructor that sets fields alone", () => {
  test.each([
    ["none", "class A extends Flow { x = 1; }"],
    [
      "esbuild's",
      "class A extends Flow { /** A comment. */ x = [/[)/]/, `a${`)`}`, ')', (1 + 2)]; y!: number; @step() start() {} }",
    ],
    ["none, where a method asks for its class", "class A extends Flow { name() { return this.constructor.name; } }"],
  ])("%s", (_what, source) => {
    expect(compiled(source).map(hasPlainConstructor)).toEqual([true]);
  });

  test.each([
    ["a statement", "class A extends Flow { constructor() { super(); counted(1); } @step() start() {} }"],
    [
      "a statement behind a field",
      "class A extends Flow { x = ')'; constructor() { super(); counted(1); } @step() s() {} }",
    ],
    ["a quoted name", "class A extends Flow { 'constructor'() { super(); counted(1); } }"],
    ["a private field", "class A extends Flow { #x = 1; @step() start() { return this.#x; } }"],
    ["a computed key", "class A extends Flow { [Symbol('x')] = 1; @step() start() {} }"],
    [
      "an initialiser of another decorator",
      "function d(_: unknown, c: any) { c.addInitializer(() => counted(1)); }\nclass A extends Flow { @d @step() start() {} }",
    ],
  ])("not with %s", (_what, source) => {
    expect(compiled(source).map(hasPlainConstructor)).toEqual([false]);
  });
});
