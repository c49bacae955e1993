/**
 * Step digests: a change of code is told by exactly the steps that reach it. Each case is a project before and after an
 * edit, through the real bundler.
 */
import path from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bundleFlow } from "../../packages/core/src/package/bundle-flow.ts";
import { withStepDigests } from "../../packages/core/src/package/digests/step-digests.ts";
import { findPackageRoot } from "../../packages/core/src/package/package-root.ts";
import { installed, makeProject, type ProjectFiles, writeFiles } from "./project-kit.ts";

const STEPS = ["start", "middle", "end"] as const;
type Digests = Readonly<Record<string, string>>;

/** Digests of the steps of `flow.ts`, without evaluating it. */
async function digestsOf(root: string, steps: readonly string[] = STEPS): Promise<Digests> {
  const entry = path.join(root, "flow.ts");
  const packageRoot = findPackageRoot(entry);
  const { code, manifest } = await bundleFlow(entry, packageRoot);
  const definition = { steps: steps.map((name) => ({ name })) } as never;
  const [flow] = await withStepDigests([{ exportName: "default", definition }], {
    code,
    manifest,
    root: packageRoot.folder,
  });
  return Object.fromEntries(flow!.definition.steps.map((step) => [step.name, step.codeDigest!]));
}

/** Names of the steps whose digest an edit changes. */
async function changedBy(before: ProjectFiles, after: ProjectFiles): Promise<readonly string[]> {
  const root = makeProject({ "package.json": '{ "name": "shop", "type": "module" }', ...before });
  const old = await digestsOf(root);
  writeFiles(root, after);
  const fresh = await digestsOf(root);
  return STEPS.filter((step) => old[step] !== fresh[step]);
}

/** A flow whose three steps have these bodies. */
function flow(
  bodies: { readonly start?: string; readonly middle?: string; readonly end?: string },
  rest: { readonly head?: string; readonly members?: string; readonly tail?: string; readonly base?: string } = {},
): string {
  return `import { Flow, around, step, param, upstream, artifact, storable, defineCodec, current, z } from "@millrace/core";
${rest.head ?? ""}
export default class Shop extends ${rest.base ?? "Flow"} {
  value!: any;
  ${rest.members ?? ""}
  @step({ next: "middle" })
  start() { ${bodies.start ?? ""} }
  @step({ next: "end" })
  middle() { ${bodies.middle ?? ""} }
  @step()
  end() { ${bodies.end ?? ""} }
}
${rest.tail ?? ""}
`;
}

/** Replaces a text that must be there. */
function edit(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`"${from}" is not in the text`);
  return text.replace(from, to);
}

