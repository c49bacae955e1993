/** Servers that peers need, as Debian brings them: each in a temporary folder, on a socket of its own, gone afterwards. */
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { NotOffered } from "../kit/trial.mjs";

const START_LIMIT_MS = 20_000;

/**
 * @param {string} folder
 * @param {{ isDurable: boolean }} options whether each write is synced before it is acknowledged; otherwise nothing is kept
 */
export async function startRedis(folder, { isDurable }) {
  const program = findProgram("redis-server", []);
  if (program === undefined) throw new NotOffered("redis-server is not there: apt-get install redis-server");
  const place = fs.mkdtempSync(path.join(folder, "redis-"));
  const socket = path.join(place, "socket");
  const kept = isDurable ? ["--appendonly", "yes", "--appendfsync", "always"] : ["--appendonly", "no"];
  const words = ["--port", "0", "--unixsocket", socket, "--dir", place, "--save", "", ...kept];
  const server = spawn(program, words, { stdio: "ignore" });
  await until(server, "redis-server", () => fs.existsSync(socket));
  return { socket, close: () => ended(server, "SIGTERM") };
}

/** A PostgreSQL with its default durability. It refuses to run as root, so root runs it as the user that Debian made for it. */
export async function startPostgres(folder) {
  const places = glob("/usr/lib/postgresql", "bin");
  const [initdb, postgres] = ["initdb", "postgres"].map((name) => findProgram(name, places));
  if (initdb === undefined || postgres === undefined)
    throw new NotOffered("PostgreSQL is not there: apt-get install postgresql");
  const user = process.getuid() === 0 ? userNamed("postgres") : undefined;
  if (process.getuid() === 0 && user === undefined)
    throw new NotOffered("PostgreSQL does not run as root, and there is no user postgres");
  // Not below the folder of the benchmarks, which that user may not enter; but on the same disk.
  const place = fs.mkdtempSync(
    path.join(path.dirname(process.env.MILLRACE_BENCH_FOLDER ?? folder), "millrace-postgres-"),
  );
  if (user !== undefined) fs.chownSync(place, user.uid, user.gid);
  const options = { ...user, stdio: "ignore", cwd: place };
  const data = path.join(place, "data");
  const made = spawnSync(initdb, ["-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8"], options);
  if (made.status !== 0) throw new NotOffered(`initdb ended with ${made.status ?? made.error?.message}`);
  const server = spawn(postgres, ["-D", data, "-k", place, "-c", "listen_addresses="], options);
  await until(server, "postgres", () => fs.existsSync(path.join(place, ".s.PGSQL.5432")));
  return {
    connection: `postgres://bench@/postgres?host=${encodeURIComponent(place)}`,
    async close() {
      await ended(server, "SIGINT"); // at once, without waiting for those who are connected
      fs.rmSync(place, { recursive: true, force: true });
    },
  };
}

function findProgram(name, places) {
  const folders = [...(process.env.PATH ?? "").split(path.delimiter), ...places];
  return folders.map((folder) => path.join(folder, name)).find((file) => fs.existsSync(file));
}

function glob(folder, within) {
  if (!fs.existsSync(folder)) return [];
  return fs.readdirSync(folder).map((version) => path.join(folder, version, within));
}

function userNamed(name) {
  const line = fs
    .readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((each) => each.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(":") ?? [];
  return uid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

/** Also when nobody closes it: a server does not outlive the process that has started it. */
async function until(server, name, isReady) {
  process.once("exit", () => server.kill("SIGKILL"));
  const begin = performance.now();
  while (!isReady()) {
    if (server.exitCode !== null || performance.now() - begin > START_LIMIT_MS) {
      server.kill("SIGKILL");
      throw new NotOffered(`${name} did not start`);
    }
    await setTimeout(20);
  }
}

function ended(server, signal) {
  if (server.exitCode !== null) return undefined;
  const gone = new Promise((resolve) => server.once("exit", resolve));
  server.kill(signal);
  return gone;
}
