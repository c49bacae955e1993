import path from "node:path";
import { flowCommand, inFolder, median, root, timeProcess } from "./kit.mjs";

/** Whole commands against a bare `node -e 0`, each measured in turn. */
export function measureStart() {
  return inFolder((folder) => {
    const flow = path.join(root, "bench/flows/ten-steps.ts");
    const options = { cwd: folder, env: { ...process.env, MILLRACE_STORE: path.join(folder, "store") } };
    timeProcess(process.execPath, [flowCommand, "run", path.join(root, "flows/01-hello/hello.ts")], options);
    const commands = {
      "flow --help": ["--help"],
      "flow graph, warm, 10 steps": ["graph", flow],
      "flow runs": ["runs"],
    };
    for (const words of Object.values(commands)) timeProcess(process.execPath, [flowCommand, ...words], options);
    const times = Object.fromEntries(["node", ...Object.keys(commands)].map((name) => [name, []]));
    for (let round = 0; round < 15; round++) {
      times.node.push(timeProcess(process.execPath, ["-e", "0"], options));
      for (const [name, words] of Object.entries(commands))
        times[name].push(timeProcess(process.execPath, [flowCommand, ...words], options));
    }
    const floor = median(times.node);
    return Object.keys(commands).map((name) => {
      const ratio = median(times[name]) / floor;
      return {
        what: `${name} / node -e 0`,
        value: `${ratio.toFixed(2)} x`,
        goal: "<= 2.5 x",
        isReached: ratio <= 2.5,
        detail: `${median(times[name]).toFixed(0)} ms / ${floor.toFixed(0)} ms`,
      };
    });
  });
}
