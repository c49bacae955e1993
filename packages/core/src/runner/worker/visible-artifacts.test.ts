import { describe, expect, it } from "vitest";
import type { Digest } from "../../artifact/artifact.ts";
import type { ArtifactRow, TaskSequence } from "../../metadata/metadata-store.ts";
import { VisibleArtifacts } from "./visible-artifacts.ts";

interface Left {
  readonly inherits?: number;
  readonly own: Readonly<Record<string, string>>;
}

/** Tasks as a store gives them, with a count of the rows that were read. */
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
  const counted = (found: ArtifactRow[]) => {
    count.statements++;
    count.rows += found.length;
    return found;
  };
  const reader = {
    leftBy: (task: TaskSequence) => {
      const { inherits, own } = left[task] ?? { own: {} };
      const artifacts = counted(rows(own));
      return inherits === undefined ? { artifacts } : { inherits: inherits as TaskSequence, artifacts };
    },
    visibleArtifacts: (task: TaskSequence) => counted(rows(all(task))),
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
      for (const task of order) {
        for (const name of ["first", "b", "a3", "none"])
          expect(visible.find(task as TaskSequence, name)?.digest).toBe(all(task)[name]);
        expect(shown(visible.of(task as TaskSequence))).toEqual(sorted(all(task)));
      }
    }
  });

  it("gives nothing of a task that is not there", () => {
    expect(tasks({}).visible.of(7 as TaskSequence).size).toBe(0);
  });

  it("reads what a thousand inputs start from once", () => {
    const wide = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`artifact${index}`, "x"]));
    const left: Record<number, Left> = { 1: { own: wide } };
    for (let task = 2; task <= 1001; task++) left[task] = { inherits: 1, own: { result: String(task) } };
    const { visible, count } = tasks(left);
    for (let task = 2; task <= 1001; task++) {
      expect(visible.find(task as TaskSequence, "result")?.digest).toBe(String(task));
      expect(visible.find(task as TaskSequence, "artifact499")?.digest).toBe("x");
    }
    expect(count).toEqual({ rows: 1500, statements: 1001 });
  });
});
