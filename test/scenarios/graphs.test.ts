/** Graphs that are nested, crossed and repeated, run for real: which tasks there are, and what joins and rounds see. */
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText, observe } from "./observe.ts";

const project = new Project();
afterAll(() => project[Symbol.asyncDispose]());

/** Runs a flow that is written out here and looks at it in both ways; what is recorded must form its whole graph. */
async function shape(name: string, body: string) {
  project.write({ [`${name}.ts`]: flowText(name, body) });
  const watched = await project.run(`${name}.ts`);
  if (watched.run === undefined) throw watched.error;
  const observed = await observe(project, watched);
  const validated = await project.here(["validate", observed.name, "--json"]);
  expect([validated.stderr, validated.code]).toEqual(["", 0]);
  return { ...watched, ...observed };
}

test("a step that leads back to itself has rounds, and each goes on from the one before", async () => {
  const { tasks, values, rows, name } = await shape(
    "Newton",
    `
    guess!: number; steps!: string[]; verdict!: "more" | "done";
    @step({ next: "refine" }) start() { this.guess = 1; this.steps = []; }
    @choose({ on: "verdict", next: { more: "refine", done: "end" } }) refine() {
      const before = this.guess;
      this.guess = (before + 2 / before) / 2;
      this.steps.push(current.path + " " + current.task);
      this.verdict = Math.abs(this.guess - before) < 1e-9 ? "done" : "more";
    }
    @step() end() {}`,
  );
  const rounds = tasks.filter((task) => task.startsWith("refine"));
  expect(rounds).toEqual(["refine/~0", "refine/~1", "refine/~2", "refine/~3", "refine/~4"]);
  expect(values.guess).toBeCloseTo(Math.SQRT2, 12);
  expect(values.steps).toEqual(rounds.map((task) => `${task.slice(7)} ${name}/${task}`));
  const bySequence = new Map(rows.map((row) => [row.sequence, `${row.step}/${row.path}`]));
  expect(rows.filter(({ step }) => step === "refine").map(({ inherits }) => bySequence.get(inherits!))).toEqual([
    "start/",
    "refine/~0",
    "refine/~1",
    "refine/~2",
    "refine/~3",
  ]);
  expect(Number((await project.here(["dump", `${name}/refine/~1.guess`])).stdout)).toBeCloseTo(17 / 12, 12);
  expect((await project.here(["show", `${name}/refine/~4`, "--json"])).lines).toMatchObject([
    { task: `${name}/refine/~4`, choice: "done" },
  ]);
});

test("the first step may be the whole loop, called start or not", async () => {
  const { tasks, values } = await shape(
    "Countdown",
    `
    left!: number; next_!: boolean;
    @choose({ on: "next_", next: { true: "count", false: "end" } }) count() { this.left = (this.left ?? 3) - 1; this.next_ = this.left > 0; }
    @step() end() {}`,
  );
  expect(tasks).toEqual(["count/~0", "count/~1", "count/~2", "end"]);
  expect(values).toMatchObject({ left: 0 });
});

test("each item is repeated by itself, with the item in every round, and the join waits for all", async () => {
  const { tasks, values } = await shape(
    "Collatz",
    `
    numbers!: number[]; value!: number; seen!: number[]; verdict!: "more" | "done"; lengths!: unknown;
    @step({ next: "halve", foreach: "numbers" }) start() { this.numbers = [1, 6, 3]; }
    @choose({ on: "verdict", next: { more: "halve", done: "gather" } }) halve(number: number, index: number) {
      if (number !== this.numbers[index] || index !== current.index) throw new Error("another item");
      this.value = this.value === undefined ? number : this.value % 2 === 0 ? this.value / 2 : 3 * this.value + 1;
      this.seen = [...(this.seen ?? []), this.value];
      this.verdict = this.value === 1 ? "done" : "more";
    }
    @join({ next: "end" }) gather(inputs: Inputs<Collatz>) { this.lengths = inputs.map((input) => input.seen.join(" ")); this.numbers = inputs.before.numbers; }
    @step() end() {}`,
  );
  expect(values.lengths).toEqual(["1", "6 3 10 5 16 8 4 2 1", "3 10 5 16 8 4 2 1"]);
  expect(tasks.filter((task) => task.startsWith("halve/1"))).toEqual(
    Array.from({ length: 9 }, (_, round) => `halve/1~${round}`),
  );
  expect(tasks.length).toBe(1 + 1 + 9 + 8 + 1 + 1);
});

