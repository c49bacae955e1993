import { describe, expect, test } from "vitest";
import {
  artifactOf,
  blobOf,
  digestOf,
  finished,
  newRun,
  noon,
  noSuchRun,
  noSuchTask,
  started,
  tick,
} from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

export function commitTickVerb(under: MetadataStoreUnderTest): void {
  describe("reserveTasks", () => {
    test.each([0, -1, 1.5, Number.NaN])("refuses to reserve %d", async (count) => {
      await expect(under.store.reserveTasks(count)).rejects.toMatchObject({ code: "FLOW_METADATA_BAD_ARGUMENT" });
    });
    test("never gives a number twice, also not through another connection", async () => {
      const other = await under.fixture.reopen();
      const given = new Set<number>();
      for (const store of [under.store, other, other, under.store]) {
        const first = await store.reserveTasks(10);
        for (let number = first; number < first + 10; number++) given.add(number);
      }
      await other.close();
      expect(given.size).toBe(40);
    });
  });

  describe("commitTick", () => {
    describe("bad arguments", () => {
      test("refuses a task of an unknown run", async () => {
        await expect(under.store.commitTick(tick({ started: [started(noSuchRun, 1)] }))).rejects.toMatchObject({
          code: "FLOW_METADATA_NO_RUN",
        });
      });
      test("refuses the end of an unknown task, its reads and its logs", async () => {
        const no = { code: "FLOW_METADATA_NO_TASK" };
        const run = await under.store.createRun(newRun());
        await expect(
          under.store.commitTick(tick({ run: run.sequence, finished: [finished(noSuchTask)] })),
        ).rejects.toMatchObject(no);
        const read = { task: noSuchTask, producer: newRun().id, artifact: "x", codec: "text", digest: digestOf("x") };
        await expect(under.store.commitTick(tick({ run: run.sequence, reads: [read] }))).rejects.toMatchObject(no);
        const log = { task: noSuchTask, attempt: 0, stream: "stdout" as const, at: noon, text: "hello" };
        await expect(under.store.commitTick(tick({ run: run.sequence, logs: [log] }))).rejects.toMatchObject(no);
      });
      test("refuses the same attempt at the same place twice, and the same number twice", async () => {
        const run = await under.store.createRun(newRun());
        await under.store.commitTick(tick({ started: [started(run, 1)] }));
        await expect(under.store.commitTick(tick({ started: [started(run, 2)] }))).rejects.toMatchObject({
          code: "FLOW_METADATA_CONFLICT",
        });
        await expect(under.store.commitTick(tick({ started: [started(run, 1, { path: "5" })] }))).rejects.toMatchObject(
          { code: "FLOW_METADATA_CONFLICT" },
        );
        await under.store.commitTick(tick({ started: [started(run, 2, { attempt: 1 })] }));
      });
      test("refuses a task that inherits from itself or from a later one", async () => {
        const run = await under.store.createRun(newRun());
        for (const inherits of [7, 8] as never[]) {
          await expect(
            under.store.commitTick(tick({ started: [started(run, 7, { inherits })] })),
          ).rejects.toMatchObject({ code: "FLOW_METADATA_BAD_ARGUMENT" });
        }
      });
      test("refuses an artifact or a page whose bytes are not stored", async () => {
        const run = await under.store.createRun(newRun());
        await under.store.commitTick(tick({ started: [started(run, 1)] }));
        const missing = { code: "FLOW_METADATA_MISSING_BLOB", context: { digest: digestOf("lost") } };
        await expect(
          under.store.commitTick(
            tick({ run: run.sequence, finished: [finished(1, { artifacts: [artifactOf("x", "lost")] })] }),
          ),
        ).rejects.toMatchObject(missing);
        const page = { first: 0, count: 1, codec: "cbor", digest: digestOf("lost"), sizeBytes: 4 };
        await expect(
          under.store.commitTick(tick({ run: run.sequence, finished: [finished(1, { pages: [page] })] })),
        ).rejects.toMatchObject(missing);
        expect(await under.store.task(1 as never)).toMatchObject({ status: "running" });
      });
      test("refuses a second end of a task: the first one stands", async () => {
        const run = await under.store.createRun(newRun());
        await under.store.commitTick(
          tick({ started: [started(run, 1)], blobs: [blobOf("x")], finished: [finished(1)] }),
        );
        const late = tick({
          run: run.sequence,
          finished: [finished(1, { status: "failed", artifacts: [artifactOf("late", "x")] })],
        });
        await expect(under.store.commitTick(late)).rejects.toMatchObject({ code: "FLOW_METADATA_TASK_FINAL" });
        await expect(
          under.store.commitTick(
            tick({ started: [started(run, 2, { path: "1" })], finished: [finished(2), finished(2)] }),
          ),
        ).rejects.toMatchObject({
          code: "FLOW_METADATA_TASK_FINAL",
        });
        expect(await under.store.task(1 as never)).toMatchObject({ status: "succeeded" });
        expect(await under.store.ownArtifacts(1 as never)).toEqual([]);
      });
    });

    describe("behaviour", () => {
      test("is all of it or nothing", async () => {
        const run = await under.store.createRun(newRun());
        const half = tick({
          started: [started(run, 1), started(run, 2, { path: "1" })],
          blobs: [blobOf("x")],
          finished: [finished(1, { artifacts: [artifactOf("x", "x")] }), finished(noSuchTask)],
        });
        await expect(under.store.commitTick(half)).rejects.toMatchObject({ code: "FLOW_METADATA_NO_TASK" });
        expect(await under.store.tasks({ run: run.sequence })).toEqual([]);
        expect(await under.store.blob(digestOf("x"))).toBeUndefined();
        await under.store.commitTick(tick({ started: [started(run, 1)] }));
        expect(await under.store.tasks({ run: run.sequence })).toHaveLength(1);
      });
      test("keeps what many siblings leave, and of many says which one cannot be kept", async () => {
        const run = await under.store.createRun(newRun());
        const siblings = Array.from({ length: 40 }, (_, index) => index + 1);
        const left = (number: number): string => `${number % 7}`; // Some leave the same value.
        const many = (change: { readonly path?: string; readonly value?: string } = {}) =>
          tick({
            started: siblings.map((number) =>
              started(run, number, { path: number === 21 ? (change.path ?? "x") : `${number}` }),
            ),
            blobs: siblings.map((number) => blobOf(left(number))),
            finished: siblings.map((number) =>
              finished(number, {
                artifacts: [artifactOf("x", number === 22 ? (change.value ?? left(number)) : left(number))],
              }),
            ),
          });
        await expect(under.store.commitTick(many({ path: "3" }))).rejects.toMatchObject({
          code: "FLOW_METADATA_CONFLICT",
          context: { path: "3", sequence: 21 },
        });
        await expect(under.store.commitTick(many({ value: "lost" }))).rejects.toMatchObject({
          code: "FLOW_METADATA_MISSING_BLOB",
          context: { digest: digestOf("lost") },
        });
        expect(await under.store.tasks({ run: run.sequence })).toEqual([]);
        await under.store.commitTick(many());
        expect(await under.store.tasks({ run: run.sequence })).toHaveLength(40);
        for (const number of siblings)
          expect(await under.store.ownArtifacts(number as never)).toEqual([artifactOf("x", left(number))]);
      });
      test("of nothing is nothing", async () => {
        const run = await under.store.createRun(newRun());
        await under.store.commitTick(tick({ run: run.sequence }));
        expect(await under.store.tasks({ run: run.sequence })).toEqual([]);
      });
      test.each(["together", "apart"])("keeps beginning and end of a task that come %s", async (how) => {
        const run = await under.store.createRun(newRun());
        const error = {
          code: "FLOW_STEP_FAILED",
          name: "TypeError",
          message: "x is not a function",
          stack: "TypeError: …",
        };
        const ends = [
          finished(11, { fanOut: 3, artifacts: [artifactOf("b", "1"), artifactOf("a", "2")] }),
          finished(12, { choice: "left" }),
          finished(13, { status: "failed", error }),
          finished(14, { status: "cancelled" }),
        ];
        const begins = [
          started(run, 11),
          started(run, 12, { step: "pick", inherits: 11 as never }),
          started(run, 13, { step: "fit", path: "0.2~1", attempt: 2, inherits: 11 as never }),
          started(run, 14, { step: "fit", path: "1" }),
          started(run, 15, { step: "fit", path: "2" }),
        ];
        const blobs = [blobOf("1"), blobOf("2")];
        if (how === "together") await under.store.commitTick(tick({ started: begins, blobs, finished: ends }));
        else {
          await under.store.commitTick(tick({ started: begins }));
          await under.store.commitTick(tick({ run: run.sequence, blobs, finished: ends }));
        }
        const end = { finishedAt: ends[0]!.finishedAt };
        expect(await under.store.tasks({ run: run.sequence })).toEqual([
          { ...begins[0], ...end, status: "succeeded", fanOut: 3 },
          { ...begins[1], ...end, status: "succeeded", choice: "left" },
          { ...begins[2], ...end, status: "failed", error },
          { ...begins[3], ...end, status: "cancelled" },
          { ...begins[4], status: "running" },
        ]);
        expect(await under.store.ownArtifacts(11 as never)).toEqual([artifactOf("a", "2"), artifactOf("b", "1")]);
      });
      test("keeps logs in the order in which they came, by task, attempt and stream", async () => {
        const run = await under.store.createRun(newRun());
        const log = (task: number, stream: "stdout" | "stderr", text: string, attempt = 0) => ({
          task: task as never,
          attempt,
          stream,
          at: noon,
          text,
        });
        const chunks = [
          log(1, "stdout", "one\n"),
          log(2, "stdout", "other"),
          log(1, "stderr", "\u001b[31mred\0"),
          log(1, "stdout", "two 🌊"),
          log(1, "stdout", "", 1),
        ];
        await under.store.commitTick(
          tick({ started: [started(run, 1), started(run, 2, { path: "1" })], logs: chunks.slice(0, 3) }),
        );
        await under.store.commitTick(tick({ run: run.sequence, logs: chunks.slice(3) }));
        expect(await under.store.logs({ task: 1 as never })).toMatchObject([
          chunks[0],
          chunks[2],
          chunks[3],
          chunks[4],
        ]);
        expect(await under.store.logs({ task: 1 as never, stream: "stdout" })).toMatchObject([
          chunks[0],
          chunks[3],
          chunks[4],
        ]);
        expect(await under.store.logs({ task: 1 as never, stream: "stdout", attempt: 0 })).toMatchObject([
          chunks[0],
          chunks[3],
        ]);
        expect(await under.store.logs({ task: noSuchTask })).toEqual([]);
      });
    });
  });
}
