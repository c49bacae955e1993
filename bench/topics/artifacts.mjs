/** Small values: many in one artifact, and many artifacts in one step. */
import v8 from "node:v8";
import { fromSource } from "../kit/from-source.mjs";
import { atMost } from "../kit/goal.mjs";
import { runHere, useStoreIn } from "../kit/in-process.mjs";
import { ask } from "../kit/records.mjs";
import { smallObjects } from "../kit/small-objects.mjs";

const OBJECTS = 100_000;
const ARTIFACTS = 2_000;

export default function artifactsTopic() {
  return [objectsInOne, manyInOneStep];
}

const objectsInOne = {
  what: "100,000 small objects in one artifact",
  repeats: 15,
  warmUps: 3,
  async open() {
    const { encodeValue, decodeValue } = await fromSource("artifact/value-codec.ts");
    return { encodeValue, decodeValue, objects: smallObjects(OBJECTS) };
  },
  sides: {
    millrace({ encodeValue, decodeValue, objects }) {
      const begin = performance.now();
      const { codec, chunks, sizeBytes } = encodeValue(objects);
      const encoded = performance.now();
      const payload = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
      decodeValue(codec, payload, { isGiven: true });
      return { encodeMs: encoded - begin, decodeMs: performance.now() - encoded, bytes: sizeBytes };
    },
    v8({ objects }) {
      const begin = performance.now();
      const bytes = v8.serialize(objects);
      const encoded = performance.now();
      v8.deserialize(bytes);
      return { encodeMs: encoded - begin, decodeMs: performance.now() - encoded, bytes: bytes.byteLength };
    },
  },
  rows: [
    {
      what: "100,000 small objects: encode with their digest + decode / v8.serialize + deserialize",
      unit: "x",
      goal: atMost(1.5),
      figure: (one) => (one.millrace.encodeMs + one.millrace.decodeMs) / (one.v8.encodeMs + one.v8.decodeMs),
      shown: ({ millrace, v8: floor }) =>
        `${millrace.encodeMs.toFixed(0)} + ${millrace.decodeMs.toFixed(0)} ms, v8 ${floor.encodeMs.toFixed(0)} + ${floor.decodeMs.toFixed(0)} ms`,
    },
    {
      what: "100,000 small objects: bytes / those of v8",
      unit: "x",
      goal: atMost(1),
      figure: (one) => one.millrace.bytes / one.v8.bytes,
    },
  ],
};

/** In a warm process; the same flow without artifacts takes turns. */
const manyInOneStep = {
  what: "2,000 small artifacts in one step",
  repeats: 15,
  warmUps: 2,
  open: ({ folder }) => ({ store: useStoreIn(folder) }),
  sides: {
    many: ({ store }, round) => stepMs(store, { count: ARTIFACTS, seed: round }),
    none: ({ store }, round) => stepMs(store, { count: 0, seed: round }),
  },
  rows: [
    {
      what: "2,000 small artifacts in one step, over none",
      unit: "ms",
      goal: atMost(60),
      figure: (one) => one.many.ms - one.none.ms,
      shown: ({ many, none }) => `${many.ms.toFixed(0)} ms, without ${none.ms.toFixed(0)} ms`,
    },
  ],
};

/** From the end of the step before it to the beginning of the one after it, by the records. */
async function stepMs(store, params) {
  await runHere("many-artifacts", { params });
  return ask(store, (db) => {
    const tasks = db.prepare(
      "SELECT started_at, finished_at FROM task WHERE run = (SELECT max(sequence) FROM run) ORDER BY sequence",
    );
    const [before, , after] = tasks.all();
    return { ms: after.started_at - before.finished_at };
  });
}
