/** Workers that a program's run leaves to its next run of the same flow: as new ones would be, or not kept at all. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { MessagePort } from "node:worker_threads";
import { run } from "@millrace/core";
import { afterEach, expect, test } from "vitest";
import { Project } from "../kit/project.ts";

let project: Project;
afterEach(() => project[Symbol.asyncDispose]());

/** A flow that says in which thread it ran and what its module knows; `top` stands before it, `body` in its step. */
function flow(body = "", top = ""): string {
  return `
import crypto from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";
import { threadId } from "node:worker_threads";
import { Flow, param, step, z } from "@millrace/core";
${top}
const state = { calls: 0 }; // A change inside of an object is not seen by the look at what tasks leave.
const read = fs.readFileSync(new URL("facts.txt", import.meta.url), "utf8");

export default class Kept extends Flow {
  readonly given = param(z.string().default("nothing"));
  thread!: number;
  calls!: number;
  read!: string;

  @step()
  async start() {
    state.calls++;
    this.thread = threadId;
    this.calls = state.calls;
    this.read = read;
    ${body}
  }
}
`;
}

const WIDE = `
import { Flow, join, step } from "@millrace/core";
export default class Wide extends Flow {
  items!: number[];
  @step({ next: "work", foreach: "items" })
  start() { this.items = Array.from({ length: 400 }, (_, index) => index); }
  @step({ next: "end" })
  work(item: number) {}
  @join()
  end() {}
}
`;

/** The values of so many runs, one after another. */
async function runsOf(count: number, between?: (number: number) => void) {
  const seen: { thread: number; calls: number; read: string }[] = [];
  for (let number = 1; number <= count; number++) {
    const { data } = await run<any>(project.file("kept.ts"), { reuseWorkers: true });
    seen.push({ thread: await data.thread, calls: await data.calls, read: await data.read });
    between?.(number);
  }
  return seen;
}

function projectOf(body?: string, top?: string, more: Readonly<Record<string, string>> = {}): void {
  project = new Project({ "facts.txt": "old", "kept.ts": flow(body, top), ...more });
}

test("the next run has the thread, and modules that know nothing of the one before", async () => {
  projectOf();
  const [first, second, third] = await runsOf(3, (number) => {
    if (number === 2) project.write({ "facts.txt": "new" });
  });
  expect(second).toEqual(first);
  expect(third).toEqual({ ...first, read: "new" });
  expect(first!.calls).toBe(1);
});

test.each([
  ["a variable of all modules", "(globalThis as any).left = 1;"],
  ["an environment variable", 'process.env.LEFT = "1";'],
  ["a function in place of Node's", "Math.random = () => 0.5;"],
  ["a listener", 'process.on("SIGUSR2", () => {});'],
  ["a timer that repeats", "setInterval(() => {}, 60_000);"],
  ["a timer that fires once", "setTimeout(() => {}, 60_000);"],
  ["a timer that keeps nothing alive", "setTimeout(() => {}, 60_000).unref();"],
  ["a signal that waits", 'AbortSignal.timeout(60_000).addEventListener("abort", () => {});'],
  ["work of a thread pool", 'crypto.pbkdf2("a", "b", 2_000_000, 64, "sha512", () => {});'],
  ["a promise that nobody awaits", "void (async () => { for (;;) await fs.promises.stat('.'); })();"],
  ["a turn of the event loop after each other", "const turn = () => void setImmediate(turn); turn();"],
  ["a variable under a symbol", '(globalThis as any)[Symbol.for("of a library")] = 1;'],
  ["a hidden variable", 'Object.defineProperty(globalThis, "left", { value: 1 });'],
  ["a clock of its own", "globalThis.Date = class extends Date {} as DateConstructor;"],
  ["a property of the process", "(process as any).left = 1;"],
  ["settings of zod", "z.config(z.locales.de());"],
])("a thread in which a step left %s is not kept", async (_, body) => {
  projectOf(body);
  const [first, second] = await runsOf(2);
  expect(second!.thread).not.toBe(first!.thread);
  expect(second!.calls).toBe(1);
});

test.each([
  ["by an import", 'import { count } from "counts";', "this.calls = count();"],
  ["by require", "", 'this.calls = createRequire(import.meta.url)("counts").count();'],
  ["by a computed import", "", 'const name = "counts"; this.calls = (await import(name + "")).count();'],
])(
  "a thread that has loaded an installed package %s is not kept: the package would know the run before",
  async (_, top, body) => {
    projectOf(body, top, {
      "node_modules/counts/package.json": JSON.stringify({ name: "counts", version: "1.0.0", main: "index.js" }),
      "node_modules/counts/index.js": "let calls = 0; exports.count = () => ++calls;",
    });
    const [first, second] = await runsOf(2);
    expect(second!.thread).not.toBe(first!.thread);
    expect(second!.calls).toBe(1);
  },
);