describe("the user's functions", () => {
  const files = {
    "flow.ts": flow(
      { start: "this.value = outer(1);", middle: "this.value = other();" },
      { head: 'import { outer } from "./outer.ts"; import { other } from "./other.ts";' },
    ),
    "outer.ts": 'import { inner } from "./inner.ts";\nexport function outer(x: number) { return inner(x) * 2; }\n',
    "inner.ts": "export function inner(x: number) { return x + 1; }\nexport function unused() { return 3; }\n",
    "other.ts": 'import { unused } from "./inner.ts";\nexport const other = () => unused() + 1;\n',
  };

  test("a helper two files down counts for the step that reaches it, and for no other", async () => {
    expect(await changedBy(files, { "inner.ts": edit(files["inner.ts"], "x + 1", "x + 2") })).toEqual(["start"]);
    expect(await changedBy(files, { "inner.ts": edit(files["inner.ts"], "return 3", "return 4") })).toEqual(["middle"]);
    expect(await changedBy(files, { "outer.ts": edit(files["outer.ts"], "* 2", "* 3") })).toEqual(["start"]);
  });

  test("comments, types, formatting and quotes change nothing", async () => {
    const reformatted = `import { inner } from './inner.ts'
/** What it does. */
export function outer(
  x: number | bigint, // the number
): any {
  /* twice */
  return (
    inner(x as number) *
    2
  )
}
`;
    const flowFile = edit(
      files["flow.ts"],
      "{ this.value = outer(1); }",
      "{\n\n // now\n this.value =\n outer(\n1\n); }",
    );
    expect(await changedBy(files, { "outer.ts": reformatted, "flow.ts": flowFile })).toEqual([]);
  });

  test("lists and objects may stand on one line or on many, with or without quoted keys and last commas", async () => {
    const template = "`x$" + "{1}y`";
    const one = flow({ start: `this.value = [1, 2, { a: 1, "b": 2 }, ${template}];` });
    const many = flow({
      start: `this.value = [\n1,\n2, // two\n{\na: 1,\nb: 2,\n},\n${template.replace("1", "\n1")},\n];`,
    });
    expect(await changedBy({ "flow.ts": one }, { "flow.ts": many })).toEqual([]);
  });

  test("what is added beside a step, and makes the bundler rename what it uses, changes nothing", async () => {
    const before = {
      "flow.ts": flow(
        {
          start:
            "const row = outer(1); const f = ({ row: r, col = 2 }: any) => ({ r, col, row }); this.value = f(row);",
        },
        { head: 'import { outer } from "./outer.ts";' },
      ),
      "outer.ts": "export function outer(row: number) { const col = row + 1; return { row, col }; }\n",
    };
    const after = {
      "flow.ts": edit(
        before["flow.ts"],
        "import { outer }",
        'import { row, col } from "./more.ts"; import { outer }',
      ).replace("middle() { ", "middle() { "),
      "more.ts":
        "export function row() { return 1; }\nexport const col = 5;\nexport class Decorated { @tag m() {} }\nfunction tag(target: any, _: any) { return target; }\nnew Decorated();",
    };
    // `row` and `col` are taken at the top level now, and `_init` belongs to another class.
    const used = { ...after, "flow.ts": edit(after["flow.ts"], "end() { ", "end() { this.value = row() + col; ") };
    expect(await changedBy(before, used)).toEqual(["end"]);
  });

  test("renaming a function that only another step uses changes nothing here", async () => {
    expect(
      await changedBy(files, {
        "inner.ts": files["inner.ts"].replaceAll("unused", "renamed"),
        "other.ts": files["other.ts"].replaceAll("unused", "renamed"),
      }),
    ).toEqual(["middle"]); // function.name is one a program can see
  });

  test("two functions that swap their bodies are a change", async () => {
    const before = {
      "flow.ts": flow({ start: "this.value = [a(), b()];" }, { head: "const a = () => 1; const b = () => 2;" }),
    };
    const after = {
      "flow.ts": flow({ start: "this.value = [a(), b()];" }, { head: "const a = () => 2; const b = () => 1;" }),
    };
    expect(await changedBy(before, after)).toEqual(["start"]);
    const swapped = {
      "flow.ts": flow({ start: "this.value = [b(), a()];" }, { head: "const a = () => 1; const b = () => 2;" }),
    };
    expect(await changedBy(before, swapped)).toEqual(["start"]);
  });

  test("space that parts two operators is kept", async () => {
    const before = { "flow.ts": flow({ start: "let a = 1; let b = 2; this.value = a++ + b;" }) };
    const after = { "flow.ts": flow({ start: "let a = 1; let b = 2; this.value = a + ++b;" }) };
    expect(await changedBy(before, after)).toEqual(["start"]);
  });

  test("a constant, an enum, a table and a namespace import count for those who use them", async () => {
    const head = "const LIMIT = 3; enum Kind { A = 'a', B = 'b' } const table = { a: 1, b: [2] };";
    const before = {
      "flow.ts": flow(
        { start: "this.value = LIMIT;", middle: "this.value = Kind.B;", end: "this.value = [table.b, all.two];" },
        { head: `import * as all from "./all.ts"; ${head}` },
      ),
      "all.ts": "export const one = 1; export const two = () => 2;",
    };
    expect(await changedBy(before, { "flow.ts": edit(before["flow.ts"], "LIMIT = 3", "LIMIT = 4") })).toEqual([
      "start",
    ]);
    expect(await changedBy(before, { "flow.ts": edit(before["flow.ts"], "'b'", "'c'") })).toEqual(["middle"]);
    expect(await changedBy(before, { "flow.ts": edit(before["flow.ts"], "b: [2]", "b: [3]") })).toEqual(["end"]);
    expect(await changedBy(before, { "all.ts": edit(before["all.ts"], "() => 2", "() => 3") })).toEqual(["end"]);
  });

  test("values that are taken apart at the top level count", async () => {
    const before = {
      "flow.ts": flow(
        { start: "this.value = first;" },
        { head: "const make = () => [1, { b: 2 }] as any; const [first, { b }] = make(); export { b };" },
      ),
    };
    expect(await changedBy(before, { "flow.ts": edit(before["flow.ts"], "[1, {", "[9, {") })).toEqual(["start"]);
  });

  test("CommonJS modules and modules that are loaded late count as wholes", async () => {
    const before = {
      "flow.ts": flow(
        { start: "this.value = legacy.one;", middle: 'this.value = (await import("./late.ts")).late();' },
        { head: 'import legacy from "./legacy.cjs";' },
      ).replace("middle() {", "async middle() {"),
      "legacy.cjs": "exports.one = 1; exports.two = () => 2;",
      "late.ts": "const base = 7; export const late = () => base;",
    };
    expect(await changedBy(before, { "legacy.cjs": edit(before["legacy.cjs"], "=> 2", "=> 3") })).toEqual(["start"]);
    expect(await changedBy(before, { "late.ts": edit(before["late.ts"], "= 7", "= 8") })).toEqual(["middle"]);
  });
});

