import { describe, expect, it } from "vitest";
import type { Digest } from "../../artifact/artifact.ts";
import type { ArtifactRow, TaskSequence } from "../../metadata/metadata-store.ts";
import { VisibleArtifacts } from "./visible-artifacts.ts";

interface Left {
  readonly inherits?: number;
  readonly own: Readonly<Record<string, string>>;
}

/** Tasks as a store gives them, with a count of what was read. */
function tasks(left: Readonly<Record<number, Left>>) {
  const count = { rows: 0, statements: 0 };
  const rows = (own: Readonly<Record<string, string>>): ArtifactRow[] =>
    Object.entries(own)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, digest]) => ({ name, codec: "cbor", digest: digest as Digest, sizeBytes: 1 }));
  const all = (task: number): Record<string, string> => {
    const { inherits, own } = left[task] ?? { own: {} };
    return { ...(inherits === undefined ? {} : all(inherits)), ...own };
  };
  const reader = {
    leftBy: (wanted: readonly TaskSequence[]) => {
      count.statements++;
      return wanted
        .filter((task) => left[task] !== undefined)
        .map((task) => {
          const { inherits, own } = left[task]!;
          const artifacts = rows(own);
          count.rows += artifacts.length;
          return { task, artifacts, ...(inherits === undefined ? {} : { inherits: inherits as TaskSequence }) };
        });
    },
    visibleArtifacts: (task: TaskSequence) => rows(all(task)),
  };
  return { visible: new VisibleArtifacts(reader), count, all };
}

const shown = (table: ReadonlyMap<string, ArtifactRow>) => [...table].map(([name, { digest }]) => [name, digest]);
const sorted = (record: Readonly<Record<string, string>>) =>
  Object.entries(record).sort(([one], [other]) => (one < other ? -1 : 1));

describe("VisibleArtifacts", () => {
  it("gives the nearest artifact of each name, in the order of names, along chains of any length", () => {
    const left: Record<number, Left> = { 1: { own: { first: "1", b: "1" } } };
    for (let task = 2; task <= 200; task++)
      left[task] = {
        inherits: task - 1,
        own: task % 3 === 0 ? {} : { [`a${task % 7}`]: String(task), b: String(task) },
      };
    for (const order of [[200], [3, 5, 200, 100, 18, 19], Array.from({ length: 200 }, (_, index) => index + 1)]) {
      const { visible, all } = tasks(left);
      for (const [index, task] of order.entries()) {
        const following = (most: number) => order.slice(index + 1, index + 1 + most) as TaskSequence[];
        for (const name of ["first", "b", "a3", "none"])
          expect(visible.find(task as TaskSequence, name, following)?.digest).toBe(all(task)[name]);
        expect(shown(visible.of(task as TaskSequence))).toEqual(sorted(all(task)));
      }
    }
  });

  it("does not read what a task has left that ended here", () => {
    const left: Record<number, Left> = { 1: { own: { b: "1", a: "1" } } };
    for (let task = 2; task <= 40; task++)
      left[task] = {
        inherits: task - 1,
        own: task % 3 === 0 ? {} : { [`a${task % 7}`]: String(task), b: String(task) },
      };
    const { visible, count, all } = tasks(left);
    for (let task = 1; task <= 40; task++) {
      const artifacts = Object.entries(left[task]!.own).map(([name, digest]) => ({
        ...{ name, codec: "cbor", digest: digest as Digest, sizeBytes: 1 },
        term: { isTransient: true },
      }));
      const inherits = task === 1 ? {} : { inherits: (task - 1) as TaskSequence };
      visible.left({ task: task as TaskSequence, artifacts, ...inherits });
      expect(shown(visible.of(task as TaskSequence))).toEqual(sorted(all(task)));
      for (const row of visible.of(task as TaskSequence).values()) expect(row).not.toHaveProperty("term");
    }
    expect(count.statements).toBe(0);
  });

  it("reads what a task has left that starts from one it knows nothing of", () => {
    const { visible, count, all } = tasks({ 1: { own: { b: "1" } }, 2: { inherits: 1, own: { a: "2" } } });
    visible.left({ task: 2 as TaskSequence, inherits: 1 as TaskSequence, artifacts: [] });
    expect(shown(visible.of(2 as TaskSequence))).toEqual(sorted(all(2)));
    expect(count.statements).toBe(2);
  });

  it("gives nothing of a task that is not there", () => {
    expect(tasks({}).visible.of(7 as TaskSequence).size).toBe(0);
  });

  it("reads what a thousand inputs start from once", () => {
    const wide = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`artifact${index}`, "x"]));
    const left: Record<number, Left> = { 1: { own: wide } };
    for (let task = 2; task <= 1001; task++) left[task] = { inherits: 1, own: { result: String(task) } };
    const inputs = Array.from({ length: 1000 }, (_, index) => (index + 2) as TaskSequence);
    const { visible, count } = tasks(left);
    for (const [index, task] of inputs.entries()) {
      const following = (most: number) => inputs.slice(index + 1, index + 1 + most);
      expect(visible.find(task, "result", following)?.digest).toBe(String(task));
      expect(visible.find(task, "artifact499", following)?.digest).toBe("x");
    }
    // 1, 2, 4, … and then 128 inputs in a statement, and one for what they start from.
    expect(count).toEqual({ rows: 1500, statements: 15 });
  });

  it("reads nothing ahead for who asks for inputs here and there", () => {
    const left = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [index + 1, { own: { result: "x" } }]));
    const { visible, count } = tasks(left);
    for (let index = 0; index < 1000; index += 3) {
      const following = (most: number) =>
        Array.from({ length: Math.min(most, 999 - index) }, (_, next) => (index + 2 + next) as TaskSequence);
      visible.find((index + 1) as TaskSequence, "result", following);
    }
    expect(count).toEqual({ rows: 334, statements: 334 });
  });
});
