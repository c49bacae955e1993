/**
 * Steps that misbehave, in threads and in processes: each is a failure with a name, what it wrote before is there, and the
 * next task is not affected.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { TaskResult } from "../../packages/core/src/runner/protocol.ts";
import { workerEnded } from "../../packages/core/src/runner/worker-ended.ts";
import { Project } from "../kit/project.ts";
import { eachSomewhere, seeded } from "../kit/seed.ts";
import { textValue, Workers } from "../kit/workers.ts";
import { flowText } from "../scenarios/observe.ts";

const SAY = `console.log("said before");`;
const STEPS: Readonly<Record<string, string>> = {
  fine: `this.value = "fine";`,
  exits: `${SAY} process.exit(0);`,
  exitsWithCode: `${SAY} process.exit(3);`,
  reallyExits: `${SAY} (process as any).reallyExit(0);`,
  rejection: `${SAY} void Promise.reject(new RangeError("nobody awaits me")); await wait(60_000);`,
  lateThrow: `${SAY} setTimeout(() => { throw new RangeError("thrown by a timer"); }, 5); await wait(60_000);`,
  spins: `${SAY} for (;;);`,
  floods: `for (let n = 0; n < 200; n++) console.log("line " + n); for (;;);`,
  waitsForEver: `${SAY} Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`,
  fills: `${SAY} const all: unknown[] = []; for (;;) all.push({ some: Math.random(), text: "n" + all.length });`,
  fillsAtOnce: `${SAY} const all = Array.from({ length: 6_000_000 }, (_, n) => ({ n })); await wait(60_000); this.value = String(all.length);`,
  fillsArrays: `${SAY} const all: Uint8Array[] = []; for (;;) all.push(new Uint8Array(1 << 24).fill(1));`,
  segfaults: `${SAY} process.kill(process.pid, "SIGSEGV"); for (;;);`,
  killed: `${SAY} process.kill(process.pid, "SIGKILL"); for (;;);`,
  aborts: `${SAY} process.abort();`,
  recursion: `const deeper = (n: number): number => deeper(n + 1) + 1; this.value = deeper(0);`,
  throwsNull: `throw null;`,
  throwsUndefined: `throw undefined;`,
  throwsProxy: `throw new Proxy(new Error("x"), { get() { throw new Error("no"); }, getPrototypeOf() { throw new Error("no"); } });`,
  throwsRevoked: `const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); throw proxy;`,
  throwsFrozen: `throw Object.freeze(new TypeError("frozen"));`,
  throwsGetter: `throw Object.defineProperty(new Error("x"), "message", { get() { throw new Error("no"); } });`,
  throwsStackGetter: `const error = new Error("kept"); Object.defineProperty(error, "stack", { get() { throw new Error("no"); } }); throw error;`,
  throwsHuge: `throw new Error("x".repeat(50_000_000));`,
  throwsFunction: `throw () => 1;`,
  closesDescriptors: `${SAY} for (let fd = 0; fd <= 20; fd++) try { closeSync(fd); } catch {} await wait(50);`,
  disconnects: `${SAY} process.disconnect?.(); await wait(60_000);`,
  asksLate: `const reason = await new Promise((resolve) => { this.signal.addEventListener("abort", () => resolve(String(this.signal.reason.message))); if (this.signal.aborted) resolve(String(this.signal.reason.message)); }); console.log(reason);`,
  ignoresAbort: `await new Promise<void>((resolve) => this.signal.addEventListener("abort", () => { console.log("heard"); })); `,
};

const project = new Project({
  "steps.ts": flowText(
    "Steps",
    `value!: unknown; @step({ next: "end" }) start() {}
     ${Object.entries(STEPS)
       .map(([name, body]) => `@step({ next: "end" }) async ${name}() { ${body} }`)
       .join("\n")}
     @step() end() {}`,
    `import { closeSync } from "node:fs";`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

/** The task saw the reason and came back; what it left may be half of what it should be, and counts for nothing. */
async function expectCancelled(workers: Workers, result: TaskResult, reason: string): Promise<void> {
  expect(result.outcome).toEqual({ kind: "cancelled" });
  if (result.logs.length > 0) expect(result.logs.map(({ text }) => text).join("")).toBe(`${reason}\n`);
  else
    await workers.heard(
      (one) => one.kind === "output" && one.chunk.task === result.sequence && one.chunk.text === `${reason}\n`,
    );
}

type Expected = Readonly<Record<string, unknown>>;
const lost = (code: string, why: Expected): Expected => ({ code, context: { why } });