describe("the flow's own class", () => {
  test("methods, accessors, private members, fields and static members count where they are reached", async () => {
    const source = flow(
      {
        start: "this.value = this.#twice(1) + this.third;",
        middle: "this.value = Shop.limit + this.table[0];",
        end: "this.shown();",
      },
      {
        members: `static limit = 3;
  readonly table = [1, 2];
  readonly scale = (x: number) => x * 10;
  readonly #secret = 4;
  #twice(x: number) { return x * 2; }
  get third() { return this.#secret + 3; }
  shown() { return this.scale(5); }
  untouched() { return 1; }`,
      },
    );
    const change = (from: string, to: string) =>
      changedBy({ "flow.ts": source }, { "flow.ts": edit(source, from, to) });
    expect(await change("x * 2", "x * 3")).toEqual(["start"]);
    expect(await change("#secret = 4", "#secret = 5")).toEqual(["start"]);
    expect(await change("+ 3; }", "+ 4; }")).toEqual(["start"]);
    expect(await change("limit = 3", "limit = 4")).toEqual(["middle"]);
    expect(await change("[1, 2]", "[1, 3]")).toEqual(["middle"]);
    expect(await change("x * 10", "x * 11")).toEqual(["end"]);
    expect(await change("untouched() { return 1", "untouched() { return 2")).toEqual([]);
    expect(await change("untouched() { return 1; }", "")).toEqual([]);
  });

  test("members of base classes count, and an override in place of what it overrides", async () => {
    const base = `export abstract class Common extends Flow {
  shared() { return this.hook(); }
  hook() { return 1; }
  only() { return 5; }
}`;
    const before = {
      "flow.ts": flow(
        { start: "this.value = this.shared();", middle: "this.value = super.only();" },
        { head: 'import { Common } from "./base.ts";', base: "Common", members: "override hook() { return 2; }" },
      ),
      "base.ts": `import { Flow } from "@millrace/core";\n${base}`,
    };
    const change = (from: string, to: string) => changedBy(before, { "base.ts": edit(before["base.ts"], from, to) });
    expect(await change("this.hook()", "this.hook() + 1")).toEqual(["start"]);
    expect(await change("return 5", "return 6")).toEqual(["middle"]);
    expect(await changedBy(before, { "flow.ts": edit(before["flow.ts"], "return 2", "return 3") })).toEqual(["start"]);
  });

  test("what moves from a class to its base is a change: super means another member then", async () => {
    const source = (own: string, base: string) =>
      flow(
        { start: "this.value = this.x();" },
        { head: `class Base extends Flow { ${base} }`, base: "Base", members: own },
      );
    const before = { "flow.ts": source("x() { return super.y(); } y() { return 1; }", "y() { return 2; }") };
    const after = { "flow.ts": source("y() { return 1; }", "x() { return (super.y as any)(); } y() { return 2; }") };
    expect(await changedBy(before, after)).toEqual(["start"]);
  });

  test("a static member of the class and one of its base are told apart", async () => {
    const source = (name: string) =>
      flow(
        { start: `this.value = ${name}.limit;` },
        { head: "class Base extends Flow { static limit = 1; }", base: "Base", members: "static limit = 2;" },
      );
    expect(await changedBy({ "flow.ts": source("Shop") }, { "flow.ts": source("Base") })).toEqual(["start"]);
  });

  test("user's decorators count for the steps that they stand on; a class decorator for all", async () => {
    const head = `function timed(target: any, _: any) { return function (this: any, ...a: any[]) { return target.apply(this, a); }; }
function sealed(target: any, _: any) { Object.freeze(target); }`;
    const source = edit(flow({}, { head }), '@step({ next: "end" })', '@timed\n  @step({ next: "end" })');
    expect(
      await changedBy(
        { "flow.ts": source },
        { "flow.ts": edit(source, "target.apply(this, a)", "target.call(this, ...a)") },
      ),
    ).toEqual(["middle"]);
    const whole = edit(flow({}, { head }), "export default class", "@sealed\nexport default class");
    expect(
      await changedBy({ "flow.ts": whole }, { "flow.ts": edit(whole, "Object.freeze(target)", "Object.seal(target)") }),
    ).toEqual([...STEPS]);
  });

  test("a member that only a decorator's wrapper calls counts", async () => {
    const head =
      "function logged(target: any, _: any) { return function (this: any) { this.note(); return target.call(this); }; }";
    const source = edit(
      flow({}, { head, members: "note() { return 1; }" }),
      '@step({ next: "end" })',
      '@logged\n  @step({ next: "end" })',
    );
    expect(
      await changedBy({ "flow.ts": source }, { "flow.ts": edit(source, "note() { return 1", "note() { return 2") }),
    ).toEqual(["middle"]);
  });

  test("a member that a decorator made by around() asks of the flow counts", async () => {
    const head = `const noted = around(async (task: any, proceed) => { await proceed(); note(task.flow); });
function note(flow: any) { flow.remark(); }`;
    const source = edit(
      flow({}, { head, members: "remark() { return 1; } other() { return 2; }" }),
      '@step({ next: "end" })',
      '@noted\n  @step({ next: "end" })',
    );
    const change = (from: string, to: string) =>
      changedBy({ "flow.ts": source }, { "flow.ts": edit(source, from, to) });
    expect(await change("remark() { return 1", "remark() { return 3")).toEqual(["middle"]);
    expect(await change("other() { return 2", "other() { return 3")).toEqual([]);
  });

  test("where a step leads and how it is tried again is the graph's matter; what it iterates over is not", async () => {
    const source = flow({});
    expect(
      await changedBy(
        { "flow.ts": source },
        { "flow.ts": edit(source, '{ next: "middle" }', '{ next: "end", retry: 3, timeout: "5m" }') },
      ),
    ).toEqual([]);
    expect(
      await changedBy(
        { "flow.ts": source },
        { "flow.ts": edit(source, '{ next: "middle" }', '{ next: "middle", foreach: "rows" }') },
      ),
    ).toEqual(["start"]);
    expect(
      await changedBy(
        { "flow.ts": source },
        { "flow.ts": edit(source, '{ next: "middle" }', '{ next: "middle", environment: { TZ: "UTC" } }') },
      ),
    ).toEqual(["start"]);
  });

  test("a parameter's schema and an upstream's class are values of the run, not code of the step that reads them", async () => {
    const head = 'import type Other from "./other.ts"; import OtherFlow from "./other.ts"; export type { Other };';
    const members = "readonly n = param(z.number().default(1)); readonly source = upstream(OtherFlow);";
    const before = {
      "flow.ts": flow({ start: "this.value = this.n + this.source.data.x;" }, { head, members }),
      "other.ts":
        'import { Flow, step } from "@millrace/core";\nexport default class Other extends Flow { x = 1; @step() start() { this.x = 2; } }',
    };
    expect(await changedBy(before, { "flow.ts": edit(before["flow.ts"], "default(1)", "default(2)") })).toEqual([]);
    expect(await changedBy(before, { "other.ts": edit(before["other.ts"], "this.x = 2", "this.x = 3") })).toEqual([]);
  });

  test("a constructor, a static block and an unknown base concern every step", async () => {
    const source = flow(
      {},
      { members: "kept: number; constructor() { super(); this.prepare(); } prepare() { this.kept = 1; }" },
    );
    expect(
      await changedBy({ "flow.ts": source }, { "flow.ts": edit(source, "this.kept = 1", "this.kept = 2") }),
    ).toEqual([...STEPS]);
    const block = flow({}, { members: "static { globalThis.setting = 1; }" });
    expect(await changedBy({ "flow.ts": block }, { "flow.ts": edit(block, "setting = 1", "setting = 2") })).toEqual([
      ...STEPS,
    ]);
    const mixed = flow(
      {},
      {
        head: "const mix = (Base: any) => class extends Base { run() { return this.hook(); } };",
        base: "mix(Flow)",
        members: "hook() { return 1; }",
      },
    );
    expect(await changedBy({ "flow.ts": mixed }, { "flow.ts": edit(mixed, "return 1", "return 2") })).toEqual([
      ...STEPS,
    ]);
  });
});

