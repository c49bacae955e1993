import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { inFolder, median, root, runFlow } from "./kit.mjs";

const ROUNDS = 5;
const BYTES = 100_000_000;

/** A 100 MB Float64Array stored by one step and read by the next, against sha256 + write + fsync of the same bytes. */
export function measureArrays() {
  return inFolder((folder) => {
    const floors = [];
    const stores = [];
    const loads = [];
    for (let round = 0; round < ROUNDS; round++) {
      floors.push(floorMs(folder));
      const events = runFlow(
        path.join(root, "bench/flows/array.ts"),
        ["--size", String(BYTES / 8), "--seed", String(round + 1)],
        path.join(folder, `store-${round}`),
      );
      // Each step says how long its own work took: the rest is what Millrace needs to store or to load.
      stores.push(taskMs(events, "start") - ownMs(events, "start"));
      loads.push(taskMs(events, "end") - ownMs(events, "end"));
    }
    const ratio = median(floors) / (median(stores) + median(loads));
    return [
      {
        what: "100 MB Float64Array stored and read / sha256+write+fsync",
        value: `${ratio.toFixed(2)} of the speed`,
        goal: ">= 0.33",
        isReached: ratio >= 1 / 3,
        detail: `floor ${median(floors).toFixed(0)} ms, store ${median(stores).toFixed(0)} ms, load ${median(loads).toFixed(0)} ms`,
      },
    ];
  });
}

function taskMs(events, step) {
  return events.find((event) => event.kind === "task.succeeded" && event.step === step).durationMs;
}

function ownMs(events, step) {
  const text = events
    .filter((event) => event.kind === "task.output" && event.step === step)
    .map((event) => event.text)
    .join("");
  return Number(/own (\d+(?:\.\d+)?) ms/.exec(text)[1]);
}

function floorMs(folder) {
  const array = new Float64Array(BYTES / 8);
  for (let index = 0; index < array.length; index++) array[index] = Math.random();
  const bytes = new Uint8Array(array.buffer);
  const file = path.join(folder, "floor");
  const begin = performance.now();
  createHash("sha256").update(bytes).digest();
  const descriptor = fs.openSync(file, "w");
  for (let at = 0; at < bytes.length; ) at += fs.writeSync(descriptor, bytes, at);
  fs.fsyncSync(descriptor);
  fs.closeSync(descriptor);
  const spent = performance.now() - begin;
  fs.rmSync(file);
  return spent;
}
