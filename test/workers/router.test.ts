/** Which workers run a batch: equal placements share them, others have their own, and none is kept for ever. */
import { afterAll, expect, test } from "vitest";
import type { Placement } from "../../packages/core/src/runner/protocol.ts";
import { Project } from "../kit/project.ts";
import { textValue, Workers } from "../kit/workers.ts";
import { flowText } from "../scenarios/observe.ts";

const project = new Project({
  "steps.ts": flowText(
    "Steps",
    `value!: unknown;
     @step({ next: "end" }) start() { this.value = JSON.stringify([process.pid, threadId, process.env.OWN ?? null, process.env.SECRET ?? null, process.env.BASE ?? null]); }
     @step({ next: "end" }) async slow() { this.value = JSON.stringify([process.pid, threadId]); await wait(300); }
     @step() end() {}`,
    `import { threadId } from "node:worker_threads";`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

const environment = { ...process.env, BASE: "of the program" };
const look = async (workers: Workers, placement?: Placement) => {
  const [pid, thread, own, secret, base] = JSON.parse(
    textValue(await workers.run("start", placement === undefined ? {} : { placement }))!,
  );
  return { worker: `${pid} ${thread}`, own, secret, base };
};

test("equal placements share workers, whoever wrote them; others do not", async () => {
  await using workers = await Workers.open(project, "steps.ts", { environment });
  const plain = await look(workers);
  expect((await look(workers, { isolate: "thread" })).worker).toBe(plain.worker);
  const a = await look(workers, { isolate: "thread", environment: { OWN: "1", B: "2" } });
  expect((await look(workers, { environment: { B: "2", OWN: "1" }, isolate: "thread" })).worker).toBe(a.worker);
  const others = [
    await look(workers, { isolate: "thread", environment: { OWN: "2" } }),
    await look(workers, { isolate: "process" }),
    await look(workers, { isolate: "process", memoryMb: 512 }),
    await look(workers, { isolate: "thread", secrets: { SECRET: "whisper" } }),
  ];
  expect(new Set([plain, a, ...others].map(({ worker }) => worker)).size).toBe(6);
});

test("variables and secrets of a step are beside those of the program, and nowhere else", async () => {
  await using workers = await Workers.open(project, "steps.ts", { environment });
  for (const isolate of ["thread", "process"] as const) {
    const given = { isolate, environment: { OWN: "mine" }, secrets: { SECRET: "whisper" } } as const;
    expect(await look(workers, given)).toMatchObject({ own: "mine", secret: "whisper", base: "of the program" });
    expect(await look(workers, { isolate, environment: { OTHER: "1" } })).toMatchObject({ own: null, secret: null });
  }
  expect(process.env.SECRET).toBeUndefined();
});

test("each placement has as many workers as there are slots, each with the batch that needs it", async () => {
  await using workers = await Workers.open(project, "steps.ts", { slots: 2 });
  for (const isolate of ["thread", "process"] as const) {
    const placement = { isolate, environment: { OWN: isolate } };
    const runs = await Promise.all(Array.from({ length: 4 }, () => workers.run("slow", { placement })));
    expect(new Set(runs.map((result) => textValue(result))).size).toBe(2);
  }
});

test("pools that nobody uses are closed when there are many, and opened again when they are wanted", async () => {
  await using workers = await Workers.open(project, "steps.ts");
  const placement = (n: number): Placement => ({ isolate: "thread", environment: { OWN: String(n) } });
  const first = await look(workers, placement(0));
  for (let n = 1; n <= 3; n++) await look(workers, placement(n));
  expect((await look(workers, placement(0))).worker).toBe(first.worker);
  for (let n = 4; n <= 8; n++) await look(workers, placement(n));
  expect((await look(workers, placement(0))).worker).not.toBe(first.worker);
});
