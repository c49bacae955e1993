/** What lies around a test that is not its own: variables of the shell, and what people left above the temporary folder. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

/** What a program below looks for upwards, so that one that is left in `/tmp` becomes part of each project in there. */
const FOUND_UPWARDS = [
  ".millrace",
  "millrace.json",
  "package.json",
  "pnpm-workspace.yaml",
  "tsconfig.json",
  "node_modules",
  ".git",
];

/** Variables that say which tests are made, or what the machine has; all others of Millrace say what a run is to do. */
const OF_TESTS = /^MILLRACE_(FAULTS|MATRIX|SCALE|SHARED_MEMORY|TEST_\w+|BENCH_\w+)$/;

/**
 * Takes out of an environment what would change the outcome of tests, and points it to a temporary folder that nothing
 * lies above: its own, if that is one, else the first of `others`.
 *
 * @returns what to tell people, if the temporary folder is another one now
 * @throws Error naming what lies where, if each of the folders has something above it
 */
export function clearSurroundings(
  environment: NodeJS.ProcessEnv,
  folders: readonly string[] = [os.tmpdir(), "/var/tmp"],
): string | undefined {
  for (const name of Object.keys(environment))
    if (name.startsWith("MILLRACE_") && !OF_TESTS.test(name)) delete environment[name];
  const usable = folders.filter((folder) => fs.existsSync(folder));
  const clear = usable.find((folder) => lyingAbove(folder).length === 0);
  const inTheWay = usable.flatMap(lyingAbove).join(", ");
  if (clear === undefined)
    throw new Error(`Projects in a temporary folder would find what lies above: ${inTheWay}. Remove it, or set TMPDIR`);
  if (clear === usable[0]) return undefined;
  environment.TMPDIR = clear;
  return `Temporary folders are in ${clear}: those in ${usable[0]} would find ${lyingAbove(usable[0]!).join(", ")}`;
}

/** What programs in a folder find upwards, the folder itself included. */
function lyingAbove(folder: string): readonly string[] {
  const real = fs.realpathSync(folder);
  const found = FOUND_UPWARDS.map((name) => path.join(real, name)).filter((file) => fs.existsSync(file));
  return path.dirname(real) === real ? found : [...found, ...lyingAbove(path.dirname(real))];
}
