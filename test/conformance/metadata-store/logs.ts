import { describe, expect, test } from "vitest";
import type { LogChunk, LogSequence, RunRow } from "../../../packages/core/src/metadata/metadata-store.ts";
import { newRun, noon, noSuchRun, started, tick } from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

const START = 0 as LogSequence;

export function logsVerb(under: MetadataStoreUnderTest): void {
  const write = (run: RunRow, ...logs: readonly LogChunk[]) =>
    under.store.commitTick(tick({ run: run.sequence, logs }));

  describe("reading what tasks wrote", () => {
    test.each([0, -1, 1.5])("refuses a page of %d pieces", async (limit) => {
      const refusal = { code: "FLOW_METADATA_BAD_ARGUMENT" };
      await expect(under.store.logs({ task: 1 as never, limit })).rejects.toMatchObject(refusal);
      await expect(under.store.runLogs({ run: 1 as never, after: START, limit })).rejects.toMatchObject(refusal);
    });

    test("a task's output comes in pages by the number of its last piece", async () => {
      const run = await under.store.createRun(newRun());
      await under.store.commitTick(tick({ started: [started(run, 1), started(run, 2, { path: "1" })] }));
      for (let number = 0; number < 5; number++) await write(run, piece(1, `${number}`), piece(2, "of another task"));
      const texts: string[][] = [];
      let after: LogSequence | undefined;
      while (true) {
        const page = await under.store.logs({ task: 1 as never, limit: 2, ...(after === undefined ? {} : { after }) });
        if (page.length === 0) break;
        texts.push(page.map(({ text }) => text));
        after = page.at(-1)!.sequence;
      }
      expect(texts).toEqual([["0", "1"], ["2", "3"], ["4"]]);
    });

    test("a run's output comes in the order of writing, from wherever a reader stopped", async () => {
      const [run, other] = [await under.store.createRun(newRun()), await under.store.createRun(newRun())];
      await under.store.commitTick(tick({ started: [started(run, 1), started(run, 2, { path: "1" })] }));
      await under.store.commitTick(tick({ started: [started(other, 3)] }));
      await write(run, piece(2, "a"));
      await write(other, piece(3, "x"));
      await write(run, piece(1, "b"));
      await write(other, piece(3, "y"));
      await write(run, piece(2, "c"));
      const first = await under.store.runLogs({ run: run.sequence, after: START, limit: 2 });
      expect(first.rows.map(({ text, task }) => [text, task])).toEqual([
        ["a", 2],
        ["b", 1],
      ]);
      const second = await under.store.runLogs({ run: run.sequence, after: first.next, limit: 2 });
      expect(second.rows).toMatchObject([{ text: "c", attempt: 0, stream: "stdout", at: noon }]);
      await write(run, piece(1, "d"));
      const third = await under.store.runLogs({ run: run.sequence, after: second.next, limit: 2 });
      expect(third.rows.map(({ text }) => text)).toEqual(["d"]);
      expect(await under.store.runLogs({ run: noSuchRun, after: START, limit: 2 })).toMatchObject({ rows: [] });
    });

    test("where the next page begins goes forward while only others write", async () => {
      const [run, loud] = [await under.store.createRun(newRun()), await under.store.createRun(newRun())];
      expect(await under.store.logEnd()).toBe(0);
      expect(await under.store.runLogs({ run: run.sequence, after: START, limit: 9 })).toEqual({ rows: [], next: 0 });
      await under.store.commitTick(tick({ started: [started(run, 1)] }));
      await under.store.commitTick(tick({ started: [started(loud, 2)] }));
      await write(loud, piece(2, "x"), piece(2, "y"));
      const page = await under.store.runLogs({ run: run.sequence, after: START, limit: 9 });
      expect(page).toEqual({ rows: [], next: await under.store.logEnd() });
      expect(page.next).toBeGreaterThan(0);
      await write(run, piece(1, "mine"));
      expect((await under.store.runLogs({ run: run.sequence, after: page.next, limit: 9 })).rows).toHaveLength(1);
    });
  });
}

function piece(task: number, text: string): LogChunk {
  return { task: task as never, attempt: 0, stream: "stdout", at: noon, text };
}