const noMemory = (isolate: string): Expected =>
  lost("FLOW_RUNNER_OUT_OF_MEMORY", { kind: "out-of-memory", isolate, limitMb: 200 });
const outOfMemory = { thread: noMemory("thread"), process: noMemory("process") };

/** Steps that end their worker, and what their tasks fail with. */
const LOST: Readonly<Record<string, { readonly thread?: Expected; readonly process: Expected }>> = {
  exits: both(lost("FLOW_RUNNER_WORKER_ENDED", { kind: "exited", code: 0 })),
  exitsWithCode: both(lost("FLOW_RUNNER_WORKER_ENDED", { kind: "exited", code: 3 })),
  reallyExits: { process: lost("FLOW_RUNNER_WORKER_ENDED", { kind: "exited", code: 0 }) },
  rejection: both({ code: "FLOW_RUNNER_WORKER_ENDED", message: expect.stringContaining("nobody awaits me") }),
  lateThrow: both({ code: "FLOW_RUNNER_WORKER_ENDED", message: expect.stringContaining("thrown by a timer") }),
  fills: outOfMemory,
  fillsAtOnce: outOfMemory,
  fillsArrays: { process: outOfMemory.process },
  segfaults: { process: lost("FLOW_RUNNER_WORKER_CRASHED", { kind: "signal", signal: "SIGSEGV" }) },
  killed: { process: lost("FLOW_RUNNER_WORKER_CRASHED", { kind: "signal", signal: "SIGKILL" }) },
  aborts: { process: lost("FLOW_RUNNER_WORKER_CRASHED", { kind: "signal", signal: "SIGABRT" }) },
  disconnects: { process: { code: expect.stringMatching(/^FLOW_RUNNER_/) } },
  closesDescriptors: { process: { code: expect.stringMatching(/^FLOW_RUNNER_/) } },
};

function both(expected: Expected): { readonly thread: Expected; readonly process: Expected } {
  return { thread: expected, process: expected };
}

/** Steps that throw, and what is kept of that. */
const THROWN: Readonly<Record<string, Expected>> = {
  recursion: { name: "RangeError", message: "Maximum call stack size exceeded" },
  throwsNull: { message: "a step threw null instead of an Error" },
  throwsUndefined: { message: "a step threw undefined instead of an Error" },
  throwsProxy: { message: expect.stringContaining("cannot be read") },
  throwsRevoked: { message: expect.stringMatching(/instead of an Error|cannot be read/) },
  throwsFrozen: { name: "TypeError", message: "frozen" },
  throwsGetter: { message: expect.stringContaining("cannot be read") },
  throwsStackGetter: { message: "kept" },
  throwsHuge: { message: expect.stringMatching(/^x{60000,70000}… \(50000000 characters, cut\)$/) },
  throwsFunction: { message: expect.stringContaining("instead of an Error") },
};

const { random } = seeded("misbehaviour");
const places = ["thread", "process"] as const;
const thrown = eachSomewhere(Object.entries(THROWN), places, random);

