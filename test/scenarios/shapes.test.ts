/** Every shape of a graph, run for real: which tasks there are, what joins receive and in which order. */
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText, observe } from "./observe.ts";

const project = new Project();
afterAll(() => project[Symbol.asyncDispose]());

/** Runs a flow that is written out here and looks at it in both ways. */
async function shape(name: string, body: string, before?: string) {
  project.write({ [`${name}.ts`]: flowText(name, body, before) });
  const watched = await project.run(`${name}.ts`);
  if (watched.run === undefined) throw watched.error;
  return { ...watched, ...(await observe(project, watched)) };
}

test("a flow of one step is begun and ended by it", async () => {
  const { tasks, values } = await shape("Single", `word!: string; @step() only() { this.word = current.task; }`);
  expect(tasks).toEqual(["only"]);
  expect(values).toEqual({ word: "Single/1/only" });
});

test("a line hands on what each step adds", async () => {
  const { tasks, values, events } = await shape(
    "Line",
    `
    words!: string[]; longest!: string;
    @step({ next: "middle" }) start() { this.words = ["mill", "race"]; }
    @step({ next: "end" }) async middle() { await wait(1); this.words.push("waterwheel"); this.longest = this.words.at(-1)!; }
    @step() end() {}`,
  );
  expect(tasks).toEqual(["start", "middle", "end"]);
  expect(values).toEqual({ words: ["mill", "race", "waterwheel"], longest: "waterwheel" });
  const kinds = events.map(({ kind }) => kind).filter((kind) => kind !== "run.progress");
  expect(kinds).toEqual([
    "run.created",
    ...["start", "middle", "end"].flatMap(() => ["task.started", "task.succeeded"]),
    "run.finished",
  ]);
});

test("a join sees its branches in declared order, whichever ends first", async () => {
  const { tasks, values } = await shape(
    "Branches",
    `
    mark!: string; seen!: unknown; common!: number[];
    @step({ next: ["late", "early", "middle"] }) start() { this.common = [1]; }
    @step({ next: "meet" }) async late() { await until("early"); await until("middle"); this.mark = "L"; }
    @step({ next: "meet" }) middle() { this.mark = "M"; done("middle"); }
    @step({ next: "meet" }) early() { this.mark = "E"; done("early"); }
    @join({ next: "end" }) meet(inputs: Inputs<Branches>) {
      this.seen = { list: inputs.map((input) => input.mark), byName: [inputs.early.mark, inputs.late.mark], common: inputs[0]!.common, own: String((this as any).common) };
    }
    @step() end() {}`,
  );
  expect(tasks.toSorted()).toEqual(["early", "end", "late", "meet", "middle", "start"]);
  // By name they are those of the steps; as a list in the order in which the class declares them; a join itself starts empty.
  expect(values).toEqual({ seen: { list: ["L", "M", "E"], byName: ["E", "L"], common: [1], own: "undefined" } });
});

test("a foreach gives its join the results in the order of the items", async () => {
  const { tasks, values, rows, name } = await shape(
    "Items",
    `
    items!: string[]; word!: string; all!: string[];
    @step({ next: "work", foreach: "items" }) start() { this.items = ["a", "b", "c", "d", "e"]; }
    @step({ next: "gather" }) async work(item: string, index: number) {
      if (index === 0) await until("last");
      if (index === 4) done("last");
      this.word = item + index + current.index + current.path;
    }
    @join({ next: "end" }) gather(inputs: Inputs<Items>) { this.all = inputs.map((input) => input.word); }
    @step() end() {}`,
  );
  expect(values).toEqual({ all: ["a000", "b111", "c222", "d333", "e444"] });
  expect(tasks).toEqual(["start", "work/0", "work/1", "work/2", "work/3", "work/4", "gather", "end"]);
  expect(rows.find((row) => row.step === "start")?.fanOut).toBe(5);
  const shown = await project.here(["show", `${name}/work/3`, "--json"]);
  const task = rows.find((row) => row.path === "3")!;
  expect(shown.lines).toMatchObject([
    { task: `${name}/work/3`, status: task.status, startedAt: task.startedAt.toISOString() },
  ]);
  expect((await project.here(["dump", `${name}/work/3.word`])).stdout).toBe("d333\n");
  const words: string[] = [];
  const client = await project.client();
  for await (const each of (await client.run<any>(name)).step("work").tasks)
    words.push(`${each.id} ${await each.data.word}`);
  expect(words).toEqual(["a000", "b111", "c222", "d333", "e444"].map((word, index) => `${name}/work/${index} ${word}`));
});