describe("`this` that cannot be followed", () => {
  const members = "helper() { return 1; } readonly other = () => 2;";
  test.each([
    ["handed to a function", "this.value = use(this);", "function use(flow: any) { return flow.helper(); }"],
    ["under another name", "const self = this; this.value = self.helper();", ""],
    ["with a rest", "const { value, ...rest } = this as any; this.value = rest.other();", ""],
    ["as the receiver of a foreign function", 'this.value = Reflect.get(this, "helper");', ""],
    ["by its constructor", "this.value = (this.constructor as any).prototype.helper();", ""],
    ["in an inner function", "const f = () => this; this.value = f().helper();", ""],
  ])("%s: every member counts", async (_, start, head) => {
    const source = flow({ start }, { members, head });
    expect(await changedBy({ "flow.ts": source }, { "flow.ts": edit(source, "return 1", "return 3") })).toContain(
      "start",
    );
    expect(await changedBy({ "flow.ts": source }, { "flow.ts": edit(source, "() => 2", "() => 3") })).toContain(
      "start",
    );
  });

  test("members that are named in a pattern are followed", async () => {
    const source = flow({ start: "const { helper } = this; this.value = helper();" }, { members });
    expect(await changedBy({ "flow.ts": source }, { "flow.ts": edit(source, "return 1", "return 3") })).toEqual([
      "start",
    ]);
    expect(await changedBy({ "flow.ts": source }, { "flow.ts": edit(source, "() => 2", "() => 3") })).toEqual([]);
  });

  test.each([
    ["a computed member", "const name: any = 'helper'; this.value = (this as any)[name]();"],
    ["eval", 'this.value = eval("helper()");'],
    ["an import of an expression", 'const file = "./x.js"; this.value = import(file);'],
  ])("%s: the whole bundle counts", async (_, start) => {
    const source = flow({ start }, { head: "function apart() { return 1; }", tail: "export const kept = apart();" });
    expect(await changedBy({ "flow.ts": source }, { "flow.ts": edit(source, "return 1", "return 2") })).toContain(
      "start",
    );
  });
});

