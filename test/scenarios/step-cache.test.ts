/**
 * The step cache on real flow files: what is changed between two runs decides which steps run again, and no others do.
 */
import fs from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Launched, launch } from "../kit/launch.ts";
import { Project } from "../kit/project.ts";
import { flowText, taskOf, tasksOf } from "./observe.ts";

/** Each step reads one thing, and keeps what it saw. */
const LOOKS = `
  readonly size = param(z.coerce.number().int().default(2));
  readonly other = param(z.coerce.number().int().default(2));
  readonly given = param(z.stringbool().default(false));
  readonly settings = config(z.object({ rate: z.number(), note: z.string() }), { default: "settings.json" });
  readonly text = includeFile({ encoding: "utf8", default: "text.txt" });
  readonly table = [1, 2, 3];
  readonly source = upstream(Rows, { optional: true });
  items!: number[]; list!: number[]; maybe?: number; kept!: number; saw!: unknown; each!: number; index!: number;
  checked = artifact(z.number().min(0));

  @step({ next: "nothing" }) start() {
    this.list = [this.size]; this.kept = 5;
    if (this.given) this.maybe = 1;
    this.items = Array.from({ length: this.size + 1 }, (_, index) => index * 10);
  }
  @step({ next: "parameter" }) nothing() { this.saw = "nothing"; }
  @step({ next: "derived" }) parameter() { this.saw = this.other; }
  @step({ next: "configured" }) derived() { this.saw = this.list.length + this.kept; }
  @step({ next: "included" }) configured() { this.saw = this.settings.rate; }
  @step({ next: "constant" }) included() { this.saw = this.text.length; }
  @step({ next: "upstreamRows" }) constant() { this.saw = this.table.length; }
  @step({ next: "upstreamTags" }) upstreamRows() { this.saw = this.source?.data.rows; }
  @step({ next: "upstreamId" }) upstreamTags() { this.saw = this.source?.run.tags.length; }
  @step({ next: "helped" }) upstreamId() { this.saw = this.source?.run.id; }
  @step({ next: "packaged" }) helped() { this.saw = help(); }
  @step({ next: "zoned", environment: { ZONE: "UTC" } }) packaged() { this.saw = version; }
  @step({ next: "absent", environment: { TZ: "UTC" } }) zoned() { this.saw = process.env.TZ; }
  @step({ next: "asked" }) absent() { this.saw = this.maybe ?? "none"; }
  @step({ next: "same" }) asked() { this.saw = "maybe" in this; }
  @step({ next: "emptied" }) same() { this.kept = 5; }
  @step({ next: "mutated" }) emptied() { delete this.maybe; }
  @step({ next: "restored" }) mutated() { this.list.push(9); }
  @step({ next: "tagged" }) restored() { this.checked = 3; this.list.push(1); this.list.pop(); this.saw = 0; }
  @step({ next: "split" }) tagged() { this.saw = current.run.tags; }
  @step({ next: "item", foreach: "items" }) split() {}
  @step({ next: "inside" }) item(item: number) { this.each = item; }
  @step({ next: "numbered" }) inside() { this.each += 1; }
  @step({ next: "gather" }) numbered() { this.index = current.index!; }
  @join({ next: "end" }) gather(inputs: Inputs<Looks>) { this.saw = inputs.map((input) => input.each); }
  @step() end() { console.log("the end"); }`;

const below = (version: string): Readonly<Record<string, string>> => ({
  "node_modules/below/package.json": JSON.stringify({ name: "below", version }),
});

const project = new Project({
  "looks.ts": flowText(
    "Looks",
    LOOKS,
    `import Rows from "./rows.ts"; import { help } from "./help.ts"; import { version } from "dep";`,
  ),
  "packed.ts": flowText(
    "Packed",
    `own!: string; @step({ next: "end" }) start() { this.own = version; } @step() end() { this.own += "!"; }`,
    `import { version } from "dep";`,
  ),
  "rows.ts": flowText(
    "Rows",
    `rows!: number[]; unread!: number;
     readonly n = param(z.coerce.number().int().default(1));
     readonly m = param(z.coerce.number().int().default(1));
     @step({ next: "end" }) start() { this.rows = [this.n]; this.unread = this.m; }
     @step() end() {}`,
  ),
  "help.ts": 'import { far } from "./far.ts";\nexport const help = () => far() + 1;\n',
  "far.ts": "export const far = () => 1;\nexport const unused = () => 1;\n",
  "settings.json": '{ "rate": 1, "note": "one" }',
  "text.txt": "one",
  ...dependency("1.0.0"),
  ...below("1.0.0"),
});
afterAll(() => project[Symbol.asyncDispose]());

function dependency(version: string): Readonly<Record<string, string>> {
  return {
    "node_modules/dep/package.json": JSON.stringify({
      name: "dep",
      version,
      type: "module",
      main: "index.js",
      dependencies: { below: "*" },
    }),
    "node_modules/dep/index.js": `export const version = ${JSON.stringify(version)};\n`,
  };
}

const edit = (file: string, from: string, to: string): void => {
  const text = fs.readFileSync(project.file(file), "utf8");
  if (!text.includes(from)) throw new Error(`"${from}" is not in ${file}`);
  project.write({ [file]: text.replace(from, to) });
};

const looks = (options: Parameters<typeof launch>[2] = {}) =>
  launch(project, "looks.ts", { cache: "on", upstreams: { source: { tags: ["first"] } }, ...options });

let first: Launched;
beforeAll(async () => {
  await launch(project, "rows.ts", { tags: ["first"] });
  first = await looks();
}, 60_000);