test("foreaches nest, each join closes its own, and branches fit inside", async () => {
  const { tasks, values } = await shape(
    "Nested",
    `
    rows!: number[][]; row!: number[]; cell!: number; sum!: number; product!: number; sums!: number[]; grid!: unknown[];
    @step({ next: "row_", foreach: "rows" }) start() { this.rows = [[1, 2], [], [3]]; }
    @step({ next: "cell_", foreach: "row" }) row_(row: number[]) { this.row = row; }
    @step({ next: ["plus", "times"] }) cell_(cell: number) { this.cell = cell; }
    @step({ next: "both" }) plus() { this.sum = this.cell + 10; }
    @step({ next: "both" }) times() { this.product = this.cell * 10; }
    @join({ next: "joinCells" }) both(inputs: Inputs<Nested>) { this.mergeArtifacts(inputs, { include: ["sum", "product"] }); if (inputs.before.cell !== this.product / 10) throw new Error("before is of another cell"); }
    @join({ next: "joinRows" }) joinCells(inputs: Inputs<Nested>) { this.sums = inputs.flatMap((input) => [input.sum, input.product]); this.row = inputs.before.row; }
    @join({ next: "end" }) joinRows(inputs: Inputs<Nested>) { this.grid = inputs.map((input) => [input.sums, input.row]); this.rows = inputs.before.rows; }
    @step() end() {}`,
  );
  expect(values).toEqual({
    rows: [[1, 2], [], [3]],
    grid: [
      [
        [11, 10, 12, 20],
        [1, 2],
      ],
      [[], []],
      [[13, 30], [3]],
    ],
  });
  const expected = [
    ..."start,row_/0,row_/1,row_/2,joinCells/0,joinCells/1,joinCells/2,joinRows,end".split(","),
    ...["0.0", "0.1", "2.0"].flatMap((path) => ["cell_", "plus", "times", "both"].map((step) => `${step}/${path}`)),
  ];
  expect(tasks.toSorted()).toEqual(expected.toSorted());
});

test("a choice takes one way, by text, number and truth", async () => {
  const { tasks, values, rows, events } = await shape(
    "Ways",
    `
    word!: "left" | "right"; count!: 1 | 2; flag!: boolean; path!: string[];
    @choose({ on: "word", next: { left: "left", right: "right" } }) start() { this.word = "right"; this.path = []; }
    @step({ next: "second" }) left() { this.path.push("left"); }
    @step({ next: "second" }) right() { this.path.push("right"); this.count = 2; }
    @choose({ on: "count", next: { 1: "one", 2: "two" } }) second() {}
    @step({ next: "third" }) one() { this.path.push("one"); }
    @step({ next: "third" }) two() { this.path.push("two"); this.flag = false; }
    @choose({ on: "flag", next: { true: "yes", false: "no" } }) third() {}
    @step({ next: "end" }) yes() { this.path.push("yes"); }
    @step({ next: "end" }) no() { this.path.push("no"); }
    @step() end() {}`,
  );
  expect(tasks).toEqual(["start", "right", "second", "two", "third", "no", "end"]);
  expect(values).toEqual({ word: "right", count: 2, flag: false, path: ["right", "two", "no"] });
  expect(rows.flatMap((row) => row.choice ?? [])).toEqual(["right", "2", "false"]);
  expect(events.flatMap((event) => (event.kind === "task.succeeded" ? (event.choice ?? []) : []))).toEqual([
    "right",
    "2",
    "false",
  ]);
});

test("a join beside a choice does not wait for the way that was not taken", async () => {
  const { tasks, values } = await shape(
    "Beside",
    `
    kind!: "near" | "far"; mark!: string; seen!: unknown; refused!: unknown;
    @step({ next: ["decide", "other"] }) start() { this.mark = "start"; }
    @choose({ on: "kind", next: { near: "near", far: "far" } }) decide() { this.kind = "far"; }
    @step({ next: "meet" }) near() { this.mark = "near"; }
    @step({ next: "meet" }) far() { this.mark = "far"; }
    @step({ next: "meet" }) other() { this.mark = "other"; }
    @join({ next: "end" }) meet(inputs: Inputs<Beside>) {
      this.seen = { list: inputs.map((input) => input.mark), maybe: [inputs.maybe("near")?.mark, inputs.maybe("far")?.mark], before: inputs.before.mark };
      try { inputs.near.mark; } catch (error) { this.refused = { code: (error as any).code, message: (error as any).message }; }
    }
    @step() end() {}`,
  );
  expect(tasks.toSorted()).toEqual(["decide", "end", "far", "meet", "other", "start"]);
  expect(values.seen).toEqual({ list: ["far", "other"], maybe: [undefined, "far"], before: "start" });
  expect(values.refused).toMatchObject({ code: "FLOW_RUNNER_NO_INPUT", message: expect.stringContaining('"near"') });
});

test("each item of a foreach takes a way of its own", async () => {
  const { tasks, values } = await shape(
    "Sorting",
    `
    sizes!: number[]; size!: number; kind!: "small" | "large" | "none"; label!: string; labels!: string[];
    @step({ next: "look", foreach: "sizes" }) start() { this.sizes = [3, 70, 12, 0]; }
    @choose({ on: "kind", next: { small: "pack", large: "ship", none: "gather" } }) look(size: number) {
      this.size = size; this.kind = size === 0 ? "none" : size < 50 ? "small" : "large"; this.label = "nothing";
    }
    @step({ next: "gather" }) pack() { this.label = "box " + this.size; }
    @step({ next: "gather" }) ship() { this.label = "crate " + this.size; }
    @join({ next: "end" }) gather(inputs: Inputs<Sorting>) { this.labels = inputs.map((input) => input.label); }
    @step() end() {}`,
  );
  expect(values).toEqual({ labels: ["box 3", "crate 70", "box 12", "nothing"] });
  expect(tasks.filter((task) => /pack|ship/.test(task)).toSorted()).toEqual(["pack/0", "pack/2", "ship/1"]);
});

