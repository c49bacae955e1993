/** What tasks write and what `current` tells them: attributed to the task, whoever prints and whenever. */
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "./observe.ts";

const project = new Project({
  "talk.ts": flowText(
    "Talk",
    `
    items!: string[]; facts!: unknown; all!: any[];
    tell() { return { run: current.run.name, id: current.run.id, flow: current.run.flow, project: current.run.project, tags: current.run.tags, step: current.step, path: current.path, task: current.task, attempt: current.attempt, index: current.index ?? null, random: [current.random(), current.random()] }; }
    @step({ next: "say", foreach: "items" }) start() { this.facts = this.tell(); console.log("plain", { deep: [1] }); console.error("to stderr"); this.items = ["a", "b", "c", "d"]; }
    @step({ next: "gather" }) async say(item: string) {
      this.facts = this.tell();
      console.log("first of " + item);
      await wait(5);
      process.stdout.write("no newline ");
      await Promise.all([wait(1).then(() => console.log("from a callback of " + item)), wait(2).then(() => console.warn("warned by " + item))]);
      process.stdout.write(Buffer.from("bytes ü of " + item + "\\n"));
      if (item === "d") { console.log("x".repeat(100_000)); await wait(150); console.log("late"); }
    }
    @join({ next: "end" }) gather(inputs: Inputs<Talk>) { this.all = inputs.map((input) => input.facts); }
    @step() end() { this.facts = this.tell(); }`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

test("output is kept for each task and stream, in the order in which it was written", async () => {
  const watched = await project.run("talk.ts", { tags: ["loud"] });
  if (watched.run === undefined) throw watched.error;
  const said = (item: string) => `first of ${item}\nno newline from a callback of ${item}\nbytes ü of ${item}\n`;
  const long = `${"x".repeat(100_000)}\nlate\n`;
  const expected: Record<string, readonly [string, string]> = {
    "Talk/1/start": ["plain { deep: [ 1 ] }\n", "to stderr\n"],
    ...Object.fromEntries(
      ["a", "b", "c", "d"].map((item, index) => [
        `Talk/1/say/${index}`,
        [said(item) + (item === "d" ? long : ""), `warned by ${item}\n`],
      ]),
    ),
  };
  const live: Record<string, [string, string]> = {};
  for (const event of watched.events) {
    if (event.kind !== "task.output") continue;
    live[event.task] ??= ["", ""];
    live[event.task]![event.stream === "stdout" ? 0 : 1] += event.text;
  }
  expect(live).toEqual(expected);
  const stored = (await project.flow(["logs", "Talk/1", "--json"])).lines;
  const kept: Record<string, [string, string]> = {};
  for (const { task, stream, text } of stored) {
    kept[task] ??= ["", ""];
    kept[task]![stream === "stdout" ? 0 : 1] += text;
  }
  expect(kept).toEqual(expected);
  expect((await project.flow(["logs", "Talk/1/say/1", "--stdout"])).stdout).toBe(said("b"));

  const facts = [await (watched.run as any).data.all, [await (watched.run as any).data.facts]].flat();
  const common = { run: "Talk/1", id: watched.record.id, flow: "Talk", project: "shop", tags: ["loud"], attempt: 1 };
  expect(facts).toMatchObject([
    ...["0", "1", "2", "3"].map((path) => ({
      ...common,
      step: "say",
      path,
      index: Number(path),
      task: `Talk/1/say/${path}`,
    })),
    { ...common, step: "end", path: "", index: null, task: "Talk/1/end" },
  ]);
  const draws = facts.flatMap((fact: { random: number[] }) => fact.random);
  expect(new Set(draws).size).toBe(10);
  expect(draws.every((draw: number) => draw >= 0 && draw < 1)).toBe(true);
});

test("the command shows output live behind its task, and keeps it off stdout", async () => {
  const { code, stdout, stderr } = await project.flow(["run", "talk.ts"]);
  expect(code).toBe(0);
  expect(stdout).not.toMatch(/first of|plain/);
  for (const line of [
    "Talk/2/start │ plain { deep: [ 1 ] }",
    "Talk/2/say/2 │ first of c",
    "Talk/2/say/1 │ warned by b",
    "Talk/2/say/3 │ late",
  ])
    expect(stderr).toContain(line);
});
