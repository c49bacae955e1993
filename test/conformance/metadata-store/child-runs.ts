import { describe, expect, test } from "vitest";
import { digestOf, newRun, noon, noSuchRun } from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

export function childRunVerb(under: MetadataStoreUnderTest): void {
  describe("runs that were started inside steps", () => {
    test("are found by their call, and by it alone", async () => {
      const parent = await under.store.createRun(newRun());
      const key = { run: parent.sequence, step: "tune", path: "1.2", call: 0, inputsDigest: digestOf("inputs") };
      expect(await under.store.childRun(key)).toBeUndefined();
      const child = await under.store.createRun(newRun({ flow: { project: "shop", name: "Fit" }, parent: key }));
      expect(child).toMatchObject({ parent: { run: parent.id, step: "tune", path: "1.2", call: 0 } });
      expect(await under.store.childRun(key)).toEqual(child);
      for (const other of [
        { run: noSuchRun },
        { step: "fit" },
        { path: "1.3" },
        { call: 1 },
        { inputsDigest: digestOf("others") },
      ])
        expect(await under.store.childRun({ ...key, ...other })).toBeUndefined();
      const again = await under.store.createRun(newRun({ parent: { ...key, call: 1 } }));
      expect((await under.store.childRuns(parent.sequence)).map((run) => run.id)).toEqual([child.id, again.id]);
      expect((await under.store.childRuns(parent.sequence, 1)).map((run) => run.id)).toEqual([child.id]);
      expect(await under.store.childRuns(child.sequence)).toEqual([]);
      expect(await under.store.childRunCount(parent.sequence)).toBe(2);
      expect(await under.store.childRunCount(child.sequence)).toBe(0);
    });

    test("are read by the run that started them", async () => {
      const parent = await under.store.createRun(newRun());
      const key = { run: parent.sequence, step: "tune", path: "", call: 0, inputsDigest: digestOf("inputs") };
      const child = await under.store.createRun(newRun({ parent: key }));
      const ids = async (limit?: number) => (await under.store.consumers(child.id, limit)).map((run) => run.id);
      expect(await ids()).toEqual([parent.id]);
      expect(await under.store.consumers(parent.id)).toEqual([]);
      const upstream = {
        name: "fitted",
        flow: { name: "Fit" },
        selector: { kind: "newest" },
        producer: child.id,
        candidateCount: 1,
        candidates: [],
        resolvedAt: noon,
      } as const;
      const reader = await under.store.createRun(newRun({ upstreams: [upstream] }));
      expect([await ids(), await ids(1)]).toEqual([[reader.id, parent.id], [reader.id]]);
    });

    test("are one for each call: a second one is refused and not created", async () => {
      const parent = await under.store.createRun(newRun());
      const key = { run: parent.sequence, step: "tune", path: "", call: 0, inputsDigest: digestOf("inputs") };
      await under.store.createRun(newRun({ parent: key }));
      await expect(under.store.createRun(newRun({ parent: key }))).rejects.toMatchObject({
        code: "FLOW_METADATA_CONFLICT",
        message: expect.stringContaining("call 0 of tune/"),
      });
      await expect(under.store.createRun(newRun({ parent: { ...key, run: noSuchRun } }))).rejects.toMatchObject({
        code: "FLOW_METADATA_NO_RUN",
      });
      expect(await under.store.countRuns({})).toBe(2);
    });
  });
}
