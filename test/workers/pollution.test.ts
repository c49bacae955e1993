/** What a task leaves changed in its worker is found, told, and not seen by the next task. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Placement } from "../../packages/core/src/runner/protocol.ts";
import { Project } from "../kit/project.ts";
import { eachSomewhere, seeded } from "../kit/seed.ts";
import { textValue, Workers } from "../kit/workers.ts";
import { flowText } from "../scenarios/observe.ts";

/** What the next task looks at: all that the polluters change, as one text. */
const PROBE = `this.value = JSON.stringify([process.env.LEFT ?? null, process.env.GIVEN ?? null, "left" in {}, "left" in [], JSON.parse.name, Date.now.name, typeof fs.readFileSync("/dev/null"), "left" in globalThis, process.listenerCount("SIGUSR2"), counter, cache.size, list.length, helper.count(), process.cwd() === home]);`;
const UNTOUCHED = `[null,"as given",false,false,"parse","now","object",false,0,0,0,0,0,true]`;

/** Steps that leave something changed, and what it is called. */
const POLLUTING: Readonly<Record<string, readonly [body: string, what: string]>> = {
  environmentSet: [`process.env.LEFT = "x";`, "the environment variable LEFT"],
  environmentChanged: [`process.env.GIVEN = "x";`, "the environment variable GIVEN"],
  environmentDeleted: [`delete process.env.GIVEN;`, "the environment variable GIVEN"],
  prototype: [`(Object.prototype as any).left = 1;`, "Object.prototype.left"],
  hiddenPrototype: [`Object.defineProperty(Array.prototype, "left", { value: 1 });`, "Array.prototype.left"],
  json: [`JSON.parse = function other() { return 1; } as any;`, "JSON.parse"],
  clock: [`Date.now = function other() { return 1; };`, "Date.now"],
  files: [`fs.readFileSync = (() => 1) as any;`, "fs.readFileSync"],
  global: [`(globalThis as any).left = 1;`, "globalThis.left"],
  listener: [`process.on("SIGUSR2", () => {});`, 'listeners of process "SIGUSR2"'],
  interval: [`setInterval(() => {}, 1000);`, "a timer that repeats"],
  server: [`const server = net.createServer().listen(0); await once(server, "listening");`, "a server that listens"],
  watcher: [`fs.watch(".");`, "a watched file"],
  variable: [`counter++;`, "the variable counter of steps.ts"],
  map: [`cache.set("a", 1);`, "the variable cache of steps.ts"],
  list: [`list.push(1);`, "the variable list of steps.ts"],
  otherModule: [`helper.add();`, "the variable counter of helper.ts"],
  whenItFails: [`process.env.LEFT = "x"; throw new Error("failed");`, "the environment variable LEFT"],
};

/** Steps that leave nothing that matters. */
const CLEAN: Readonly<Record<string, string>> = {
  nothing: ``,
  lateTimer: `setTimeout(() => {}, 50);`,
  closedServer: `const server = net.createServer().listen(0); await once(server, "listening"); server.close();`,
  closedConnection: `const server = net.createServer().listen(0); await once(server, "listening"); const socket = net.connect((server.address() as any).port); await once(socket, "connect"); socket.destroy(); server.close();`,
  request: `const server = http.createServer((_, answer) => answer.end("x")).listen(0); await once(server, "listening"); await (await fetch("http://localhost:" + (server.address() as any).port)).text(); server.closeAllConnections(); server.close();`,
  restored: `process.env.LEFT = "x"; delete process.env.LEFT; counter++; counter--;`,
  symbol: `(globalThis as any)[Symbol.for("of a library")] = 1;`,
  lateModule: `await import("./late.ts");`,
  builtinModule: `await import("node:sqlite").catch(() => {}); await import("node:readline/promises");`,
  local: `const own = new Map(); own.set(1, 2); this.value = own.size;`,
  schema: `z.string().parse("x"); z.globalRegistry.has(z.string());`,
  printed: `console.log("x"); console.error("y"); console.table([1]);`,
  crypto: `globalThis.crypto.getRandomValues(new Uint8Array(8)); new TextDecoder(); structuredClone({}); new Intl.NumberFormat("de");`,
};

