/**
 * Names that mean something to JavaScript, everywhere where a name or a key can be given: they are kept and given back as
 * plain data, or refused with the rule, and nothing of the language changes for it.
 */
import { createRequire } from "node:module";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";

const NAMES = ["__proto__", "constructor", "toString", "then", "hasOwnProperty", "valueOf", "@@iterator", "Symbol(x)"];

/** What JSON makes of such keys: own properties, `__proto__` too. */
const OWN = `{${NAMES.map((name) => `${JSON.stringify(name)}:{"polluted":1}`).join(",")}}`;

const FLOW = `
import { config, Flow, type Inputs, join, param, step, z } from "@millrace/core";
const NAMES = ${JSON.stringify(NAMES)};
export default class Names extends Flow {
  readonly record = param(z.any());
  readonly settings = config(z.any(), { default: "settings.json" });
  note!: string;
  object!: unknown; map!: Map<string, string>; kept!: unknown; keys!: string[]; items!: unknown[]; item!: string[]; list!: string[][];
  @step({ next: "each", foreach: "items" }) start() { this.items = NAMES.map((name) => JSON.parse("{" + JSON.stringify(name) + ":1}")); }
  @step({ next: "gather" }) each(item: unknown) { this.item = Object.keys(item as object); }
  @join({ next: "end" }) gather(inputs: Inputs<Names>) {
    this.note = "an artifact called then";
    this.object = JSON.parse(${JSON.stringify(OWN)});
    this.map = new Map(NAMES.map((name) => [name, name]));
    this.kept = this.settings;
    this.keys = Object.keys(this.record as object);
    this.list = [...inputs].map((input) => input.item);
  }
  @step() end() {}
}`;

const require = createRequire(new URL("../../packages/core/package.json", import.meta.url));
const Database = require("better-sqlite3") as new (file: string) => { exec(sql: string): void; close(): void };

let project: Project;
beforeAll(() => {
  project = new Project({ "names.ts": FLOW, "settings.json": OWN, "params.json": `{"record":${OWN}}` });
}, 120_000);
afterAll(() => project?.[Symbol.asyncDispose]());

test("keys and artifacts of such names come back as they were, and change nothing", async () => {
  const tags = NAMES.flatMap((tag) => ["--tag", tag]);
  const called = await project.flow(["run", "names.ts", "--params", "params.json", "--json", ...tags]);
  expect(called.code, called.stderr + called.stdout.slice(-2_000)).toBe(0);
  // A flow cannot have a field of that name; a store that somebody else made can.
  const db = new Database(`${project.store}/millrace.db`);
  db.exec("UPDATE artifact SET name = 'then' WHERE name = 'note'; UPDATE task SET record_digest = NULL");
  db.exec("UPDATE execution SET end_digest = NULL, program_schema = NULL");
  db.close();
  const client = await project.client();
  const run = await client.runs("Names").latest({ tags: ["__proto__", "constructor"] });
  expect(run.tags.toSorted()).toEqual(NAMES.toSorted());
  const data = run.data as unknown as Record<string, Promise<any>>;
  const object = await data.object;
  expect(Object.keys(object)).toEqual(NAMES);
  expect(Object.getPrototypeOf(object)).toBe(Object.prototype);
  expect(Object.getOwnPropertyDescriptor(object, "__proto__")?.value).toEqual({ polluted: 1 });
  expect([...((await data.map) as Map<string, string>)]).toEqual(NAMES.map((name) => [name, name]));
  expect(Object.keys(await data.kept)).toEqual(NAMES);
  expect(await data.keys).toEqual(NAMES);
  expect(await data.list).toEqual(NAMES.map((name) => [name]));
  // Neither a run nor its data is a promise, whatever its artifacts are called.
  expect(await (async () => run)()).toBe(run);
  expect(
    await Promise.race([(async () => run.data)(), new Promise((resolve) => setTimeout(resolve, 5_000, "hangs"))]),
  ).toBe(run.data);
  const then = await project.flow(["dump", "Names/1.then"]);
  expect(then.stdout).toBe("an artifact called then\n");
  const shown = await project.flow(["show", "Names/1", "--json"]);
  // toEqual leaves "__proto__" out, so the keys are asked for.
  expect(Object.keys(JSON.parse(shown.stdout).parameters.record).toSorted()).toEqual(NAMES.toSorted());
  for (const name of NAMES) {
    const dumped = await project.flow(["dump", "Names/1", name]);
    expect([name, dumped.code]).toEqual([name, name === "then" ? 0 : 1]);
  }
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  expect(Object.keys(Object.prototype)).toEqual([]);
});

test.each(["__proto__", "constructor", "toString", "then", "hasOwnProperty", "valueOf"])(
  "a field or a step called %s is refused when the flow is loaded",
  async (name) => {
    const text = (body: string) =>
      `import { Flow, step } from "@millrace/core"; export default class Bad extends Flow { ${body} @step() end() {} }`;
    const field = text(`["${name}"] = 1; @step({ next: "end" }) start() {}`);
    const method = text(`@step({ next: "${name}" }) start() {} @step({ next: "end" }) ["${name}"]() {}`);
    for (const source of name === "constructor" ? [] : [field, method]) {
      project.write({ "bad.ts": source });
      const called = await project.flow(["check", "bad.ts"]);
      expect([source, called.code]).toEqual([source, 2]);
      expect(called.stderr).toMatch(/FLOW_(?:DEFINITION|PACKAGE|GRAPH)_/);
    }
  },
);

test.each(["../evil", "a/b/c", "..", "\x1b[31m", "x".repeat(5_000), "C:\\x", "sh\u043ep", "a\0b"])(
  "a project called %j is refused when a flow is loaded",
  async (name) => {
    project.write({
      "named/package.json": JSON.stringify({ name }),
      "named/flow.ts": `import { Flow, step } from "@millrace/core"; export default class Named extends Flow { @step({ next: "end" }) start() {} @step() end() {} }`,
    });
    const called = await project.flow(["check", "named/flow.ts"]);
    expect([called.code, called.stderr.includes("FLOW_DEFINITION_BAD_NAME")]).toEqual([2, true]);
    expect(called.stderr).not.toContain("\x1b[31m");
  },
);