test("a foreach without items goes straight to its join, which still sees what was before", async () => {
  const { tasks, values, rows } = await shape(
    "Empty",
    `
    items!: number[]; note!: string; count!: number; before!: string; value!: number;
    @step({ next: "work", foreach: "items" }) start() { this.items = []; this.note = "kept"; }
    @step({ next: "gather" }) work(item: number) { this.value = item; }
    @join({ next: "end" }) gather(inputs: Inputs<Empty>) { this.count = inputs.length; this.before = inputs.before.note; }
    @step() end() {}`,
  );
  expect(tasks).toEqual(["start", "gather", "end"]);
  expect(rows[0]?.fanOut).toBe(0);
  expect(values).toEqual({ count: 0, before: "kept" });
});

test("anything that can be iterated fans out, and a join may open the next foreach", async () => {
  const { values, rows, events } = await shape(
    "Iterables",
    `
    letters!: Set<string>; ages!: Map<string, number>; bytes!: Float32Array; squares!: Iterable<number>; pages!: AsyncIterable<{ page: number }>;
    letter!: string; age!: string; double!: number; square!: number; page!: number; found!: unknown[];
    @step({ next: "perLetter", foreach: "letters" }) start() { this.letters = new Set(["x", "y", "z"]); }
    @step({ next: "toMap" }) perLetter(letter: string) { this.letter = letter.toUpperCase(); }
    @join({ next: "perAge", foreach: "ages" }) toMap(inputs: Inputs<Iterables>) { this.found = [inputs.map((i) => i.letter)]; this.ages = new Map([["ana", 7], ["bo", 8]]); }
    @step({ next: "toBytes" }) perAge([name, age]: [string, number]) { this.age = name + age; }
    @join({ next: "perByte", foreach: "bytes" }) toBytes(inputs: Inputs<Iterables>) { this.found = [...inputs[0]!.found, inputs.map((i) => i.age)]; this.bytes = Float32Array.of(1.5, -0); }
    @step({ next: "toSquares" }) perByte(value: number) { this.double = value * 2; }
    @join({ next: "perSquare", foreach: "squares" }) toSquares(inputs: Inputs<Iterables>) {
      this.found = [...inputs[0]!.found, inputs.map((i) => Object.is(i.double, -0) ? "-0" : i.double)];
      this.squares = (function* () { for (let n = 1; n < 5; n++) yield n * n; })();
    }
    @step({ next: "toPages" }) perSquare(value: number) { this.square = value; }
    @join({ next: "perPage", foreach: "pages" }) toPages(inputs: Inputs<Iterables>) {
      this.found = [...inputs[0]!.found, inputs.map((i) => i.square), Object.keys(inputs[0]!).includes("squares")];
      this.pages = (async function* () { yield { page: 1 }; await wait(1); yield { page: 2 }; })();
    }
    @step({ next: "end" }) perPage(item: { page: number }) { this.page = item.page; }
    @join() end(inputs: Inputs<Iterables>) { this.found = [...inputs[0]!.found, inputs.map((i) => i.page)]; }`,
  );
  // The field that held a generator is no artifact; its items are kept all the same.
  expect(values.found).toEqual([["X", "Y", "Z"], ["ana7", "bo8"], [3, "-0"], [1, 4, 9, 16], false, [1, 2]]);
  expect(rows.flatMap((row) => row.fanOut ?? [])).toEqual([3, 2, 2, 4, 2]);
  expect(events.flatMap((event) => (event.kind === "task.succeeded" ? (event.fanOut ?? []) : []))).toEqual([
    3, 2, 2, 4, 2,
  ]);
});

test("a wide foreach keeps order and items over many messages and pages", async () => {
  const { values, record } = await shape(
    "Wide",
    `
    items!: number[]; value!: number; sum!: number; isOrdered!: boolean;
    @step({ next: "work", foreach: "items" }) start() { this.items = Array.from({ length: 700 }, (_, n) => n * 3); }
    @step({ next: "gather" }) work(item: number, index: number) { this.value = item - 2 * index; }
    @join({ next: "end" }) gather(inputs: Inputs<Wide>) { this.isOrdered = inputs.every((input, index) => input.value === index); this.sum = inputs.reduce((sum, input) => sum + input.value, 0); }
    @step() end() {}`,
  );
  expect(values).toEqual({ isOrdered: true, sum: (699 * 700) / 2 });
  expect(record.tasks).toEqual({ total: 703, attempts: 703, byStatus: { succeeded: 703 } });
});