for (const isolate of places) {
  const where = `in a ${isolate}`;
  const placement = { isolate, memoryMb: 200 } as const;
  let workers: Workers;
  let roomy: Workers;
  beforeAll(async () => {
    workers = await Workers.open(project, "steps.ts", { heapMb: 200 });
    roomy = await Workers.open(project, "steps.ts");
  }, 60_000);
  afterAll(async () => {
    await workers[Symbol.asyncDispose]();
    await roomy[Symbol.asyncDispose]();
  });
  const goesOn = async () => expect(textValue(await workers.run("fine", { placement }))).toBe("fine");

  const losing = Object.entries(LOST).flatMap(([step, expected]) =>
    expected[isolate] === undefined ? [] : [[step, expected[isolate]] as const],
  );
  test.each(losing)(
    `${where}, %s fails by name; what was said before is kept; the next task runs`,
    async (step, expected) => {
      const { results } = workers.start(step, { placement });
      const from = workers.messages.length;
      const error = await results.then(
        () => expect.unreachable("a result came back"),
        (thrown: unknown) => workerEnded(step, thrown),
      );
      expect(error).toMatchObject(expected);
      expect(error.message).toContain(`"${step}"`);
      const said = workers.messages.slice(from).flatMap((one) => (one.kind === "output" ? [one.chunk.text] : []));
      expect(said.join("")).toContain("said before\n");
      await goesOn();
    },
  );

  test.each(thrown.filter(([, place]) => place === isolate).map(([kind]) => kind))(
    `${where}, what %s throws is kept, bounded`,
    async (step, expected) => {
      // Describing an error of 50 MB takes several times as much.
      const { outcome } = await roomy.run(step, { placement: { isolate } });
      expect(outcome).toMatchObject({ kind: "failed", error: expected });
      expect(JSON.stringify(outcome).length).toBeLessThan(200_000);
      await goesOn();
    },
  );

  test.each(["spins", "waitsForEver", "ignoresAbort"])(`${where}, end() ends %s at once`, async (step) => {
    const submission = workers.start(step, { placement, isWatched: true });
    await submission.begun();
    const begin = performance.now();
    submission.end();
    await expect(submission.results).rejects.toMatchObject({ why: { kind: "ended" } });
    expect(performance.now() - begin).toBeLessThan(2_000);
    await goesOn();
  });

  test(`${where}, all that a flood wrote before its worker was ended is there`, async () => {
    const from = workers.messages.length;
    const submission = workers.start("floods", { placement, isWatched: true });
    // The tenth line is sent at once; what follows waits to be gathered, in a step that never lets a timer run.
    await workers.heard((one) => one.kind === "output" && one.chunk.text.includes("line 9\n"));
    await new Promise((resolve) => setTimeout(resolve, 200)); // The loop that writes is over in far less.
    submission.end();
    await expect(submission.results).rejects.toMatchObject({ why: { kind: "ended" } });
    const text = workers.messages
      .slice(from)
      .flatMap((one) => (one.kind === "output" ? [one.chunk.text] : []))
      .join("");
    expect(text).toBe(Array.from({ length: 200 }, (_, n) => `line ${n}\n`).join(""));
  });

  test(`${where}, abort() reaches this.signal with its reason, and end() what does not heed it`, async () => {
    const asked = workers.start("asksLate", { placement, isWatched: true });
    await asked.begun();
    asked.abort("over the limit of 2 s");
    const [result] = await asked.results;
    await expectCancelled(workers, result!, "over the limit of 2 s");

    const deaf = workers.start("ignoresAbort", { placement, isWatched: true });
    await deaf.begun();
    deaf.abort("a reason");
    await workers.heard((one) => one.kind === "output" && one.chunk.text.includes("heard"));
    deaf.end();
    await expect(deaf.results).rejects.toMatchObject({ why: { kind: "ended" } });
    await goesOn();
  });

  test(`${where}, what is asked of a batch that waits is remembered`, async () => {
    const first = workers.start("asksLate", { placement, isWatched: true });
    const second = workers.start("asksLate", { placement, isWatched: true });
    const third = workers.start("fine", { placement });
    second.abort("before it began");
    third.end();
    await expect(third.results).rejects.toMatchObject({ why: { kind: "ended" } });
    await first.begun();
    first.abort("first");
    await expectCancelled(workers, (await first.results)[0]!, "first");
    await expectCancelled(workers, (await second.results)[0]!, "before it began");
  });
}

test("cancel() reaches tasks that run, and tasks that wait report that they were cancelled", async () => {
  for (const isolate of ["thread", "process"] as const) {
    const placement = { isolate } as const;
    await using workers = await Workers.open(project, "steps.ts");
    const running = workers.start("asksLate", { placement, isWatched: true });
    const waiting = workers.start("fine", { placement, count: 3 });
    await running.begun();
    workers.executor.cancel();
    await expectCancelled(workers, (await running.results)[0]!, "The run was cancelled");
    expect((await waiting.results).map((result) => result.outcome.kind)).toEqual([
      "cancelled",
      "cancelled",
      "cancelled",
    ]);
  }
});

test("a batch that is aborted before its worker is ready sees that when it begins", async () => {
  for (const isolate of ["thread", "process"] as const) {
    await using workers = await Workers.open(project, "steps.ts");
    const asked = workers.start("asksLate", { placement: { isolate }, isWatched: true });
    asked.abort("at once");
    await expectCancelled(workers, (await asked.results)[0]!, "at once");
  }
});

test("close() rejects what runs and what waits", async () => {
  for (const isolate of ["thread", "process"] as const) {
    const workers = await Workers.open(project, "steps.ts");
    const running = workers.start("spins", { placement: { isolate }, isWatched: true });
    const waiting = workers.start("fine", { placement: { isolate } });
    await running.begun();
    await workers.executor.close();
    const ended = { name: "ExecutorLostError", why: { kind: "ended" } };
    await expect(running.results).rejects.toMatchObject(ended);
    await expect(waiting.results).rejects.toMatchObject(ended);
    await expect(workers.start("fine").results).rejects.toMatchObject(ended);
  }
});