test("a loop of several steps holds branches, a foreach and another loop, and is left in two ways", async () => {
  const { tasks, values } = await shape(
    "Drafts",
    `
    round!: number; text!: string; readers!: string[]; notes!: string[]; note!: string; asked!: number; length!: number;
    ask!: "again" | "enough"; verdict!: "poor" | "good" | "hopeless"; pages!: string[];
    @step({ next: "write" }) start() { this.text = ""; this.pages = []; }
    @step({ next: ["read", "count"] }) write() { this.text += "x"; }
    @step({ next: "reader", foreach: "readers" }) read() { this.readers = ["ann", "bob"].slice(0, this.text.length); }
    @choose({ on: "ask", next: { again: "reader", enough: "collect" } }) reader(name: string) {
      this.asked = (this.asked ?? 0) + 1;
      this.note = name + this.asked;
      this.ask = this.asked > this.text.length ? "enough" : "again";
    }
    @join({ next: "meet" }) collect(inputs: Inputs<Drafts>) { this.notes = inputs.map((input) => input.note); }
    @step({ next: "meet" }) count() { this.length = this.text.length; }
    @join({ next: "judge" }) meet(inputs: Inputs<Drafts>) {
      this.notes = inputs.collect.notes;
      this.length = inputs.count.length;
      this.text = inputs.before.text;
      this.pages = [...inputs.before.pages, current.path + ":" + this.notes.join(",")];
    }
    @choose({ on: "verdict", next: { poor: "write", good: "publish", hopeless: "drop" } }) judge() { this.verdict = this.length < 3 ? "poor" : "good"; }
    @step({ next: "end" }) publish() { this.pages.push("published"); }
    @step({ next: "end" }) drop() { this.pages.push("dropped"); }
    @step() end() {}`,
  );
  expect(values.pages).toEqual(["~0:ann2", "~1:ann3,bob3", "~2:ann4,bob4", "published"]);
  expect(tasks.filter((task) => task.startsWith("reader/~1")).toSorted()).toEqual([
    "reader/~1.0~0",
    "reader/~1.0~1",
    "reader/~1.0~2",
    "reader/~1.1~0",
    "reader/~1.1~1",
    "reader/~1.1~2",
  ]);
  expect(tasks.filter((task) => task.startsWith("meet"))).toEqual(["meet/~0", "meet/~1", "meet/~2"]);
  expect(tasks).not.toContain("drop");
});

test("loops inside of loops count their rounds anew, and one may be left through both", async () => {
  const { tasks, values } = await shape(
    "Grid",
    `
    row!: number; column!: number; cells!: string[]; where!: "right" | "down" | "out";
    @step({ next: "line" }) start() { this.cells = []; this.row = -1; }
    @step({ next: "cell" }) line() { this.row++; this.column = -1; }
    @choose({ on: "where", next: { right: "cell", down: "line", out: "end" } }) cell() {
      this.column++;
      this.cells.push(this.row + "" + this.column + "@" + current.path);
      this.where = this.row === 1 && this.column === 1 ? "out" : this.column === 2 ? "down" : "right";
    }
    @step() end() {}`,
  );
  expect(values.cells).toEqual(["00@~0~0", "01@~0~1", "02@~0~2", "10@~1~0", "11@~1~1"]);
  expect(tasks.filter((task) => task.startsWith("line"))).toEqual(["line/~0", "line/~1"]);
});

