/**
 * Keys of the step cache, made a second time from the words of docs/formats/cache-key.md and from what the store says of a
 * run: each must lead to its task.
 */
import { hash } from "node:crypto";
import { preparePackage, type TaskRow } from "@millrace/core/internal";
import { afterAll, expect, test } from "vitest";
import { encodeValue } from "../../packages/core/src/artifact/value-codec.ts";
import { launch } from "../kit/launch.ts";
import { Project } from "../kit/project.ts";
import { flowText, tasksOf } from "../scenarios/observe.ts";

const project = new Project({
  "rows.ts": flowText("Rows", "rows!: number[]; @step({ next: 'end' }) start() { this.rows = [1]; } @step() end() {}"),
  "keys.ts": flowText(
    "Keys",
    `readonly size = param(z.coerce.number().default(2)); readonly table = [1]; readonly source = upstream(Rows);
     items!: number[]; square!: number; other!: number; sum!: number; none?: number; way!: "a" | "b";
     @step({ next: "work", foreach: "items" }) start() { this.items = [this.size, this.table[0]! + this.source.data.rows[0]!]; this.other = 1; }
     @step({ next: "gather", environment: { B: "2", A: "1" } }) work(item: number, index: number) { this.square = item * index + (this.none ?? 0); }
     @join({ next: "pick" }) gather(inputs: Inputs<Keys>) {
       this.sum = inputs.reduce((sum, input) => sum + input.square, inputs.before.other);
       this.mergeArtifacts(inputs, { include: ["other"] });
     }
     @choose({ on: "way", next: { a: "end", b: "end" } }) pick() { this.way = current.run.tags.length > 0 ? "a" : "b"; }
     @step() end() { this.sum = 3; }`,
    'import Rows from "./rows.ts";',
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

const digest = (...lines: readonly string[]): string => hash("sha256", lines.join("\n"), "hex");
const FORM = "millrace step cache 2";
const cbor = (value: unknown): string => `cbor ${encodeValue(value).digest}`;

test("every key that the page describes leads to its task", { timeout: 60_000 }, async () => {
  await launch(project, "rows.ts");
  const run = await launch(project, "keys.ts", { cache: "on", tags: ["x", "a"] });
  const { metadata } = await project.stores();
  const tasks = await tasksOf(project, run.record.id);
  const { definition } = (await preparePackage(project.file("keys.ts"))).flows[0]!;

  const basisOf = (step: string, about: readonly unknown[], environment: readonly unknown[] = []): string =>
    digest(
      FORM,
      "encoding 1",
      `node ${process.versions.node.split(".")[0]} ${process.platform} ${process.arch}`,
      `code ${definition.steps.find(({ name }) => name === step)!.codeDigest}`,
      `step ${JSON.stringify(about)}`,
      `environment ${JSON.stringify(environment)}`,
    );
  const found = async (key: string): Promise<readonly string[]> =>
    (await metadata.cacheEntries(key as never, 10)).map(({ task }) =>
      name(tasks.find(({ sequence }) => sequence === task)!),
    );
  const name = ({ step, path }: TaskRow): string => (path === "" ? step : `${step}/${path}`);

  const start = basisOf("start", ["step", false, "items", null, []]);
  const work = basisOf(
    "work",
    ["step", false, null, null, []],
    [
      ["A", "1"],
      ["B", "2"],
    ],
  );
  const gather = basisOf("gather", ["join", true, null, null, []]);
  const pick = basisOf("pick", ["choose", false, null, "way", ["a", "b"]]);
  const end = basisOf("end", ["step", false, null, null, []]);
  const merged = digest(JSON.stringify([["other", ...cbor(1).split(" ")]]));
  const keys: Readonly<Record<string, readonly string[]>> = {
    start: [
      `basis ${start}`,
      "read set this.items = free",
      "read set this.other = free",
      `read this.size = value ${cbor(2)}`,
      "read this.source = a run",
      `read this.source.data.rows = ${cbor([1])}`,
      `read this.table = constant ${cbor([1])}`,
    ],
    "work/1": [`basis ${work}`, `item ${cbor(2)}`, "index 1", "read set this.square = free", "read this.none = absent"],
    gather: [
      `basis ${gather}`,
      'declared ["work"]',
      'sources [["work",2]]',
      "before true",
      `read inputs.before.other = ${cbor(1)}`,
      `read inputs.merge {"include":["other"],"set":["sum"]} = ${merged}`,
      `read inputs[*].square = ${digest(cbor(0), cbor(2))}`,
      "read set this.sum = free",
    ],
    pick: [`basis ${pick}`, 'read current.run.tags = ["a","x"]', "read set this.way = free"],
    // The sum was 3 already, so that nothing is recorded of it: that it was 3 counts.
    end: [`basis ${end}`, "read set this.sum = free", `read this.sum = artifact ${cbor(3)}`],
  };
  for (const [task, lines] of Object.entries(keys)) expect(await found(digest(FORM, ...lines)), task).toEqual([task]);

  // Under the key of the lists stands what a task of the step has read.
  const lists = await metadata.cacheEntries(digest(FORM, "lists", `basis ${pick}`) as never, 10);
  expect(lists.map(({ reads }) => reads)).toEqual([{ "current.run.tags": '["a","x"]', "set this.way": "free" }]);
  expect(await found(digest(FORM, "lists", `basis ${work}`))).toHaveLength(1); // One list for all tasks that read the same.
});