describe("what runs when the bundle is loaded", () => {
  test("a statement counts for those who reach what it touches", async () => {
    const head = `const registry = new Map<string, () => number>();
function register(name: string, make: () => number) { registry.set(name, make); }
const first = () => 1;
register("first", first);
console.log("loaded");`;
    const source = flow({ start: 'this.value = registry.get("first")!();', middle: "this.value = 1;" }, { head });
    const change = (from: string, to: string) =>
      changedBy({ "flow.ts": source }, { "flow.ts": edit(source, from, to) });
    expect(await change("=> 1", "=> 2")).toEqual(["start"]);
    expect(await change("registry.set(name, make)", "registry.set(name, () => make() + 1)")).toEqual(["start"]);
    expect(await change('register("first", first)', 'register("second", first)')).toEqual(["start"]);
    expect(await change('"loaded"', '"ready"')).toEqual([]);
  });

  test("a statement that gets at the state in a roundabout way counts", async () => {
    const head = `const registries = { a: new Map<string, number>() };
const alias = registries.a;
class Registry { items: any[] = []; register(x: any) { this.items.push(x); return this; } }
const custom = new Registry();
function setUp() { fill(); }
function fill() { custom.register(5); }
setUp();
alias.set("x", 6);`;
    const source = flow(
      { start: "this.value = custom.items;", middle: 'this.value = registries.a.get("x");' },
      { head },
    );
    const change = (from: string, to: string) =>
      changedBy({ "flow.ts": source }, { "flow.ts": edit(source, from, to) });
    expect(await change("register(5)", "register(7)")).toEqual(["start"]);
    expect(await change('("x", 6)', '("x", 7)')).toEqual(["middle"]);
  });

  test("a value that changes state while it is computed counts for those who read that state", async () => {
    const head = `const known: string[] = [];
function add(name: string) { known.push(name); return name; }
export const id = add("one");`;
    const source = flow({ start: "this.value = known.length;", middle: "this.value = 1;" }, { head });
    expect(await changedBy({ "flow.ts": source }, { "flow.ts": edit(source, '"one"', '"other"') })).toEqual(["start"]);
  });

  test("a variable counts with the functions that assign it", async () => {
    const head = "let counter = 0; function bump() { counter += 1; } function read() { return counter; }";
    const source = flow({ start: "this.value = read();", middle: "bump();", end: "this.value = 2;" }, { head });
    expect(await changedBy({ "flow.ts": source }, { "flow.ts": edit(source, "+= 1", "+= 2") })).toEqual([
      "start",
      "middle",
    ]);
  });

  test("a decorator that registers its class counts for those who read the registry", async () => {
    const head = `const plugins: any[] = [];
function plugin(target: any, _: any) { plugins.push(target); }
@plugin class First { run() { return 1; } }
@plugin class Second { run() { return 2; } }`;
    const source = flow(
      { start: "this.value = plugins.map((P) => new P().run());", middle: "this.value = 3;" },
      { head },
    );
    expect(await changedBy({ "flow.ts": source }, { "flow.ts": edit(source, "return 2", "return 4") })).toEqual([
      "start",
    ]);
  });

  test("what changes globals, or leaves it to another package, concerns every step", async () => {
    for (const head of [
      "process.env.TZ = 'one';",
      "(globalThis as any).setting = 'one';",
      "Array.prototype.toString = function () { return 'one'; };",
      "Object.defineProperty(Object.prototype, 'one', { value: 'one' });",
      "function setUp() { (globalThis as any).setting = 'one'; }\nexport const done = setUp();",
      "process.on('warning', () => 'one');",
    ]) {
      const source = flow({}, { head });
      expect(await changedBy({ "flow.ts": source }, { "flow.ts": edit(source, "'one'", "'two'") }), head).toEqual([
        ...STEPS,
      ]);
    }
    const dotenv = {
      "flow.ts": flow({}, { head: "import dotenv from 'dotenv';\ndotenv.config('one');" }),
      ...installed("node_modules/dotenv", "dotenv", "1.0.0"),
    };
    expect(await changedBy(dotenv, { "flow.ts": edit(dotenv["flow.ts"], "'one'", "'two'") })).toEqual([...STEPS]);
  });

  test("a statement about the class itself counts, with the members that it names", async () => {
    const source = flow(
      { start: "this.value = (this as any).alias();" },
      {
        members: "helper() { return 1; } apart() { return 2; }",
        tail: "(Shop.prototype as any).alias = Shop.prototype.helper;",
      },
    );
    expect(await changedBy({ "flow.ts": source }, { "flow.ts": edit(source, "return 1", "return 3") })).toContain(
      "start",
    );
    expect(
      await changedBy({ "flow.ts": source }, { "flow.ts": edit(source, "prototype.helper;", "prototype.apart;") }),
    ).toContain("start");
  });
});

