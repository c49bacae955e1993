// Installs and runs Ceph's radosgw, a real implementation of S3 on one monitor and one store in memory, as long as another process
// lives: `node radosgw-process.mjs FOLDER PID [BYTES]`. Writes FOLDER/ready.json or FOLDER/failed.txt, and takes everything else of the
// folder away with its end. Ports are free ones, everything lies in the folder, and nothing of it asks for a password.
import { execFile, spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";

const [, , folder, owner, deviceBytes = String(2 * 1024 ** 3)] = process.argv;
const PACKAGES = ["ceph-mon", "ceph-osd", "radosgw", "ceph-common"];
const PROGRAMS = ["ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "monmaptool", "ceph"];
const LIMIT_MS = 90_000;
/** A store that asks its monitor before it has the map of monitors is told "wrong fsid", and ends: it is only too early. */
const MAX_STARTS = 10;
const credentials = { accessKeyId: "RADOSGWTESTKEY000001", secretAccessKey: "radosgw-test-secret" };
const daemons = new Map();
let isEnding = false;
const config = path.join(folder, "ceph.conf");
const ending = new AbortController();
const run = (program, words) => promisify(execFile)(program, words, { timeout: LIMIT_MS, signal: ending.signal });

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => end(0));
// The process that the server is for may be killed: nobody else would tell.
setInterval(() => isThere(Number(owner)) || end(0), 500);

try {
  await start();
} catch (error) {
  writeWhole("failed.txt", `${error.message}\n${error.stderr ?? ""}`.trim());
  await end(1);
}

async function start() {
  install();
  for (const name of ["mon", "osd", "run"]) fs.mkdirSync(path.join(folder, name), { recursive: true });
  const [monitor, gateway] = await Promise.all([freePort(), freePort()]);
  const cluster = randomUUID();
  const device = randomUUID();
  fs.writeFileSync(config, configText(cluster, monitor));
  const map = path.join(folder, "monmap");
  await run("monmaptool", ["--create", "--addv", "a", `[v1:127.0.0.1:${monitor}]`, "--fsid", cluster, map]);
  await run("ceph-mon", ["-c", config, "--mkfs", "-i", "a", "--monmap", map]);
  daemon("ceph-mon", ["-c", config, "-i", "a", "-f"]);
  const { stdout } = await run("ceph", ["-c", config, "--connect-timeout", "60", "osd", "new", device]);
  const id = stdout.trim();
  await run("ceph-osd", ["-c", config, "-i", id, "--mkfs", "--osd-uuid", device]);
  daemon("ceph-osd", ["-c", config, "-i", id, "-f"], MAX_STARTS);
  daemon("radosgw", ["-c", config, "-f", "-n", "client.rgw", "--rgw-frontends", `beast endpoint=127.0.0.1:${gateway}`]);
  const { accessKeyId, secretAccessKey } = credentials;
  const user = ["--uid=test", "--display-name=test", `--access-key=${accessKeyId}`, `--secret-key=${secretAccessKey}`];
  await run("radosgw-admin", ["-c", config, "user", "create", ...user]);
  const deadline = Date.now() + LIMIT_MS;
  while (!(await answers(gateway))) {
    if (Date.now() > deadline) throw new Error("radosgw does not answer");
    await wait(100);
  }
  writeWhole("ready.json", JSON.stringify({ endpoint: `http://127.0.0.1:${gateway}`, credentials, pid: process.pid }));
}

function install() {
  if (PROGRAMS.every(isInstalled)) return;
  if (process.getuid?.() !== 0)
    throw new Error(`${PACKAGES.join(", ")} are not installed, and only root can install them`);
  const apt = (...words) => {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const { status, stderr, error } = spawnSync("apt-get", ["-qq", "-o", "DPkg::Lock::Timeout=300", ...words], {
      env,
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`apt-get ${words[0]} failed: ${error?.message ?? stderr.slice(-2_000)}`);
  };
  apt("update");
  apt("install", "-y", "--no-install-recommends", ...PACKAGES);
}

function isInstalled(program) {
  return ["/usr/bin", "/usr/local/bin"].some((place) => fs.existsSync(path.join(place, program)));
}

function configText(cluster, monitor) {
  const at = (...parts) => path.join(folder, ...parts);
  return `[global]
fsid = ${cluster}
mon initial members = a
mon host = v1:127.0.0.1:${monitor}
ms bind msgr2 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
osd objectstore = memstore
memstore device bytes = ${deviceBytes}
rgw gc obj min wait = 1
rgw gc processor period = 5
run dir = ${at("run")}
admin socket = ${at("run", "$name.$pid.asok")}
log file = ${at("$name.log")}
pid file = ${at("run", "$name.pid")}
mon data = ${at("mon")}
osd data = ${at("osd")}
rgw data = ${at("run")}
`;
}

function daemon(program, words, starts = 1) {
  const child = spawn(program, words, { stdio: "ignore" });
  daemons.set(program, child);
  child.on("exit", (code, signal) => {
    if (isEnding) return;
    if (starts > 1) return void setTimeout(() => isEnding || daemon(program, words, starts - 1), 300);
    writeWhole("failed.txt", `${program} ended by itself: ${signal ?? code}`);
    end(1);
  });
  child.on("error", () => end(1));
}

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.on("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function answers(port) {
  try {
    return (await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2_000) })).status < 500;
  } catch {
    return false;
  }
}

function isThere(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Whoever waits for the file sees it whole. */
function writeWhole(name, text) {
  if (!fs.existsSync(folder)) return;
  fs.writeFileSync(path.join(folder, `${name}.new`), text);
  fs.renameSync(path.join(folder, `${name}.new`), path.join(folder, name));
}

/** One after another, the gateway first: it has been seen to crash when its store goes away under it. */
async function end(status) {
  if (isEnding) return;
  isEnding = true;
  ending.abort();
  for (const [program, child] of [...daemons].toReversed()) {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) continue;
    const gone = new Promise((resolve) => child.on("exit", resolve));
    child.kill(program === "radosgw" ? "SIGTERM" : "SIGKILL");
    await Promise.race([gone, wait(3_000)]);
    child.kill("SIGKILL");
  }
  // What failed is left to be read by who waits for the server, as long as they are there.
  if (status === 0 || !isThere(Number(owner))) fs.rmSync(folder, { recursive: true, force: true });
  process.exit(status);
}
