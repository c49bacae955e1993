// node --expose-gc many-runs.mjs RUNS FOLDER: that many runs in one process, and its memory after a tenth of them and at the end.
import { runHere, useStoreIn } from "../kit/in-process.mjs";

const [runs, folder] = [Number(process.argv[2]), process.argv[3]];
useStoreIn(folder);
const begin = performance.now();
for (let done = 0; done < runs / 10; done++) await runHere("sleep");
const first = memory();
for (let done = runs / 10; done < runs; done++) await runHere("sleep");
const last = memory();
const runMs = (performance.now() - begin) / runs;
console.log(
  JSON.stringify({ firstRss: first.rss, firstHeap: first.heapUsed, lastRss: last.rss, lastHeap: last.heapUsed, runMs }),
);

function memory() {
  gc();
  gc();
  return process.memoryUsage();
}
