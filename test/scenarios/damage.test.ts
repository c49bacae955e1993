/** What happens to a store from outside: a process that is killed, a byte that turns, a file that is gone. */
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText, taskOf, tasksOf } from "./observe.ts";

const project = new Project({
  "many.ts": flowText(
    "Many",
    `
    items!: number[]; noise!: Uint8Array; small!: string;
    @step({ next: "work", foreach: "items" }) start() { this.items = Array.from({ length: 3_000 }, (_, n) => n); }
    @step({ next: "end" }) work(item: number) { this.noise = Uint8Array.from({ length: 20_000 }, () => current.random() * 256); this.small = "item " + item; }
    @join() end() {}`,
  ),
  "rows.ts": flowText(
    "Rows",
    `rows!: Uint8Array; @step() start() { this.rows = Uint8Array.from({ length: 50_000 }, () => current.random() * 256); }`,
  ),
  "reads.ts": flowText(
    "Reads",
    `readonly source = upstream("Rows"); sum!: number; @step() start() { this.sum = (this.source.data as any).rows.length; }`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

test.skipIf(process.platform === "win32")(
  "every task that was told to be done is there after kill -9, with its artifacts",
  async () => {
    let announced = "";
    const killed = await project.flow(["run", "many.ts", "--json"], {
      onOutput: (text, kill) => {
        if (announced !== "" || text.split('"task.succeeded"').length < 200) return;
        announced = text;
        kill("SIGKILL");
      },
    });
    expect(killed.signal).toBe("SIGKILL");
    const told = killed.stdout
      .split("\n")
      .slice(0, -1) // The last line may have been cut.
      .map((line) => JSON.parse(line));
    const done: readonly string[] = told.filter((event) => event.kind === "task.succeeded").map((event) => event.task);
    expect(done.length).toBeGreaterThan(150);
    const { metadata, artifacts } = await project.stores();
    const rows = await tasksOf(project, told.find((event) => event.kind === "run.created").runId);
    const recorded = new Map(rows.map((row) => [`Many/1/${taskOf(row)}`, row]));
    expect(done.filter((task) => recorded.get(task)?.status !== "succeeded")).toEqual([]);
    let read = 0;
    for (const row of rows) {
      if (row.step !== "work" || row.status !== "succeeded") continue;
      const own = await metadata.ownArtifacts(row.sequence);
      expect(own.map(({ name }) => name)).toEqual(["noise", "small"]);
      for (const artifact of own) await artifacts.payload(artifact, await metadata.blob(artifact.digest)); // checks the digest
      read++;
    }
    expect(read).toBeGreaterThan(150);
    // A run that is under way, or was killed, is nobody's newest.
    await expect((await project.client()).runs("Many").latest()).rejects.toMatchObject({ code: "FLOW_LINEAGE_NO_RUN" });
  },
);

let blob = "";
beforeAll(async () => {
  const rows = await project.run("rows.ts");
  await project.run("reads.ts");
  const { digest } = rows.record.artifacts.find((artifact: { name: string }) => artifact.name === "rows");
  const found = fs
    .readdirSync(project.store, { recursive: true, encoding: "utf8" })
    .find((file) => file.includes(digest));
  blob = path.join(project.store, found!);
});

test("a byte that turned is seen by whoever reads: a step, the command, the client, validate", async () => {
  const bytes = fs.readFileSync(blob);
  bytes[bytes.length >> 1]! ^= 1;
  fs.chmodSync(blob, 0o600);
  fs.writeFileSync(blob, bytes);
  expect((await project.run("reads.ts")).error).toMatchObject({
    cause: { code: "FLOW_ARTIFACT_DAMAGED", message: expect.stringMatching(/"rows" of Rows\/1/) },
  });
  const client = await project.client();
  await expect((await client.run<any>("Rows/1")).data.rows).rejects.toMatchObject({
    code: "FLOW_ARTIFACT_DAMAGED",
    message: expect.stringContaining('"rows" of Rows/1'),
  });
  const dump = await project.here(["dump", "Rows/1", "rows", "--json"]);
  expect([dump.code, dump.lines[0].error.code]).toEqual([1, "FLOW_ARTIFACT_DAMAGED"]);
  const validated = await project.here(["validate", "Reads/1", "--json"]);
  expect(validated.code).toBe(1);
  expect(validated.lines[0].checks.filter((check: { status: string }) => check.status === "fail")).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ id: "V03", subject: expect.objectContaining({ artifact: "rows" }) }),
    ]),
  );
});

test("a blob that is gone is named as missing", async () => {
  fs.rmSync(blob);
  expect((await project.run("reads.ts")).error).toMatchObject({
    cause: { code: "FLOW_ARTIFACT_MISSING", message: expect.stringContaining('"rows" of Rows/1') },
  });
  expect((await project.here(["validate", "Reads/1"])).code).toBe(1);
});