test("a loop that is not entered is dead, and a join beside it does not wait for its ways out", async () => {
  const { tasks, values } = await shape(
    "Spared",
    `
    mode!: "skip" | "try"; again!: boolean; seen!: string[];
    @step({ next: ["side", "decide"] }) start() {}
    @step({ next: "meet" }) side() {}
    @choose({ on: "mode", next: { try: "attempt", skip: "meet" } }) decide() { this.mode = "skip"; }
    @choose({ on: "again", next: { true: "attempt", false: "tidy" } }) attempt() { this.again = false; }
    @step({ next: "meet" }) tidy() {}
    @join({ next: "end" }) meet(inputs: Inputs<Spared>) { this.seen = [inputs.maybe("tidy") === undefined ? "no tidy" : "tidy", String(inputs.length)]; }
    @step() end() {}`,
  );
  expect(tasks.toSorted()).toEqual(["decide", "end", "meet", "side", "start"]);
  expect(values.seen).toEqual(["no tidy", "2"]);
});

test("a loop without end fails by name, at the choice that asks for one round too many", async () => {
  project.write({
    "Endless.ts": flowText(
      "Endless",
      `
      count!: number; verdict!: "more" | "done";
      @step({ next: "spin" }) start() { this.count = 0; }
      @choose({ on: "verdict", next: { more: "spin", done: "end" } }) spin() { this.count++; this.verdict = "more"; }
      @step() end() {}`,
    ),
  });
  const ran = await project.here(["run", "Endless.ts", "--max-rounds", "4", "--json"]);
  expect(ran.code).toBe(1);
  const { record } = ran.lines.at(-1);
  expect(record).toMatchObject({
    status: "failed",
    failure: { task: "Endless/1/spin/~3", error: { code: "FLOW_RUNNER_TOO_MANY_ROUNDS" } },
    tasks: { total: 5, byStatus: { succeeded: 4, failed: 1 } },
  });
});

test("branches cross: each join brings together what leads to it, whoever split it", async () => {
  const { values, tasks } = await shape(
    "Crossed",
    `
    mark!: string; left!: string; right!: string; all!: string;
    @step({ next: ["a", "b"] }) start() { this.mark = ""; }
    @step({ next: ["ax", "ay"] }) a() { this.mark += "a"; }
    @step({ next: ["bx", "by"] }) b() { this.mark += "b"; }
    @step({ next: "x" }) ax() { this.mark += "x"; }
    @step({ next: "y" }) ay() { this.mark += "y"; }
    @step({ next: "x" }) bx() { this.mark += "x"; }
    @step({ next: "y" }) by() { this.mark += "y"; }
    @join({ next: "end" }) x(inputs: Inputs<Crossed>) { this.left = inputs.map((input) => input.mark).join() + inputs.before.mark; }
    @join({ next: "end" }) y(inputs: Inputs<Crossed>) { this.right = inputs.map((input) => input.mark).join() + inputs.before.mark; }
    @join() end(inputs: Inputs<Crossed>) { this.all = inputs.x.left + " " + inputs.y.right; }`,
  );
  expect(values.all).toBe("ax,bx ay,by");
  expect(tasks).toHaveLength(10);
});