describe("classes that come out of the store", () => {
  const head = `@storable({ name: "shop.Model", version: 1 })
class Model { weight = 1; predict(x: number) { return x * this.weight; } }
export { Model };`;
  test("count where one of their members is named, and nowhere else", async () => {
    const source = flow({ start: "this.value = 1;", middle: "this.value = this.value.predict(3);" }, { head });
    expect(await changedBy({ "flow.ts": source }, { "flow.ts": edit(source, "x * this", "x + this") })).toEqual([
      "middle",
    ]);
  });

  test("how old values are read counts for every step", async () => {
    const source = flow({ start: "this.value = 1;" }, { head });
    expect(
      await changedBy(
        { "flow.ts": source },
        { "flow.ts": edit(source, "version: 1", "version: 2, upgrade: (old: any) => old") },
      ),
    ).toEqual([...STEPS]);
    const codec = flow(
      {},
      {
        head: 'class Point { x = 1; }\ndefineCodec({ name: "p", version: 1, type: Point, encode: (p: Point) => p.x, decode: () => new Point() } as any);',
      },
    );
    expect(await changedBy({ "flow.ts": codec }, { "flow.ts": edit(codec, "=> p.x", "=> p.x + 1") })).toEqual([
      ...STEPS,
    ]);
  });

  test("a class with members that are called without being named counts everywhere", async () => {
    const text = edit(head, "predict(x: number) { return x * this.weight; }", "toJSON() { return 1; }");
    const source = flow({ start: "this.value = JSON.stringify(this.value);" }, { head: text });
    expect(
      await changedBy({ "flow.ts": source }, { "flow.ts": edit(source, "toJSON() { return 1", "toJSON() { return 2") }),
    ).toEqual([...STEPS]);
  });
});

