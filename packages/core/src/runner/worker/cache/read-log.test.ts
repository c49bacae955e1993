import { expect, test } from "vitest";
import { ReadLog } from "./read-log.ts";

const newLog = () => new ReadLog({ learnInput: () => {} });

function read(log: ReadLog, indices: Iterable<number>, name = "score"): void {
  for (const index of indices) log.inputRead(index, name, undefined);
}

test("one field of all inputs is one read, whatever their number", () => {
  const log = newLog();
  read(
    log,
    Array.from({ length: 10_000 }, (_, index) => index),
  );
  log.fieldRead("rows");
  expect(log.names(10_000)).toEqual(["inputs[*].score", "this.rows"]);
});

test("some inputs are ranges of positions, in any order of reading", () => {
  const log = newLog();
  read(log, [7, 1, 0, 2, 1]);
  expect(log.names(10)).toEqual(["inputs[0-2,7-7].score"]);
});

test("too many gaps make all inputs count", () => {
  const log = newLog();
  read(
    log,
    Array.from({ length: 100 }, (_, index) => index * 2),
  );
  expect(log.names(1_000)).toEqual(["inputs[*].score"]);
});

test("a task that reads more than can be listed is not offered", () => {
  const log = newLog();
  for (let index = 0; index < 3_000; index++) log.fieldRead(`f${index}`);
  expect(log.unknown).toBe("it read more than 2000 different things");
  expect(log.names(0).length).toBeLessThan(2_100);
});

test("names that are no identifiers are none of a key", () => {
  for (const look of [
    (log: ReadLog) => log.fieldRead("a.b"),
    (log: ReadLog) => log.inputRead(0, "a.b", undefined),
    (log: ReadLog) => log.read("inputs.before.a\nread this.b = absent"),
  ]) {
    const log = newLog();
    look(log);
    expect(log.unknown).toMatch(/identifier/);
    expect(log.names(1)).toEqual([]);
  }
});
