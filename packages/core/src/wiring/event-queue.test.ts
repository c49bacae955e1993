import { expect, test } from "vitest";
import type { RunEvent } from "../events/run-event.ts";
import { EventQueue } from "./event-queue.ts";

const at = new Date(0);
const output = (text: string): RunEvent => ({
  kind: "task.output",
  at,
  task: "Train/1/start",
  step: "start",
  path: "",
  attempt: 1,
  stream: "stdout",
  text,
});
const warning = (message: string): RunEvent => ({ kind: "run.warning", at, code: "FLOW_RUNNER_STUCK", message });

/** What a reader gets, in short. */
async function read(queue: EventQueue, count = Number.POSITIVE_INFINITY): Promise<readonly string[]> {
  const seen: string[] = [];
  while (seen.length < count) {
    const { done, value } = await queue.next();
    if (done === true) break;
    if (value.kind === "task.output") seen.push(value.text);
    else if (value.kind === "output.dropped") seen.push(`${value.events} dropped (${value.characters})`);
    else if (value.kind === "run.warning") seen.push(`! ${value.message}`);
  }
  return seen;
}

test("behind a slow reader the oldest output is dropped, counted where it began, and nothing else is", async () => {
  const queue = new EventQueue(() => {}, 3 * 300);
  queue.push(warning("first"));
  for (let index = 0; index < 10; index++) {
    queue.push(output(`text ${index}`));
    queue.push(warning(`after ${index}`));
  }
  queue.close({});
  const seen = await read(queue);
  expect(seen.slice(0, 3)).toEqual(["! first", "7 dropped (42)", "! after 0"]);
  expect(seen.filter((each) => each.startsWith("text"))).toEqual(["text 7", "text 8", "text 9"]);
  expect(seen.filter((each) => each.startsWith("! after"))).toHaveLength(10);
});

test("what is dropped after a reader has been told is told again", async () => {
  const queue = new EventQueue(() => {}, 2 * 300);
  for (let index = 0; index < 4; index++) queue.push(output(`a${index}`));
  expect(await read(queue, 2)).toEqual(["2 dropped (4)", "a2"]);
  for (let index = 0; index < 4; index++) queue.push(output(`b${index}`));
  queue.close({});
  expect(await read(queue)).toEqual(["3 dropped (6)", "b2", "b3"]);
});

test("the newest output stays however long it is, and a reader in time misses nothing", async () => {
  const queue = new EventQueue(() => {}, 100);
  queue.push(output("x".repeat(1_000)));
  expect(await read(queue, 1)).toEqual(["x".repeat(1_000)]);
  for (let index = 0; index < 100; index++) {
    const next = read(queue, 1);
    queue.push(output(`now ${index}`));
    expect(await next).toEqual([`now ${index}`]);
  }
});

test("a hundred thousand events pass through", async () => {
  const queue = new EventQueue(() => {});
  for (let index = 0; index < 100_000; index++) queue.push(index % 2 === 0 ? output("o") : warning("w"));
  queue.close({});
  const seen = await read(queue);
  expect(seen.filter((each) => each === "! w")).toHaveLength(50_000);
});