test("a join is also a choice, a fork or a foreach, and the end is a join, at any depth", async () => {
  const { values, tasks } = await shape(
    "Joints",
    `
    outer!: number[]; inner!: number[]; rest!: number[]; item!: number; sum!: number; kind!: "odd" | "even"; text!: string; texts!: string[];
    @step({ next: "each", foreach: "outer" }) start() { this.outer = [0, 1, 2, 3]; }
    @step({ next: "leaf", foreach: "inner" }) each(size: number) { this.inner = Array.from({ length: size }, (_, n) => n + 1); }
    @step({ next: ["twice", "thrice"] }) leaf(n: number) { this.item = n; }
    @step({ next: "both" }) twice() { this.item *= 2; }
    @step({ next: "both" }) thrice() { this.item *= 3; }
    @join({ next: "again", foreach: "rest" }) both(inputs: Inputs<Joints>) { this.rest = inputs.map((input) => input.item); }
    @step({ next: "sum1" }) again(n: number) { this.sum = n; }
    @join({ next: "sum2" }) sum1(inputs: Inputs<Joints>) { this.sum = inputs.reduce((sum, input) => sum + input.sum, 0); }
    @choose({ join: true, on: "kind", next: { odd: "odd", even: "even" } }) sum2(inputs: Inputs<Joints>) { this.sum = inputs.reduce((sum, input) => sum + input.sum, 0); this.kind = this.sum % 2 === 0 ? "even" : "odd"; }
    @step({ next: "fork" }) odd() { this.text = "odd" + this.sum; }
    @step({ next: "fork" }) even() { this.text = "even" + this.sum; }
    @join({ next: ["left", "right"] }) fork(inputs: Inputs<Joints>) { this.texts = inputs.map((input) => input.text); }
    @step({ next: "end" }) left() { this.texts.push("left"); }
    @step({ next: "end" }) right() { this.texts.push("right"); }
    @join() end(inputs: Inputs<Joints>) { this.texts = inputs.flatMap((input) => input.texts); }`,
  );
  // Of the items 1 to n: each twice and thrice, so 5 (1 + … + n).
  const sums = ["even0", "odd5", "odd15", "even30"];
  expect(values.texts).toEqual([...sums, "left", ...sums, "right"]);
  expect(tasks.filter((task) => task.startsWith("again")).toSorted()).toEqual(
    ["1.0", "2.0", "2.1", "3.0", "3.1", "3.2"].flatMap((path) => [`again/${path}.0`, `again/${path}.1`]),
  );
});

test("foreachs are empty at every depth, inside of choices, branches and rounds", async () => {
  const { values, tasks } = await shape(
    "Hollow",
    `
    outer!: number[]; inner!: number[]; counts!: number[]; count!: number; way!: "in" | "past"; more!: boolean; sizes!: number[][];
    @step({ next: "round" }) start() { this.outer = [2, 0]; this.sizes = []; }
    @step({ next: ["split", "other"] }) round() {}
    @step({ next: "look", foreach: "outer" }) split() {}
    @choose({ on: "way", next: { in: "deep", past: "gather" } }) look(size: number) { this.way = size > 0 ? "in" : "past"; this.count = -1; this.inner = Array(size).fill(0); }
    @step({ next: "leaf", foreach: "inner" }) deep() { }
    @step({ next: "closed" }) leaf(n: number) {}
    @join({ next: "gather" }) closed(inputs: Inputs<Hollow>) { this.count = inputs.length; }
    @join({ next: "meet" }) gather(inputs: Inputs<Hollow>) { this.counts = inputs.map((input) => input.count); }
    @step({ next: "meet" }) other() {}
    @join({ next: "judge" }) meet(inputs: Inputs<Hollow>) { this.sizes = [...inputs.before.sizes, inputs.gather.counts]; this.outer = inputs.before.outer; }
    @choose({ on: "more", next: { true: "round", false: "end" } }) judge() { this.outer = this.outer.slice(1); this.more = this.sizes.length < 3; }
    @step() end() {}`,
  );
  expect(values.sizes).toEqual([[2, -1], [-1], []]);
  expect(tasks.filter((task) => /^(deep|leaf|closed)/.test(task)).toSorted()).toEqual([
    "closed/~0.0",
    "deep/~0.0",
    "leaf/~0.0.0",
    "leaf/~0.0.1",
  ]);
});

test("what is no loop is refused before anything runs, with the place", async () => {
  project.write({
    "Circle.ts": flowText(
      "Circle",
      `@step({ next: "a" }) start() {} @step({ next: "b" }) a() {} @step({ next: "a" }) b() {}`,
    ),
  });
  const { code, stderr } = await project.here(["check", "Circle.ts"]);
  expect(code).toBe(2);
  expect(stderr).toContain("FLOW_GRAPH_CYCLE");
  expect(stderr).toContain("The steps wait for each other: a → b → a");
  expect(stderr).toContain("only a choice may lead back");
});
