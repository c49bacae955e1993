/** A runner that is killed writes nothing any more: whoever looks sees that its run is lost, without a server. */
import fs from "node:fs";
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText, taskOf, tasksOf } from "./observe.ts";

const project = new Project({
  "waits.ts": flowText(
    "Waits",
    `
    items!: number[]; square!: number;
    @step({ next: "work", foreach: "items" }) start() { this.items = [0, 1]; }
    @step({ next: "gather" }) async work(item: number) {
      this.square = item ** 2;
      if (item === 0) return;
      console.log("waiting");
      await until("never");
    }
    @join({ next: "end" }) gather() {}
    @step() end() {}`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

test("a run whose runner was killed is lost for every reader at once, and was running until then", async () => {
  let looked: Promise<readonly string[]> | undefined;
  const killed = await project.flow(["run", "waits.ts", "--tag", "nightly"], {
    onOutput: (text, kill) => {
      if (looked !== undefined || !text.includes("waiting")) return;
      looked = statuses().then((seen) => {
        kill("SIGKILL");
        return seen;
      });
    },
  });
  expect(killed.signal).toBe("SIGKILL");
  expect(await looked).toEqual(["running", "running", "running"]);
  expect(await statuses()).toEqual(["lost", "lost", "lost"]);

  expect((await project.flow(["runs", "--status", "lost", "--tag", "nightly", "--json"])).lines).toMatchObject([
    { run: "Waits/1", status: "lost", execution: { number: 1, pid: expect.any(Number) } },
  ]);
  expect((await project.flow(["runs", "--status", "running", "--json"])).lines).toEqual([]);
  const record = JSON.parse((await project.flow(["show", "Waits/1", "--json"])).stdout);
  expect(record).toMatchObject({
    status: "lost",
    tasks: { total: 3, byStatus: { succeeded: 2, lost: 1 }, attempts: 3 },
    execution: { number: 1, heartbeatAt: expect.any(String) },
  });
  expect(Object.fromEntries((await tasksOf(project, record.id)).map((row) => [taskOf(row), row.status]))).toEqual({
    start: "succeeded",
    "work/0": "succeeded",
    "work/1": "lost",
  });
  const client = await project.client();
  const shown = [];
  for await (const run of client.runs("Waits").where({ status: "lost" })) shown.push(run.id);
  expect(shown).toEqual([record.id]);
  await expect(client.runs("Waits").latest()).rejects.toMatchObject({ code: "FLOW_LINEAGE_NO_RUN" });
  // Nobody wrote it: on another machine, the same records are judged anew.
  expect(fs.readdirSync(project.store)).toContain("millrace.db-wal");
});

/** What the command, the client and the record's own status say of the run. */
async function statuses(): Promise<readonly string[]> {
  const [listed] = (await project.flow(["runs", "Waits", "--json"])).lines;
  const { metadata } = await project.stores();
  const run = await (await project.client()).runs("Waits").get(1);
  return [listed.status, run.status, (await metadata.runs({}))[0]!.status];
}