const project = new Project({
  "helper.ts": `let counter = 0; export const add = () => { counter++; }; export const count = () => counter;`,
  "late.ts": `export let loaded = 1; const things = new Map([[1, 2]]); export const size = things.size; export function more() { loaded++; }`,
  "steps.ts": flowText(
    "Steps",
    `value!: unknown;
     ${Object.entries(POLLUTING)
       .map(([name, [body]]) => `@step({ next: "end" }) async ${name}() { ${body} }`)
       .join("\n")}
     ${Object.entries(CLEAN)
       .map(([name, body]) => `@step({ next: "end" }) async ${name}() { ${body} }`)
       .join("\n")}
     @step({ next: "end" }) sometimes() { this.value = process.env.LEFT ?? "clean"; if (!fs.existsSync("polluted." + process.pid) && this.turn() === 3) process.env.LEFT = "x"; }
     turn() { const file = new URL("turns", import.meta.url); fs.appendFileSync(file, "x"); return fs.statSync(file).size; }
     @step({ next: "end" }) caching() { cache.set(String(Math.random()), 1); this.value = String(threadId); }
     @step({ next: "end" }) changesFolder() { process.chdir("/"); this.value = process.cwd(); }
     @step({ next: "end" }) start() { ${PROBE} }
     @step() end() {}`,
    `import fs from "node:fs"; import net from "node:net"; import http from "node:http"; import { once } from "node:events"; import { threadId } from "node:worker_threads"; import { z } from "@millrace/core"; import * as helper from "./helper.ts";
     let counter = 0; const cache = new Map<string, number>(); const list: number[] = []; const home = process.cwd();`,
  ),
});
afterAll(() => project[Symbol.asyncDispose]());

const told = (workers: Workers) =>
  workers.messages.flatMap((message) => (message.kind === "polluted" ? [{ ...message }] : []));

const { random } = seeded("pollution");
const places = ["thread", "process"] as const;
const polluting = eachSomewhere(Object.entries(POLLUTING), places, random);
const clean = eachSomewhere(Object.keys(CLEAN), places, random);

for (const isolate of places) {
  const where = `in a ${isolate}`;
  const placement: Placement = { isolate, environment: { GIVEN: "as given" } };
  let workers: Workers;
  beforeAll(async () => {
    workers = await Workers.open(project, "steps.ts");
    await workers.run("start", { placement });
  }, 60_000);
  afterAll(() => workers[Symbol.asyncDispose]());

  test.each(polluting.filter(([, place]) => place === isolate).map(([kind]) => kind))(
    `${where}: %s is found, and the next task is not affected`,
    async (step, [, what]) => {
      await workers.run(step, { placement });
      const next = await workers.run("start", { placement });
      expect(told(workers).filter((message) => message.step === step)).toEqual([
        { kind: "polluted", step, what, isReplaced: true },
      ]);
      expect(textValue(next)).toBe(UNTOUCHED);
      await workers.run(step, { placement });
      expect(told(workers).filter((message) => message.step === step)).toHaveLength(1); // Told once.
    },
  );

  test.each(clean.filter(([, place]) => place === isolate).map(([kind]) => kind))(
    `${where}: %s leaves nothing that counts`,
    async (step) => {
      for (let n = 0; n < 2; n++) {
        const { outcome } = await workers.run(step, { placement });
        expect(outcome).toMatchObject({ kind: "succeeded" });
      }
      expect(told(workers).filter((message) => message.step === step)).toEqual([]);
    },
  );
}

test("of a batch, the tasks after a change that was seen late run again in a clean worker", async () => {
  await using workers = await Workers.open(project, "steps.ts");
  const results = await workers.runAll("sometimes", 6);
  expect(results.map((result) => textValue(result))).toEqual(Array(6).fill("clean"));
  expect(told(workers)).toEqual([
    { kind: "polluted", step: "sometimes", what: "the environment variable LEFT", isReplaced: true },
  ]);
});

test("a cache that fills costs eight workers, and is then borne and told", async () => {
  await using workers = await Workers.open(project, "steps.ts");
  const threads: (string | undefined)[] = [];
  for (let n = 0; n < 14; n++) threads.push(textValue(await workers.run("caching")));
  // Each task finds a thread of its own, until the ninth thread is kept.
  expect(new Set(threads).size).toBe(9);
  expect(new Set(threads.slice(8)).size).toBe(1);
  expect(told(workers)).toEqual([
    { kind: "polluted", step: "caching", what: "the variable cache of steps.ts", isReplaced: true },
    { kind: "polluted", step: "caching", what: "the variable cache of steps.ts", isReplaced: false },
  ]);
});

test("a folder that a step changes to is its own", async () => {
  await using workers = await Workers.open(project, "steps.ts");
  const placement: Placement = { isolate: "process", environment: { GIVEN: "as given" } };
  const results = await workers.runAll("changesFolder", 2, { placement });
  expect(results.map((result) => textValue(result))).toEqual(["/", "/"]);
  expect(textValue(await workers.run("start", { placement }))).toBe(UNTOUCHED);
});
