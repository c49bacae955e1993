/**
 * Others on the same work, where they can be installed: a fan-out of 1,000 no-ops and a line of 20. They do less for a task
 * than Millrace: none runs it in a thread of its own, keeps hashed artifacts, or can say later where a value came from.
 */
import { fromSource } from "../kit/from-source.mjs";
import { runHere, useStoreIn } from "../kit/in-process.mjs";
import { benchFlow } from "../kit/places.mjs";
import { runCommand } from "../kit/processes.mjs";
import { foreachRate, lineStepMs } from "../kit/records.mjs";
import { smallObjects } from "../kit/small-objects.mjs";
import { importPeer } from "../peers/install.mjs";
import { startPostgres, startRedis } from "../peers/servers.mjs";

const WIDTH = 1_000;
const STEPS = 20;
const OBJECTS = 100_000;

export default function peersTopic() {
  return [
    peer("BullMQ, Redis that syncs each write", "bullmq.mjs", ["bullmq@6.7.0", "ioredis@5"], (folder) =>
      startRedis(folder, { isDurable: true }),
    ),
    peer("BullMQ, Redis that keeps nothing", "bullmq.mjs", ["bullmq@6.7.0", "ioredis@5"], (folder) =>
      startRedis(folder, { isDurable: false }),
    ),
    peer("graphile-worker, PostgreSQL", "graphile-worker.mjs", ["graphile-worker@0.18.0"], startPostgres),
    peer("Mastra, LibSQL file", "mastra.mjs", ["@mastra/core@1.71.0", "@mastra/libsql@1.23.1", "zod@4"]),
    peer("Effect, in memory", "effect.mjs", ["effect@4.1.0"]),
    cborX,
    metaflow,
  ];
}

/** @param {(folder: string) => Promise<{ close(): unknown }>} [startServer] what it gives goes to the peer's `open` */
function peer(name, program, packages, startServer) {
  return {
    what: name,
    warmUps: 2,
    async open({ folder }) {
      const { open } = await importPeer(folder, program, packages);
      const server = await startServer?.(folder);
      const store = useStoreIn(folder);
      return { store, server, other: await open({ folder, ...server }) };
    },
    sides: {
      async millrace({ store }) {
        await runHere("wide", { params: { width: WIDTH } });
        const rate = foreachRate(store, WIDTH);
        await runHere("line");
        return { rate, stepMs: lineStepMs(store, STEPS) };
      },
      async other({ other }) {
        const rate = WIDTH / ((await timed(() => other.fanOut(WIDTH))) / 1_000);
        return { rate, stepMs: (await timed(() => other.line(STEPS))) / STEPS };
      },
    },
    async close({ other, server }) {
      await other.close();
      await server?.close();
    },
    rows: [
      {
        what: `fan-out of 1,000: Millrace's rate / ${name}`,
        unit: "x",
        figure: (one) => one.millrace.rate / one.other.rate,
        shown: ({ millrace, other }) =>
          `Millrace ${Math.round(millrace.rate)}, other ${Math.round(other.rate)} tasks/s`,
      },
      {
        what: `line of 20, a step: Millrace's time / ${name}`,
        unit: "x",
        figure: (one) => one.millrace.stepMs / one.other.stepMs,
        shown: ({ millrace, other }) => `Millrace ${millrace.stepMs.toFixed(2)}, other ${other.stepMs.toFixed(2)} ms`,
      },
    ],
  };
}

const cborX = {
  what: "cbor-x",
  repeats: 15,
  warmUps: 3,
  async open({ folder }) {
    const other = await importPeer(folder, "cbor-x.mjs", ["cbor-x@1.6.8"]);
    const { encodeValue, decodeValue } = await fromSource("artifact/value-codec.ts");
    return { other, encodeValue, decodeValue, objects: smallObjects(OBJECTS) };
  },
  sides: {
    async millrace({ encodeValue, decodeValue, objects }) {
      const ms = await timed(() => {
        const { codec, chunks } = encodeValue(objects);
        decodeValue(codec, chunks.length === 1 ? chunks[0] : Buffer.concat(chunks), { isGiven: true });
      });
      return { ms };
    },
    other: async ({ other, objects }) => ({ ms: await timed(() => other.decode(other.encode(objects))) }),
  },
  rows: [
    {
      what: "100,000 small objects: Millrace's encode with digest + decode / cbor-x, plain maps",
      unit: "x",
      figure: (one) => one.millrace.ms / one.other.ms,
      shown: ({ millrace, other }) => `Millrace ${millrace.ms.toFixed(0)} ms, cbor-x ${other.ms.toFixed(0)} ms`,
    },
  ],
};

/**
 * Quoted, not measured here: Metaflow 2.19.38 with local metadata and a local datastore, Python 3.11, on 2 virtual cores of an
 * AMD EPYC (Zen 3); medians of 5 runs of the whole process.
 */
const METAFLOW = { helloMs: 2_100, lineMs: 15_810 };

const metaflow = {
  what: "Metaflow",
  open: ({ folder }) => ({
    run: (...words) => runCommand(["run", ...words, "--quiet", "--store", "store"], { cwd: folder }),
  }),
  sides: {
    millrace({ run }) {
      return { helloMs: run(benchFlow("sleep")).ms, lineMs: run(benchFlow("line")).ms };
    },
  },
  rows: [metaflowRow("run of 2 steps", "helloMs"), metaflowRow("run of 20 steps", "lineMs")],
};

function metaflowRow(what, figure) {
  return {
    what: `${what}, whole process: Millrace's time / Metaflow 2.19 (quoted)`,
    unit: "x",
    figure: (one) => one.millrace[figure] / METAFLOW[figure],
    shown: ({ millrace }) =>
      `Millrace ${millrace[figure].toFixed(0)} ms, Metaflow ${METAFLOW[figure]} ms, on another machine`,
  };
}

async function timed(work) {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}
