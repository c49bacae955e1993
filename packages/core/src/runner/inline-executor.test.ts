/** The executor contract in this very thread, with real stores in memory. */
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { serializeError } from "../errors/flow-error.ts";
import { step } from "../flow/decorators.ts";
import { Flow } from "../flow/flow.ts";
import { createGivenRun } from "../testing/given-run.ts";
import { putTask } from "../testing/given-task.ts";
import { seededRunId } from "../testing/seeded-run-id.ts";
import { openMemoryStores } from "../wiring/open-memory-stores.ts";
import { InlineExecutor, type InlineExecutorOptions } from "./inline-executor.ts";
import type { Batch, HeardMessage } from "./protocol.ts";
import { stepContract } from "./step-contract.ts";

const held: { readonly begun: string[]; readonly go: PromiseWithResolvers<void>[] } = { begun: [], go: [] };

class Held extends Flow {
  name!: string;
  seen!: unknown;
  @step({ next: "wait" }) start() {
    this.name = "none";
  }
  @step({ next: "end" }) async wait() {
    const go = Promise.withResolvers<void>();
    held.begun.push(this.name);
    held.go.push(go);
    console.log(`${this.name} begins`);
    if (this.name !== "deaf") this.signal.addEventListener("abort", () => go.reject(this.signal.reason));
    await go.promise;
    this.seen = [process.env.MILLRACE_TEST_INLINE, this.name];
  }
  @step() end() {}
}

async function opened(options: Partial<InlineExecutorOptions> = {}) {
  held.begun.length = 0;
  held.go.length = 0;
  const stores = openMemoryStores();
  const run = await createGivenRun(stores, Held, { id: seededRunId(1), createdAt: new Date() });
  const executor = new InlineExecutor({
    flowClass: Held,
    artifacts: stores.artifacts,
    reader: stores.reader,
    describeError: serializeError,
    ...options,
  });
  const messages: HeardMessage[] = [];
  executor.onMessage((message) => messages.push(message));
  onTestFinished(async () => {
    await executor.close();
    await stores.close();
  });
  const batch = async (...names: readonly string[]): Promise<Batch> => {
    const tasks = [];
    for (const name of names) tasks.push(await putTask(stores, run, "wait", { inputs: { name } }));
    return { run: run.context, step: stepContract(run.prepared.graph, "wait"), tasks };
  };
  return { executor, batch, messages };
}

/** Waits until so many tasks have begun. */
async function begun(count: number): Promise<void> {
  while (held.begun.length < count) await turn();
}

describe("an inline executor", () => {
  test("runs one batch at a time, its tasks one after another", async () => {
    const { executor, batch } = await opened();
    const [first, second] = [executor.submit(await batch("a", "b")), executor.submit(await batch("c"))];
    expect(executor.isIdle).toBe(false);
    for (let index = 0; index < 3; index++) {
      await begun(index + 1);
      expect(held.begun.join("")).toBe("abc".slice(0, index + 1));
      held.go[index]!.resolve();
    }
    const results = [...(await first.results), ...(await second.results)];
    expect(results.map(({ outcome }) => outcome.kind)).toEqual(["succeeded", "succeeded", "succeeded"]);
    await turn();
    expect(executor.isIdle).toBe(true);
  });

  test("runs as many at once as it has slots", async () => {
    const { executor, batch } = await opened({ slots: 2 });
    for (const name of ["a", "b", "c"]) void executor.submit(await batch(name)).results;
    await begun(2);
    for (let turns = 0; turns < 5; turns++) await turn();
    expect(held.begun).toEqual(["a", "b"]);
    held.go[1]!.resolve();
    await begun(3);
  });

  test("says that a watched task begins, and aborts it alone", async () => {
    const { executor, batch, messages } = await opened({ slots: 2 });
    const [watched, other] = [await batch("a"), await batch("b")];
    const first = executor.submit({ ...watched, isWatched: true });
    const second = executor.submit(other);
    await begun(2);
    expect(messages.filter(({ kind }) => kind === "began")).toEqual([
      { kind: "began", sequence: watched.tasks[0]!.sequence },
    ]);
    first.abort("it took too long");
    expect((await first.results)[0]!.outcome.kind).toBe("cancelled");
    held.go[1]!.resolve();
    expect((await second.results)[0]!.outcome.kind).toBe("succeeded");
  });

  test("cancels what runs and what has not begun", async () => {
    const { executor, batch } = await opened();
    const [running, waiting] = [executor.submit(await batch("a", "b")), executor.submit(await batch("c"))];
    await begun(1);
    executor.cancel();
    const results = [...(await running.results), ...(await waiting.results)];
    expect(results.map(({ outcome }) => outcome.kind)).toEqual(["cancelled", "cancelled", "cancelled"]);
    expect(held.begun).toEqual(["a"]);
  });

  test("ends a batch that goes on for ever, and runs the next", async () => {
    const { executor, batch } = await opened();
    const [first, second] = [executor.submit(await batch("deaf")), executor.submit(await batch("b"))];
    await begun(1);
    first.end();
    await expect(first.results).rejects.toMatchObject({ name: "ExecutorLostError", why: { kind: "ended" } });
    await begun(2);
    held.go[1]!.resolve();
    expect(await second.results).toHaveLength(1);
  });

  test("closed, it gives up what is left and takes nothing more", async () => {
    const write = process.stdout.write;
    const { executor, batch } = await opened();
    expect(process.stdout.write).not.toBe(write);
    const [running, waiting, late] = [await batch("a"), await batch("b"), await batch("c")];
    const lost = [executor.submit(running), executor.submit(waiting)];
    await begun(1);
    await executor.close();
    for (const each of [...lost, executor.submit(late)])
      await expect(each.results).rejects.toMatchObject({ why: { kind: "ended" } });
    expect(process.stdout.write).toBe(write);
  });

  test("gives tasks copies: what one is given no other can change", async () => {
    const { executor, batch } = await opened();
    const given = await batch("a");
    const submission = executor.submit(given);
    (given.tasks[0] as { attempt: number }).attempt = 9;
    await begun(1);
    held.go[0]!.resolve();
    expect((await submission.results)[0]!.attempt).toBe(1);
  });

  test("sets the environment of a step for as long as it runs, and masks its secrets in what is written", async () => {
    const { executor, batch, messages } = await opened({
      setEnvironment: (variables) => {
        Object.assign(process.env, variables);
        return () => {
          for (const name of Object.keys(variables)) delete process.env[name];
        };
      },
    });
    const placement = {
      isolate: "thread" as const,
      environment: { MILLRACE_TEST_INLINE: "on" },
      secrets: { TOKEN: "hush-hush" },
    };
    const submission = executor.submit({ ...(await batch("hush-hush")), placement });
    await begun(1);
    expect(process.env.MILLRACE_TEST_INLINE).toBe("on");
    held.go[0]!.resolve();
    const [result] = await submission.results;
    expect(process.env.MILLRACE_TEST_INLINE).toBeUndefined();
    const live = messages.flatMap((message) => (message.kind === "output" ? [message.chunk.text] : []));
    expect([...live, ...result!.logs.map(({ text }) => text)].join("")).toBe("*** begins\n");
  });
});
