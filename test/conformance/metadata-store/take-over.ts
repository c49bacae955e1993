import { describe, expect, test } from "vitest";
import type { NewRun, RunRow, UpstreamRead } from "../../../packages/core/src/metadata/metadata-store.ts";
import { artifactOf, blobOf, digestOf, finished, newRun, noon, noSuchRun, started, tick } from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

export function takeOverVerb(under: MetadataStoreUnderTest): void {
  describe("createRun with takeOver", () => {
    const producer = newRun().id;
    const page = { first: 0, count: 3, codec: "cbor", digest: digestOf("page"), sizeBytes: 4 };
    const none = { candidateCount: 0, candidates: [], resolvedAt: noon };
    const error = { code: "FLOW_STEP_FAILED", name: "Error", message: "no" };

    /** start, three of fit (one tried twice, one caught, one failed), with artifacts, a page and a read. */
    async function origin() {
      await under.store.reserveTasks(10);
      const run = await under.store.createRun(newRun());
      const trained = (sequence: number, path: string, attempt = 1) =>
        started(run, sequence, { step: "fit", path, attempt, inherits: 2 as never });
      await under.store.commitTick(
        tick({
          started: [
            started(run, 2, { attempt: 1 }),
            trained(3, "0"),
            trained(5, "1"),
            trained(6, "2"),
            trained(8, "0", 2),
            started(run, 9, { step: "join", attempt: 1 }),
          ],
          blobs: ["page", "1", "2"].map(blobOf),
          finished: [
            finished(2, { fanOut: 3, pages: [page], artifacts: [artifactOf("rows", "1")], valueReads: ["seed"] }),
            finished(3, { status: "failed", error }),
            finished(5, { status: "caught", error, artifacts: [artifactOf("model", "1")] }),
            finished(6, { status: "failed", error }),
            finished(8, {
              artifacts: [artifactOf("model", "2"), artifactOf("rows", "2")],
              durationMs: 3,
            }),
          ],
          reads: [
            { task: 8 as never, upstream: "source", producer, artifact: "x", codec: "text", digest: digestOf("x") },
          ],
        }),
      );
      return run;
    }

    /** A fork of a run, and what it begins with. */
    async function fork(from: RunRow, changes: Partial<NewRun> = {}, exceptSteps: readonly string[] = []) {
      const takeOver = { from: from.sequence, exceptSteps };
      const to = await under.store.createRun(newRun({ origin: { run: from.id }, takeOver, ...changes }));
      return { to, taken: await under.store.tasks({ run: to.sequence }) };
    }

    test("refuses to take over from a run that is not there, and creates none", async () => {
      const from = await origin();
      await expect(fork({ ...from, sequence: noSuchRun })).rejects.toMatchObject({ code: "FLOW_METADATA_NO_RUN" });
      expect(await under.store.countRuns({})).toBe(1);
    });

    test("takes over what finished, with its artifacts, pages, reads and origins", async () => {
      const from = await origin();
      const before = await under.store.tasks({ run: from.sequence });
      const facts = { fromStep: "join", changedSteps: ["join"], changedParameters: ["rate"] };
      const { to, taken } = await fork(from, { origin: { run: from.id, ...facts } });
      expect(to.origin).toEqual({ run: from.id, ...facts });
      expect(taken).toHaveLength(3);
      const [first, caught, again] = taken;
      expect(taken).toEqual(
        [before[0], before[2], before[4]].map((task, index) => ({
          ...task,
          run: to.sequence,
          sequence: taken[index]!.sequence,
          attempt: 1,
          ...(index === 0 ? {} : { inherits: first!.sequence }),
          origin: { task: task!.sequence, kind: "resume" },
        })),
      );
      expect(await under.store.visibleArtifacts(again!.sequence)).toEqual([
        artifactOf("model", "2"),
        artifactOf("rows", "2"),
      ]);
      expect(await under.store.visibleArtifacts(caught!.sequence)).toEqual([
        artifactOf("model", "1"),
        artifactOf("rows", "1"),
      ]);
      expect(await under.store.ownArtifacts(caught!.sequence)).toEqual([artifactOf("model", "1")]);
      expect(await under.store.itemPage(first!.sequence, 2)).toEqual({ split: first!.sequence, ...page });
      const read: Partial<UpstreamRead> = { task: again!.sequence, upstream: "source", producer, artifact: "x" };
      expect(await under.store.reads(to.sequence)).toMatchObject([read]);
      expect(await under.store.tasks({ run: from.sequence })).toEqual(before);
      // Numbers that were given away are not given again.
      expect(await under.store.reserveTasks(1)).toBeGreaterThan(again!.sequence);
    });

    test("leaves out steps, and refuses to leave out what another one starts from: then there is no run", async () => {
      const from = await origin();
      const left = async (...exceptSteps: readonly string[]) =>
        (await fork(from, { parameters: { exceptSteps } }, exceptSteps)).taken.map(
          (task) => `${task.step}/${task.path}`,
        );
      expect(await left("fit")).toEqual(["start/"]);
      expect(await left("join", "nothing")).toEqual(["start/", "fit/1", "fit/0"]);
      expect(await left("start", "fit")).toEqual([]);
      const runs = await under.store.countRuns({});
      await expect(left("start")).rejects.toMatchObject({
        code: "FLOW_METADATA_BAD_ARGUMENT",
        message: expect.stringContaining('"fit/'),
      });
      expect(await under.store.countRuns({})).toBe(runs);
      expect((await fork(from)).to.number).toBe(runs + 1); // its number was not used up either
    });

    test("finds the runs that the origin's steps have started, if they succeeded and their step does not run again", async () => {
      const from = await origin();
      const key = (step: string, path: string, call = 0) => ({
        step,
        path,
        call,
        inputsDigest: digestOf(`${step} ${call}`),
      });
      const child = async (call: ReturnType<typeof key>, status: "succeeded" | "failed") => {
        const row = await under.store.createRun(newRun({ parent: { ...call, run: from.sequence } }));
        const sequence = await under.store.reserveTasks(1);
        await under.store.commitTick(tick({ started: [started(row, sequence)], finished: [finished(sequence)] }));
        const end = status === "succeeded" ? { endTask: sequence } : {};
        return await under.store.finishRun({ run: row.sequence, execution: 1, status, finishedAt: noon, ...end });
      };
      const [kept, unfinished] = [
        await child(key("fit", "0"), "succeeded"),
        await child(key("fit", "2", 1), "succeeded"),
      ];
      await child(key("fit", "2"), "failed");
      const asked = await child(key("join", ""), "succeeded");
      const { to } = await fork(from, {}, ["join"]);
      const found = (call: ReturnType<typeof key>) => under.store.childRun({ ...call, run: to.sequence });
      expect(await found(key("fit", "0"))).toEqual(kept);
      expect(await found(key("fit", "2", 1))).toEqual(unfinished);
      for (const call of [key("fit", "2"), key("join", ""), key("fit", "0", 1)])
        expect(await found(call)).toBeUndefined();
      expect((await under.store.childRuns(to.sequence)).map(({ id }) => id)).toEqual([kept.id, unfinished.id]);
      expect(kept.parent).toMatchObject({ run: from.id }); // Who started it stays who it was.
      expect((await under.store.consumers(kept.id)).map(({ id }) => id)).toEqual([to.id, from.id]);
      expect((await under.store.consumers(asked.id)).map(({ id }) => id)).toEqual([from.id]);
    });

    test("of forks that do the same one is executed at a time; what is given differently is another fork", async () => {
      const from = await origin();
      const pin = { name: "source", flow: { name: "Base" }, selector: { kind: "newest" }, producer, ...none } as const;
      const value = { ...artifactOf("table", "1"), kind: "file" } as const;
      const facts = { run: from.id, fromStep: "join" };
      const same = {
        origin: facts,
        packageDigest: digestOf("p"),
        parameters: { a: 1 },
        upstreams: [pin],
        values: [value],
      };
      under.fixture.here.time = noon.getTime();
      const { to } = await fork(from, same);
      const refused = {
        code: "FLOW_METADATA_RUN_ALIVE",
        context: { run: to.id, name: "Train/2", host: "mill", pid: 7 },
      };
      await expect(fork(from, { ...same, tags: ["other"] })).rejects.toMatchObject(refused);
      const constant = { ...artifactOf("born", "2"), kind: "constant" } as const; // Which may ask the clock.
      await expect(fork(from, { ...same, values: [value, constant] })).rejects.toMatchObject(refused);
      for (const other of [
        { origin: { run: from.id } },
        { origin: { ...facts, run: (await under.store.createRun(newRun())).id } },
        { packageDigest: digestOf("q") },
        { parameters: { a: 2 } },
        { upstreams: [{ ...pin, producer: newRun().id }] },
        { values: [{ ...artifactOf("table", "2"), kind: "file" as const }] },
      ])
        await fork(from, { ...same, ...other });
      under.fixture.here.time += 60_000; // Its runner is dead by now.
      const again = (await fork(from, { ...same, createdAt: new Date(under.fixture.here.time) })).to;
      await expect(fork(from, same)).rejects.toMatchObject({ context: { run: again.id } });
      await under.store.finishRun({ run: again.sequence, execution: 1, status: "failed", finishedAt: noon });
      await fork(from, same);
    });

    test("takes over no older attempt of a task whose newest one failed", async () => {
      const from = await under.store.createRun(newRun());
      await under.store.commitTick(
        tick({
          started: [1, 2].map((attempt) => started(from, attempt, { attempt })),
          finished: [finished(1), finished(2, { status: "failed", error })],
        }),
      );
      expect((await fork(from)).taken).toEqual([]);
    });

    test("of a fork names the tasks of the fork: origins are followed to the task that was executed", async () => {
      const from = await origin();
      let last = from;
      for (let generation = 0; generation < 3; generation++) {
        const { to, taken } = await fork(last);
        expect(taken).toHaveLength(3);
        last = to;
      }
      let [, , task] = await under.store.tasks({ run: last.sequence });
      const runs = [];
      while (task!.origin !== undefined) {
        runs.push(task!.run);
        task = await under.store.task(task!.origin.task);
      }
      expect(runs).toHaveLength(3);
      expect(task).toMatchObject({ run: from.sequence, sequence: 8, attempt: 2 });
    });

    test("takes over 10,000 tasks with three artifacts each by few statements", { timeout: 60_000 }, async () => {
      const count = 10_000;
      const from = await under.store.createRun(newRun());
      const first = await under.store.reserveTasks(count + 1);
      await under.store.commitTick(
        tick({
          started: [started(from, first, { attempt: 1 })],
          blobs: ["1", "2", "3"].map(blobOf),
          finished: [finished(first, { fanOut: count, artifacts: [artifactOf("rows", "1")] })],
        }),
      );
      const artifacts = [artifactOf("a", "1"), artifactOf("b", "2"), artifactOf("c", "3")];
      for (let done = 0; done < count; done += 1_000) {
        const sequences = Array.from({ length: 1_000 }, (_, index) => first + 1 + done + index);
        await under.store.commitTick(
          tick({
            started: sequences.map((sequence) =>
              started(from, sequence, { step: "fit", path: `${sequence - first - 1}`, attempt: 1, inherits: first }),
            ),
            finished: sequences.map((sequence) => finished(sequence, { artifacts, valueReads: ["seed"] })),
          }),
        );
      }
      const takeOver = { from: from.sequence, exceptSteps: [] };
      const before = process.cpuUsage(); // not the clock's time, which other processes of the machine lengthen
      const to = await under.store.createRun(newRun({ origin: { run: from.id }, takeOver }));
      const { user, system } = process.cpuUsage(before);
      const columns = await under.store.finishedTasks(to.sequence);
      expect(columns.count).toBe(count + 1);
      expect(await under.store.visibleArtifacts(columns.sequences[77]!)).toHaveLength(4);
      expect((user + system) / 1_000, "ms of the processor; measured at 200").toBeLessThan(1_000);
    });
  });
}