describe("installed packages", () => {
  const files = {
    "flow.ts": flow(
      {
        start: "this.value = version;",
        middle: 'this.value = (await import("late")).version;',
        end: "this.value = 1;",
      },
      { head: 'import { version } from "dep";' },
    ).replace("middle() {", "async middle() {"),
    ...installed("node_modules/dep", "dep", "1.0.0"),
    ...installed("node_modules/late", "late", "1.0.0"),
    ...installed("node_modules/below", "below", "1.0.0"),
  };
  test("count with their exact version for those who import them", async () => {
    expect(await changedBy(files, installed("node_modules/dep", "dep", "1.0.1"))).toEqual(["start"]);
    expect(await changedBy(files, installed("node_modules/late", "late", "1.0.1"))).toEqual(["middle"]);
  });

  test("count with what they need themselves", async () => {
    const needs = {
      "node_modules/dep/package.json": JSON.stringify({
        name: "dep",
        version: "1.0.0",
        main: "index.js",
        dependencies: { below: "*" },
      }),
    };
    expect(await changedBy({ ...files, ...needs }, installed("node_modules/below", "below", "1.0.1"))).toEqual([
      "start",
    ]);
  });

  test("that use core may bring stored classes: they count for every step", async () => {
    const needs = {
      "node_modules/dep/package.json": JSON.stringify({
        name: "dep",
        version: "1.0.0",
        main: "index.js",
        peerDependencies: { "@millrace/core": "*" },
      }),
    };
    const other = { "node_modules/dep/package.json": needs["node_modules/dep/package.json"].replace("1.0.0", "1.0.1") };
    expect(await changedBy({ ...files, ...needs }, other)).toEqual([...STEPS]);
  });
});

test("a step has the same digest in two flows of one file, and in any folder", async () => {
  const files = { "package.json": '{ "name": "shop" }', "flow.ts": flow({ start: "this.value = 1;" }) };
  expect(await digestsOf(makeProject(files))).toEqual(await digestsOf(makeProject(files)));
});