/** What each change makes run again, in alphabetical order; nothing else may. */
const CHANGES: readonly (readonly [
  string,
  { readonly by: () => Parameters<typeof looks>[0] | void | Promise<void>; readonly ran: readonly string[] },
])[] = [
  ["nothing", { by: () => {}, ran: [] }],
  ["a parameter that one step reads", { by: () => ({ flags: { other: "3" } }), ran: ["parameter"] }],
  [
    "a parameter that others derive from",
    {
      by: () => ({ flags: { size: "3" } }),
      ran: ["derived", "gather", "inside/3", "item/3", "mutated", "numbered/3", "restored", "split", "start"],
    },
  ],
  [
    "whether a field is there",
    { by: () => ({ flags: { given: "true" } }), ran: ["absent", "asked", "emptied", "start"] },
  ],
  ["a config", { by: () => project.write({ "settings.json": '{ "rate": 2, "note": "one" }' }), ran: ["configured"] }],
  ["a file", { by: () => project.write({ "text.txt": "two" }), ran: ["included"] }],
  ["a constant", { by: () => edit("looks.ts", "[1, 2, 3]", "[1, 2, 4]"), ran: ["constant"] }],
  ["a helper two files away", { by: () => edit("far.ts", "far = () => 1", "far = () => 2"), ran: ["helped"] }],
  ["a function that no step reaches", { by: () => edit("far.ts", "unused = () => 1", "unused = () => 2"), ran: [] }],
  ["the schema of an artifact that a step sets", { by: () => edit("looks.ts", "min(0)", "min(1)"), ran: ["restored"] }],
  ["the version of a package", { by: () => project.write(dependency("1.0.1")), ran: ["packaged"] }],
  ["the environment of a step", { by: () => edit("looks.ts", '{ TZ: "UTC" }', '{ TZ: "CET" }'), ran: ["zoned"] }],
  ["the tags of the run", { by: () => ({ tags: ["x"] }), ran: ["tagged"] }],
  [
    "what an upstream left",
    {
      by: async () => void (await launch(project, "rows.ts", { tags: ["second"], flags: { n: "2" } })),
      ran: ["upstreamId", "upstreamRows", "upstreamTags"],
    },
  ],
  [
    "what nobody reads of an upstream",
    {
      by: async () => void (await launch(project, "rows.ts", { tags: ["second"], flags: { n: "2", m: "7" } })),
      ran: ["upstreamId"],
    },
  ],
  [
    "where a step leads and how it is tried again",
    {
      by: () =>
        edit("looks.ts", '@step({ next: "parameter" })', '@step({ next: "parameter", retry: 2, timeout: "5m" })'),
      ran: [],
    },
  ],
  [
    "the code of a step",
    { by: () => edit("looks.ts", 'this.saw = "nothing"', 'this.saw = "naught"'), ran: ["nothing"] },
  ],
];

describe("a change of", () => {
  test("(the first run is taken from nobody)", () => {
    expect([first.record.status, first.taken]).toEqual(["succeeded", {}]);
  });

  test.each(CHANGES)("%s", { timeout: 60_000 }, async (what, { by, ran }) => {
    const options = (await by()) ?? {};
    const second = what.includes("upstream") ? { upstreams: { source: { tags: ["second"] } } } : {};
    expect((await looks({ ...second, ...options })).ran).toEqual(ran);
  });
});

test("packages that changed unseen since the code was packed keep to themselves", { timeout: 60_000 }, async () => {
  // What a package needs itself is no input of the code package: with no lockfile nobody tells that it was updated.
  const flow = await launch(project, "packed.ts", { cache: "on" });
  expect((await launch(project, "packed.ts", { cache: "on" })).ran).toEqual([]);
  project.write(below("1.0.1"));
  const updated = await launch(project, "packed.ts", { cache: "on" });
  expect([updated.taken, updated.ran]).toEqual([{}, flow.ran]);
  expect((await launch(project, "packed.ts", { cache: "on" })).ran).toEqual([]);
  project.write(below("1.0.0"));
  expect((await launch(project, "packed.ts", { cache: "on" })).taken).toMatchObject({ start: `${flow.name}/start` });
});

test("what is taken over is what would have been left, task by task", { timeout: 60_000 }, async () => {
  const options = { flags: { size: "4" }, upstreams: { source: { tags: ["second"] } } };
  await looks(options);
  const [taken, plain] = [await looks(options), await looks({ ...options, cache: "off" })];
  expect([taken.ran, plain.taken]).toEqual([[], {}]);
  expect(await leftBy(taken)).toEqual(await leftBy(plain));
  expect(withoutTimes(taken.record)).toEqual(withoutTimes(plain.record));
});

/** What each task left visible, by its name. */
async function leftBy({ record }: Launched): Promise<Readonly<Record<string, unknown>>> {
  const { metadata } = await project.stores();
  const tasks = (await tasksOf(project, record.id)).map(async (task) => [
    taskOf(task),
    {
      values: task.valueReads?.toSorted(),
      fanOut: task.fanOut,
      visible: (await metadata.visibleArtifacts(task.sequence)).map(({ name, digest }) => `${name} ${digest}`),
    },
  ]);
  return Object.fromEntries(await Promise.all(tasks));
}

/** What two runs of equal outcome have in common in their records. */
function withoutTimes({ upstreams, artifacts, tasks, parameters }: Launched["record"]): unknown {
  return {
    upstreams: upstreams.map(({ resolvedAt: _, ...rest }: { readonly resolvedAt: string }) => rest),
    artifacts,
    tasks: { ...tasks, cached: undefined },
    parameters,
  };
}
