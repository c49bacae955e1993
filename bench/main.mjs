// The benchmarks: each prints a ratio to a floor that is measured beside it, interleaved, in the same run. Absolute times
// say little on a shared machine; the ratio says what Millrace adds. `npm run bench -- NAME …` runs some of them.
import os from "node:os";
import { measureArrays } from "./arrays.mjs";
import { measureCache } from "./cache.mjs";
import { measureForeach } from "./foreach.mjs";
import { measureStart } from "./start.mjs";

const benchmarks = { start: measureStart, foreach: measureForeach, cache: measureCache, arrays: measureArrays };
const names = process.argv.slice(2);
const unknown = names.filter((name) => !Object.hasOwn(benchmarks, name));
if (unknown.length > 0) {
  console.error(`Unknown benchmark ${unknown.join(", ")}: there are ${Object.keys(benchmarks).join(", ")}`);
  process.exit(2);
}

console.log(`Node ${process.version}, ${os.availableParallelism()} cores, load ${os.loadavg()[0].toFixed(1)}\n`);
for (const [name, measure] of Object.entries(benchmarks)) {
  if (names.length > 0 && !names.includes(name)) continue;
  for (const row of await measure()) {
    console.log(
      `${row.what.padEnd(62)} ${row.value.padStart(16)}   goal ${row.goal.padEnd(16)} ${row.isReached ? "reached" : "MISSED"}   ${row.detail}`,
    );
  }
}