/**
 * Programs of functions, variables and classes over several files that use each other at random. What a step reaches is
 * known, because the program was drawn as a graph; one piece is edited, and the steps that reach it must tell.
 */
test("in any program, an edit is told by the steps that reach it", async () => {
  const pieces = fc.integer({ min: 2, max: 14 }).chain((count) =>
    fc.record({
      kinds: fc.array(fc.constantFrom("function", "arrow", "class", "table", "late"), {
        minLength: count,
        maxLength: count,
      }),
      files: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: count, maxLength: count }),
      uses: fc.array(fc.array(fc.nat(count - 1), { maxLength: 3 }), { minLength: count, maxLength: count }),
      steps: fc.array(fc.array(fc.nat(count - 1), { maxLength: 3 }), { minLength: 3, maxLength: 3 }),
      edited: fc.nat(count - 1),
    }),
  );
  type Program = typeof pieces extends fc.Arbitrary<infer P> ? P : never;
  const written = ({ kinds, files, uses, steps, edited }: Program, value: number): ProjectFiles => {
    const call = (piece: number): string => (kinds[piece] === "class" ? `new p${piece}().run` : `p${piece}`);
    const texts = ["", "", ""];
    kinds.forEach((kind, piece) => {
      // A table is computed while its module is loaded, when only earlier files are: it holds functions instead.
      const used = uses[piece]!.map((other) => `() => ${kinds[other] === "table" ? call(other) : `${call(other)}()`}`);
      const body = `[${[piece === edited ? value : 0, ...used].join(", ")}]`;
      const text = {
        function: `export function p${piece}(): any { return ${body}; }`,
        arrow: `export const p${piece} = (): any => ${body};`,
        class: `export class p${piece} { run(): any { return ${body}; } }`,
        table: `export const p${piece}: any = { items: ${body} };`,
        late: `let kept${piece}: any; export function p${piece}() { return kept${piece}; } function set${piece}() { kept${piece} = ${body}; } set${piece}();`,
      }[kind]!;
      texts[files[piece]!] += `${text}\n`;
    });
    const imports = (file: number | undefined): string =>
      [0, 1, 2]
        .filter((other) => other !== file)
        .map((other) => ({ other, names: kinds.flatMap((_, piece) => (files[piece] === other ? [`p${piece}`] : [])) }))
        .filter(({ names }) => names.length > 0)
        .map(({ other, names }) => `import { ${names.join(", ")} } from "./file${other}.ts";\n`)
        .join("");
    const bodies = steps.map((used) => `this.value = [${used.map(call).join(", ")}];`);
    return {
      "flow.ts": flow({ start: bodies[0]!, middle: bodies[1]!, end: bodies[2]! }, { head: imports(undefined) }),
      ...Object.fromEntries(texts.map((text, file) => [`file${file}.ts`, `${imports(file)}${text}export {};\n`])),
    };
  };
  const reached = ({ uses, steps, edited }: Program): readonly string[] =>
    STEPS.filter((_, index) => {
      const seen = new Set<number>();
      const open = [...steps[index]!];
      for (let piece = open.pop(); piece !== undefined; piece = open.pop())
        if (!seen.has(piece)) {
          seen.add(piece);
          open.push(...uses[piece]!);
        }
      return seen.has(edited);
    });
  await fc.assert(
    fc.asyncProperty(pieces, async (program) => {
      const root = makeProject({ "package.json": '{ "name": "shop", "type": "module" }', ...written(program, 1) });
      const before = await digestsOf(root);
      writeFiles(root, written(program, 2));
      const after = await digestsOf(root);
      const changed = STEPS.filter((step) => before[step] !== after[step]);
      expect(changed).toEqual(expect.arrayContaining([...reached(program)]));
      // A statement that runs at the top level may change whatever it can get at: then more may tell.
      if (!program.kinds.includes("late")) expect(changed).toEqual(reached(program));
    }),
    { numRuns: 80 },
  );
}, 120_000);
