/** A step that awaits what can never happen fails by name; one that awaits anything that can, is left alone. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { eachSomewhere, seeded } from "../kit/seed.ts";
import { Workers } from "../kit/workers.ts";
import { flowText } from "../scenarios/observe.ts";

/** Steps that come back, by what they wait for. */
const SETTLING: Readonly<Record<string, string>> = {
  timer: `await wait(300);`,
  unrefTimer: `await wait(400, undefined, { ref: false });`,
  abortTimeout: `await new Promise<void>((resolve) => { AbortSignal.timeout(700).onabort = () => resolve(); });`,
  immediate: `await new Promise((resolve) => setImmediate(resolve));`,
  chain: `for (let n = 0; n < 1000; n++) await null;`,
  zeroDelays: `for (let n = 0; n < 50; n++) await new Promise((resolve) => setTimeout(resolve, 0));`,
  microtasks: `await new Promise<void>((resolve) => { let n = 0; const next = () => (++n === 100_000 ? resolve() : queueMicrotask(next)); next(); });`,
  ticks: `await new Promise<void>((resolve) => { let n = 0; const next = () => (++n === 10_000 ? resolve() : process.nextTick(next)); next(); });`,
  file: `for (let n = 0; n < 20; n++) await fs.promises.stat("/");`,
  fileStream: `for await (const _ of fs.createReadStream(process.execPath, { end: 5_000_000 }));`,
  zlib: `await promisify(zlib.gzip)(Buffer.alloc(30_000_000));`,
  crypto: `await promisify(crypto.pbkdf2)("a", "b", 300_000, 64, "sha512");`,
  subtle: `await globalThis.crypto.subtle.digest("SHA-256", new Uint8Array(50_000_000));`,
  dns: `await dns.promises.lookup("localhost");`,
  wasm: `await WebAssembly.compile(wasmModule(2_000));`,
  child: `await promisify(execFile)("sleep", ["0.3"]);`,
  worker: `const w = new Worker("setTimeout(() => require('worker_threads').parentPort.postMessage(1), 300)", { eval: true }); await once(w, "message"); await w.terminate();`,
  fetch: `const server = http.createServer((_, answer) => setTimeout(() => answer.end("x"), 300)).listen(0); await once(server, "listening"); await (await fetch("http://localhost:" + server.address().port)).text(); server.closeAllConnections(); await new Promise((resolve) => server.close(resolve));`,
  sharedMemory: `await Atomics.waitAsync(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300).value;`,
  sharedWake: `const shared = new Int32Array(new SharedArrayBuffer(4)); const w = new Worker("const { workerData } = require('worker_threads'); setTimeout(() => { Atomics.store(workerData, 0, 1); Atomics.notify(workerData, 0); }, 300)", { eval: true, workerData: shared }); w.unref(); await Atomics.waitAsync(shared, 0, 0).value;`,
  sqlite: `const db = new Database(":memory:"); db.exec("create table t(x)"); for (let n = 0; n < 100; n++) { db.prepare("insert into t values (?)").run(n); await null; }`,
  blocking: `execFileSync("sleep", ["0.3"]); await null;`,
  imports: `await import("node:sqlite").catch(() => {}); await import("node:repl");`,
  broadcast: `const { port1, port2 } = new MessageChannel(); setTimeout(() => port1.postMessage(1), 200); await once(port2, "message"); port2.close();`,
  ownSignal: `setTimeout(() => process.emit("SIGUSR2" as any), 300).unref(); void once(process, "nothing", { signal: this.signal }).catch(() => {}); await once(process, "SIGUSR2"); process.emit("nothing" as any);`,
  held: `const release = (globalThis as any)[Symbol.for("millrace.holdOpen")](); setTimeout(release, 500).unref(); await new Promise<void>((resolve) => setTimeout(resolve, 450).unref());`,
};

/** Steps that can not. */
const LOST: Readonly<Record<string, string>> = {
  never: `await new Promise(() => {});`,
  afterWork: `await wait(50); await fs.promises.stat("/"); await new Promise(() => {});`,
  event: `await once(new EventEmitter(), "never");`,
  besideInterval: `setInterval(() => {}, 50).unref(); await new Promise(() => {});`,
  afterUnref: `setTimeout(() => {}, 500).unref(); await new Promise(() => {});`,
  iterator: `for await (const _ of on(new EventEmitter(), "never"));`,
};

const project = new Project({
  "steps.ts": flowText(
    "Steps",
    `${Object.entries({ ...SETTLING, ...LOST })
      .map(([name, body]) => `@step({ next: "end" }) async ${name}() { ${body} }`)
      .join("\n")}
     @step({ next: "end" }) start() {} @step({ next: "end" }) fine() {} @step() end() {}`,
    `import fs from "node:fs"; import zlib from "node:zlib"; import crypto from "node:crypto"; import dns from "node:dns"; import http from "node:http";
     import { promisify } from "node:util"; import { execFile, execFileSync } from "node:child_process"; import { EventEmitter, on, once } from "node:events";
     import { MessageChannel, Worker } from "node:worker_threads"; import Database from "better-sqlite3";
     /** A module with many functions, so that compiling it takes a while. */
     function wasmModule(count: number) {
       const length = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...length(n >> 7)]);
       const section = (id: number, body: number[]) => [id, ...length(body.length), ...body];
       const code = [...Array(60).fill([65, 1, 65, 2, 106, 26]).flat(), 11];
       const one = [...length(code.length + 1), 0, ...code];
       return new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, ...section(1, [1, 96, 0, 0]), ...section(3, [...length(count), ...Array(count).fill(0)]), ...section(10, [...length(count), ...Array(count).fill(one).flat()])]);
     }`,
  ),
});
project.link("better-sqlite3");

const placements = [{ isolate: "thread" }, { isolate: "process" }] as const;
const { random } = seeded("settle");
const settling = eachSomewhere(Object.keys(SETTLING), placements, random);
const lost = eachSomewhere(Object.keys(LOST), placements, random);

for (const placement of placements) {
  const where = `in a ${placement.isolate}`;
  let workers: Workers;
  beforeAll(async () => {
    workers = await Workers.open(project, "steps.ts");
  }, 60_000);
  afterAll(() => workers[Symbol.asyncDispose]());

  test.each(settling.filter(([, place]) => place === placement).map(([step]) => step))(
    `${where}, a step that waits for %s comes back`,
    async (step) => {
      const { outcome } = await workers.run(step, { placement });
      expect(outcome).toMatchObject({ kind: "succeeded" });
    },
  );

  test.each(lost.filter(([, place]) => place === placement).map(([step]) => step))(
    `${where}, a step that waits for nothing (%s) fails, and the next one runs`,
    async (step) => {
      const { outcome } = await workers.run(step, { placement });
      expect(outcome).toMatchObject({
        kind: "failed",
        error: { code: "FLOW_RUNNER_NEVER_SETTLES", message: expect.stringContaining(`"${step}"`) },
      });
      expect((await workers.run("fine", { placement })).outcome.kind).toBe("succeeded");
    },
  );
}
afterAll(() => project[Symbol.asyncDispose]());
