/** A process that writes to a store, for processes.test.ts: `node writer-process.ts FILE WHAT ARGUMENT`. */
import fs from "node:fs";
import path from "node:path";
import { isProcessAlive, readProcessIdentity } from "../../../packages/core/src/config/process-identity.ts";
import type { MetadataStore } from "../../../packages/core/src/metadata/metadata-store.ts";
import { openSqliteMetadata } from "../../../packages/core/src/metadata/sqlite/sqlite-metadata.ts";
import { artifactOf, blobOf, finished, newRun, started, tick } from "./records.ts";

const here = { self: readProcessIdentity(), now: Date.now, isAlive: isProcessAlive };
const [file, what, argument] = process.argv.slice(2) as [string, keyof typeof work, string];

const work = {
  async "create-runs"(store: MetadataStore) {
    for (let index = 0; index < Number(argument); index++) {
      const run = await store.createRun(newRun({ tags: ["t"] }));
      console.log(`${run.number} ${run.id}`);
    }
  },

  async "move-tags"(store: MetadataStore) {
    const runs = await store.runs({});
    for (let index = 0; index < Number(argument); index++) {
      const run = runs[Math.floor(Math.random() * runs.length)]!;
      const held = (await store.run(run.sequence))!.tags.length > 0;
      const move = held ? { add: [], remove: ["prod"] } : { add: ["prod"], remove: [] };
      const events = await store.moveTags({
        run: run.sequence,
        ...move,
        actor: String(process.pid),
        host: "h",
        at: new Date(),
        via: "tag",
      });
      for (const event of events) console.log(`${event.sequence} ${event.digest}`);
    }
  },

  /** Continues run 1, as this very process, and holds it until it is killed. */
  async begin(store: MetadataStore) {
    const [run] = await store.runs({});
    const begin = { run: run!.sequence, runner: here.self, actor: "a", command: [], at: new Date() };
    try {
      console.log(`execution ${await store.beginExecution(begin)} ${process.pid}`);
    } catch (error) {
      const { code, context } = error as { code: string; context: { pid: number } };
      console.log(`${code} ${context.pid}`);
    }
    await new Promise(() => setInterval(() => {}, 1_000_000));
  },

  /** Opening is all: it brings the store to the newest schema. */
  async open() {
    console.log("opened");
  },

  /** Ticks without end, each of 50 tasks; what is done is noted in a file, which a kill does not take back. */
  async tick(store: MetadataStore) {
    const said = fs.openSync(path.join(path.dirname(file), `said-${argument}`), "a");
    const run = await store.createRun(newRun({ parameters: { round: Number(argument) } }));
    for (let number = 0; ; number++) {
      const first = await store.reserveTasks(50);
      const sequences = Array.from({ length: 50 }, (_, index) => first + index);
      await store.commitTick(
        tick({
          started: sequences.map((sequence, index) => started(run, sequence, { path: `${number}.${index}` })),
          blobs: sequences.map((sequence) => blobOf(`value ${sequence}`)),
          finished: sequences.map((sequence) =>
            finished(sequence, { artifacts: [artifactOf("x", `value ${sequence}`)] }),
          ),
        }),
      );
      fs.writeSync(said, `${first} 50\n`);
    }
  },
};

console.log("ready");
await new Promise((resolve) => process.stdin.once("data", resolve));
const store = await openSqliteMetadata(file, { liveness: here });
await work[what](store);
await store.close();
