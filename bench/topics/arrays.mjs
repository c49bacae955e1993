/** A large array from step to step, against hashing and writing, and reading and hashing, the same bytes. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { atLeast, atMost } from "../kit/goal.mjs";
import { benchFlow } from "../kit/places.mjs";
import { eventsOf, runCommandMeasured } from "../kit/processes.mjs";
import { NotOffered } from "../kit/trial.mjs";

const SPEED = 0.7;
const PRIVATE_MEMORY = 2.3;
const SHARED_MEMORY = 1.3;
/** The most that one call of getRandomValues fills. */
const BLOCK = 65_536;

export default function arraysTopic() {
  return [storedAndRead(100_000_000), storedAndRead(1_000_000_000), shared(1_000_000_000), readByMany(100_000_000)];
}

function storedAndRead(bytes) {
  return {
    what: `${megabytes(bytes)} array`,
    open({ folder }) {
      const tiny = runArray("array", 8, folder);
      return { folder, file: path.join(folder, "floor"), basePeakBytes: tiny.peakRssBytes };
    },
    sides: {
      millrace: ({ folder, basePeakBytes }) => {
        const { storeMs, loadMs, peakRssBytes } = runArray("array", bytes, folder);
        return { storeMs, loadMs, arrays: (peakRssBytes - basePeakBytes) / bytes };
      },
      floor: ({ file }) => floor(file, bytes),
    },
    rows: [
      {
        what: `${megabytes(bytes)} array stored, in the speed of sha256 + write + fsync`,
        unit: "share",
        goal: atLeast(SPEED),
        figure: (one) => one.floor.storeMs / one.millrace.storeMs,
        shown: ({ millrace, floor }) => `${rate(bytes, millrace.storeMs)}, floor ${rate(bytes, floor.storeMs)}`,
      },
      {
        what: `${megabytes(bytes)} array loaded by the next step, in the speed of read + sha256`,
        unit: "share",
        goal: atLeast(SPEED),
        figure: (one) => one.floor.loadMs / one.millrace.loadMs,
        shown: ({ millrace, floor }) => `${rate(bytes, millrace.loadMs)}, floor ${rate(bytes, floor.loadMs)}`,
      },
      memoryRow(bytes, "private copies", PRIVATE_MEMORY),
    ],
  };
}

function shared(bytes) {
  return {
    what: `${megabytes(bytes)} array, shared`,
    open({ folder }) {
      let tiny;
      try {
        tiny = runArray("shared-array", 8, folder);
      } catch (error) {
        if (!/shared/.test(error.message)) throw error;
        throw new NotOffered("@step({ shared }) is not offered by this version");
      }
      return { folder, basePeakBytes: tiny.peakRssBytes };
    },
    sides: {
      millrace: ({ folder, basePeakBytes }) => {
        const { loadMs, peakRssBytes } = runArray("shared-array", bytes, folder);
        return { loadMs, arrays: (peakRssBytes - basePeakBytes) / bytes };
      },
    },
    rows: [memoryRow(bytes, "shared", SHARED_MEMORY)],
  };
}

function memoryRow(bytes, how, limit) {
  return {
    what: `${megabytes(bytes)} array, ${how}: peak memory beyond that of a tiny one, in arrays`,
    unit: "x",
    goal: atMost(limit),
    figure: (one) => one.millrace.arrays,
  };
}

/** The whole command; the steps say when they were done with their own work, the records when the first had committed. */
function runArray(flow, bytes, folder) {
  const store = fs.mkdtempSync(path.join(folder, "store-"));
  try {
    const words = ["run", benchFlow(flow), "--store", store, "--json", "--size", String(bytes / 8)];
    const { stdout, peakRssBytes } = runCommandMeasured(words, { cwd: folder });
    const events = eventsOf(stdout);
    const printed = (step, pattern) => {
      const texts = events.filter((event) => event.kind === "task.output" && event.step === step);
      return Number(pattern.exec(texts.map(({ text }) => text).join(""))[1]);
    };
    const storedAt = events.find((event) => event.kind === "task.succeeded" && event.step === "start").at;
    return {
      storeMs: storedAt - printed("start", /made at (\d+)/),
      loadMs: printed("end", /loaded at (\d+)/) - storedAt,
      peakRssBytes,
    };
  } finally {
    fs.rmSync(store, { recursive: true });
  }
}

function floor(file, size) {
  const bytes = randomBytes(size);
  const storeMs = timed(() => {
    createHash("sha256").update(bytes).digest();
    const descriptor = fs.openSync(file, "w");
    for (let at = 0; at < size; ) at += fs.writeSync(descriptor, bytes, at);
    fs.fsyncSync(descriptor);
    fs.closeSync(descriptor);
  });
  const loadMs = timed(() => {
    const read = new Uint8Array(size);
    const descriptor = fs.openSync(file, "r");
    for (let at = 0; at < size; ) at += fs.readSync(descriptor, read, { offset: at });
    fs.closeSync(descriptor);
    createHash("sha256").update(read).digest();
  });
  fs.rmSync(file);
  return { storeMs, loadMs };
}

/** One array that ten steps and ten tasks of a foreach read; the floor is a copy of the array in memory. */
function readByMany(bytes) {
  return {
    what: `${megabytes(bytes)} array, read by 20 tasks`,
    open: ({ folder }) => ({ folder, array: new Float64Array(bytes / 8).fill(1.5) }),
    sides: {
      millrace({ folder }) {
        const store = fs.mkdtempSync(path.join(folder, "store-"));
        const words = ["run", benchFlow("array-readers"), "--store", store, "--json", "--size", String(bytes / 8)];
        const { stdout, readBytes } = runCommandMeasured(words, { cwd: folder });
        const times = [...stdout.matchAll(/read in ([\d.]+) ms/g)].map(([, ms]) => Number(ms));
        const large = filesOf(store).filter((file) => fs.statSync(file).size >= bytes / 2).length;
        fs.rmSync(store, { recursive: true });
        return { readMs: times.reduce((sum, ms) => sum + ms, 0) / times.length, readArrays: readBytes / bytes, large };
      },
      copy: ({ array }) => ({ ms: timed(() => array.slice()) }),
    },
    rows: [
      {
        what: `${megabytes(bytes)} array read by 20 tasks: files that hold it`,
        unit: "count",
        goal: atMost(1),
        figure: (one) => one.millrace.large,
      },
      {
        what: `${megabytes(bytes)} array read by 20 tasks: bytes read from files, in arrays`,
        unit: "x",
        goal: atMost(1.2),
        figure: (one) => one.millrace.readArrays,
      },
      {
        what: `${megabytes(bytes)} array read by 20 tasks: mean time of a reading / a copy in memory`,
        unit: "x",
        goal: atMost(2),
        figure: (one) => one.millrace.readMs / one.copy.ms,
        shown: ({ millrace, copy }) => `${millrace.readMs.toFixed(1)} ms, copy ${copy.ms.toFixed(1)} ms`,
      },
    ],
  };
}

/** Bytes that do not compress. */
function randomBytes(size) {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += BLOCK) crypto.getRandomValues(bytes.subarray(at, at + BLOCK));
  return bytes;
}

function timed(work) {
  const begin = performance.now();
  work();
  return performance.now() - begin;
}

function filesOf(folder) {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}

function megabytes(bytes) {
  return bytes >= 1e9 ? `${bytes / 1e9} GB` : `${bytes / 1e6} MB`;
}

function rate(bytes, ms) {
  return `${Math.round(bytes / 1e3 / ms)} MB/s`;
}
