// The one script behind `npm start` and `npm test`. It has no dependencies and runs on any Node >= 20 with npm: it fetches
// pnpm through npx, installs from the lockfile, and goes on under the pinned Node of the package node-<platform>-<arch>.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const PNPM = "pnpm@12.21.0";
const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const [task, ...args] = process.argv.slice(2);
const callerFolder = process.env.INIT_CWD ?? process.cwd();

install();
const env = pinnedEnvironment();
/** Where `npm test` makes some of the tries, and where it makes each of them in one place. */
const TRIES = ["test/faults", "test/hostile", "test/transfer", "test/scenarios/step-cache-random"];
const PLACES = ["test/workers", "test/flows/bucket-story", "test/conformance/blob-store"];
const tasks = { start, test, faults, build, check, bench, flow };
if (task === undefined || !Object.hasOwn(tasks, task)) {
  console.error(`Unknown task "${task}": use one of ${Object.keys(tasks).join(", ")}`);
  process.exit(2);
}
await tasks[task]();

function start() {
  build();
  run("node", ["scripts/quickstart.mjs", ...args]);
}

function test() {
  build();
  run("node", ["scripts/test.mjs", ...args]);
}

/** All tries of what breaks things on purpose, not only the few of each that `npm test` makes: an hour or two. */
function faults() {
  build();
  env.MILLRACE_FAULTS ??= "all"; // Or a share of them: 0.25.
  env.MILLRACE_MATRIX ??= "all"; // What is tried in several places in each of them.
  const files = args.length === 0 ? [...TRIES, ...PLACES] : args;
  // One file after another: what is measured is one fault, not how two get in each other's way.
  run("node", ["scripts/test.mjs", ...files, "--no-file-parallelism", "--disable-console-intercept"]);
}

function build() {
  run("node", ["scripts/build.mjs", ...(task === "build" ? args : [])]);
}

function check() {
  build();
  run("biome", ["check", "."]);
  run("tsc", ["-p", "tsconfig.json"]);
}

function bench() {
  build();
  run("node", ["bench/main.mjs", ...args]);
}

function flow() {
  build();
  run("node", [path.join(root, "packages/cli/bin/flow.mjs"), ...args], callerFolder);
}

/** Installs once for each state of the files that decide what is installed. */
function install() {
  const deciding = ["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"].concat(
    fs.readdirSync(path.join(root, "packages")).map((name) => `packages/${name}/package.json`),
  );
  const digest = createHash("sha256");
  for (const file of deciding) digest.update(`${file}\0${read(path.join(root, file))}\0`);
  const wanted = digest.digest("hex");
  const stamp = path.join(root, "node_modules/.millrace-installed");
  if (read(stamp) === wanted) return;
  console.error("Installing dependencies (once; a minute or less) …");
  const lock = fs.existsSync(path.join(root, "pnpm-lock.yaml")) ? ["--frozen-lockfile"] : [];
  spawn("npx", ["--yes", PNPM, "install", "--reporter=append-only", "--loglevel=error", ...lock], process.env, root);
  fs.writeFileSync(stamp, wanted);
}

function pinnedEnvironment() {
  const pinned = path.join(root, "node_modules", `node-${process.platform}-${process.arch}`, "bin");
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (!fs.existsSync(pinned) && (major < 22 || (major === 22 && minor < 15))) {
    console.error(`There is no pinned Node for ${process.platform}-${process.arch}: please use Node 22.15 or newer.`);
    process.exit(1);
  }
  const folders = [pinned, path.join(root, "node_modules/.bin"), process.env.PATH];
  return { ...process.env, PATH: folders.filter(Boolean).join(path.delimiter) };
}

function run(command, parameters, cwd = root) {
  spawn(command, parameters, env, cwd);
}

function spawn(command, parameters, environment, cwd) {
  // Ctrl-C reaches the child as well: wait for it to end by itself, so that it can leave a clean state.
  process.on("SIGINT", () => {});
  const result = spawnSync(command, parameters, {
    stdio: "inherit",
    env: environment,
    cwd,
    shell: process.platform === "win32",
  });
  if (result.error) {
    console.error(`Cannot start ${command}: ${result.error.message}`);
    process.exit(1);
  }
  if (result.signal) process.exit(result.signal === "SIGINT" ? 130 : 143);
  if (result.status !== 0) process.exit(result.status ?? 1);
}

function read(file) {
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "";
}