test("threads are new where nobody asked for others", async () => {
  projectOf();
  const thread = async (): Promise<number> => await (await run<any>(project.file("kept.ts"))).data.thread;
  const [first, second] = [await thread(), await thread()];
  expect(second).not.toBe(first);
  const [reused] = await runsOf(1);
  expect(reused!.thread).not.toBe(second); // Nothing was left for it either.
});

test("a signal that a run has listened to is not that of the next run", async () => {
  projectOf(`this.calls = (this.signal as any).seen ?? 0; (this.signal as any).seen = 1;`);
  const [first, second] = await runsOf(2);
  expect(second).toEqual(first);
});

test("a flow that is slow to load, or fills the heap, has new threads each time", async () => {
  projectOf("", "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);");
  const slow = await runsOf(2);
  expect(slow[1]!.thread).not.toBe(slow[0]!.thread);
  await project[Symbol.asyncDispose]();
  projectOf(
    "hold(Array.from({ length: 2_000_000 }, (_, id) => ({ id, next: id + 0.5 })));",
    "const hold = (() => { let held: unknown; return (value: unknown) => { held = value; return held; }; })();",
  );
  const large = await runsOf(2);
  expect(large[1]!.thread).not.toBe(large[0]!.thread);
});

test("modules that leave something when they are loaded do not leave it twice", async () => {
  projectOf(
    "this.calls = (globalThis as any).loaded;",
    "(globalThis as any).loaded = ((globalThis as any).loaded ?? 0) + 1;",
  );
  expect((await runsOf(2)).map(({ calls }) => calls)).toEqual([1, 1]);
});

test("a run that failed or was cancelled leaves no thread", async () => {
  const failing = 'if (fs.existsSync(new URL("fail", import.meta.url))) throw new Error(String(threadId));';
  projectOf(failing);
  const [first] = await runsOf(1);
  project.write({ fail: "" });
  const failed = await run<any>(project.file("kept.ts"), { reuseWorkers: true }).then(
    () => undefined,
    (error: Error) => error,
  );
  expect((failed!.cause as Error).message).toBe(String(first!.thread));
  fs.unlinkSync(project.file("fail"));
  const [last] = await runsOf(1);
  expect(last!.thread).not.toBe(first!.thread);
});

test("the next run sends many short tasks at once from the beginning", async () => {
  project = new Project({ "wide.ts": WIDE });
  const counts: number[] = [];
  const { postMessage } = MessagePort.prototype;
  MessagePort.prototype.postMessage = function (this: MessagePort, message: any, ...more: any[]) {
    if (message?.step?.name === "work") counts.push(message.tasks.count ?? message.tasks.length);
    return (postMessage as any).call(this, message, ...more);
  } as typeof postMessage;
  try {
    await run<any>(project.file("wide.ts"), { reuseWorkers: true });
    expect(counts[0]).toBe(1); // Nobody knows yet how long they take.
    counts.length = 0;
    await run<any>(project.file("wide.ts"), { reuseWorkers: true });
    expect(counts[0]).toBeGreaterThan(10);
  } finally {
    MessagePort.prototype.postMessage = postMessage;
  }
});

test("a store that was deleted and made anew is read and written as it is", async () => {
  projectOf();
  const seen = await runsOf(3, () => fs.rmSync(project.store, { recursive: true }));
  expect(new Set(seen.map(({ thread }) => thread)).size).toBe(1);
});

test("code that was changed, and another environment, have threads of their own", async () => {
  projectOf();
  const [first] = await runsOf(1);
  project.write({ "kept.ts": flow("this.calls = 17;") });
  const [second] = await runsOf(1);
  expect(second).toEqual({ thread: expect.any(Number), calls: 17, read: "old" });
  process.env.OF_KEPT_TEST = "1";
  try {
    const [third] = await runsOf(1);
    expect(new Set([first, second, third].map((one) => one!.thread)).size).toBe(3);
  } finally {
    delete process.env.OF_KEPT_TEST;
  }
});

test("two runs at once have threads of their own", async () => {
  projectOf("await new Promise((resolve) => setTimeout(resolve, 300));");
  const seen = (await Promise.all([runsOf(1), runsOf(1)])).flat();
  expect(new Set(seen.map(({ thread }) => thread)).size).toBe(2);
});

test("threads that are kept do not keep the program", () => {
  projectOf();
  project.write({
    "program.mjs": `import { run } from "@millrace/core"; const reuse = { reuseWorkers: true }; await run("./kept.ts", reuse); console.log((await run("./kept.ts", reuse)).status);`,
  });
  const env = { ...process.env, MILLRACE_STORE: project.store };
  // They are kept for ten seconds: a program that waited for them would be ended by the limit.
  const printed = execFileSync(process.execPath, ["program.mjs"], { cwd: project.folder, env, timeout: 9_000 });
  expect(String(printed)).toBe("succeeded\n");
});
