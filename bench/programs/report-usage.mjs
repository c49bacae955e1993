// Loaded before the program that is measured: leaves in a file what its process has used when it ends.
import fs from "node:fs";
import { isMainThread } from "node:worker_threads";

const file = process.env.MILLRACE_BENCH_USAGE;
if (isMainThread && file !== undefined) {
  delete process.env.MILLRACE_BENCH_USAGE;
  process.on("exit", () => {
    const { user, system } = process.cpuUsage();
    // Not maxRSS of getrusage: after fork and exec it begins with that of the parent.
    const peakRssBytes =
      (numberIn("/proc/self/status", /^VmHWM:\s+(\d+) kB/m) ?? process.resourceUsage().maxRSS) * 1024;
    const readBytes = numberIn("/proc/self/io", /^rchar: (\d+)/m) ?? Number.NaN;
    fs.writeFileSync(file, JSON.stringify({ peakRssBytes, cpuMs: (user + system) / 1_000, readBytes }));
  });
}

function numberIn(place, pattern) {
  try {
    const found = pattern.exec(fs.readFileSync(place, "utf8"));
    return found === null ? undefined : Number(found[1]);
  } catch {
    return undefined;
  }
}
