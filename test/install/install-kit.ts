/**
 * What the tests of this folder share: the tarballs, a folder of a user outside the repository with a home of its own, and
 * programs run there with nothing of the repository in their environment.
 */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));
/** Downloads are kept between runs. */
const CACHE = path.join(REPOSITORY, "node_modules/.cache/millrace-install");
/** The oldest Node that the packages promise to work with. */
const OLDEST_NODE = "22.15.0";
const UNREACHABLE =
  /\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT|UNABLE_TO_[A-Z_]+|SELF_SIGNED_CERT\w*|E40[13]|E407|E5\d\d|ERR_PNPM_(?:META_FETCH_FAIL|FETCH_\w+|NO_OFFLINE_\w+))\b/;

/** Thrown when the registry cannot be reached: a test that depends on it says so and is skipped. */
export class RegistryUnreachable extends Error {}

export interface Done {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** By name without scope: `core`, `cli`, `ml`. */
export type Tarballs = Readonly<Record<string, string>>;

export class UserFolder {
  /** Of this folder, a home and whatever else is installed for the test. */
  readonly base = fs.realpathSync.native(fs.mkdtempSync(path.join(os.tmpdir(), "millrace-user-")));
  readonly folder = path.join(this.base, "project");
  #nodeFolder = path.dirname(process.execPath);

  constructor() {
    for (const folder of [this.folder, path.join(this.base, "home")]) fs.mkdirSync(folder);
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      const file = path.join(this.folder, name);
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, text);
    }
  }

  /** Puts the oldest supported Node first on the PATH of all programs that follow, where npm has it for this platform. */
  async useOldestNode(): Promise<void> {
    if (process.platform !== "linux") return;
    const name = `node-${process.platform}-${process.arch}`;
    const folder = path.join(this.base, "node");
    fs.mkdirSync(folder);
    fs.writeFileSync(path.join(folder, "package.json"), "{}");
    await this.install([`${name}@${OLDEST_NODE}`], folder);
    this.#nodeFolder = path.join(folder, "node_modules", name, "bin");
  }

  /** `npm install`. */
  async install(packages: readonly string[], folder = this.folder): Promise<void> {
    const flags = ["--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"];
    downloaded(await this.run("npm", ["install", ...flags, ...packages], folder));
  }

  /** Runs a program to its end. @param env variables beside those of whoever runs the tests */
  run(
    command: string,
    words: readonly string[],
    folder = this.folder,
    env: Readonly<Record<string, string>> = {},
  ): Promise<Done> {
    const begun = performance.now();
    return new Promise((resolve) => {
      execFile(
        command,
        words,
        {
          cwd: folder,
          env: { ...this.#environment(), ...env },
          maxBuffer: 1 << 26,
          shell: process.platform === "win32",
        },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
          const told = code === -1 ? `${stderr}\n${String(error)}` : stderr;
          resolve({ code, stdout, stderr: told, seconds: (performance.now() - begun) / 1000 });
        },
      );
    });
  }

  /** Nothing that says where the repository is, and no settings of whoever runs the tests. */
  #environment(): NodeJS.ProcessEnv {
    const isForeign =
      /^(?:npm_|pnpm_|millrace_|vitest|vite_|xdg_|node_options$|node_env$|node_path$|init_cwd$|force_color$)/i;
    // A mirror is no setting of taste: it may be the only registry that can be reached.
    const registry = process.env.npm_config_registry;
    // npm looks for its machine-wide settings beside the Node that runs it, and another Node runs it here.
    const globalSettings = process.env.npm_config_globalconfig;
    const kept = Object.entries(process.env).filter(([name]) => !isForeign.test(name));
    const folders = (process.env.PATH ?? "").split(path.delimiter).filter((folder) => !folder.startsWith(REPOSITORY));
    return {
      ...Object.fromEntries(kept),
      HOME: path.join(this.base, "home"),
      USERPROFILE: path.join(this.base, "home"),
      PATH: [this.#nodeFolder, ...folders].join(path.delimiter),
      NO_COLOR: "1",
      npm_config_cache: path.join(CACHE, "npm"),
      npm_config_update_notifier: "false",
      npm_config_fetch_retry_mintimeout: "1000",
      npm_config_fetch_retry_maxtimeout: "5000",
      pnpm_config_store_dir: path.join(CACHE, "pnpm"),
      ...(globalSettings === undefined ? {} : { npm_config_globalconfig: globalSettings }),
      ...(registry === undefined ? {} : { npm_config_registry: registry, pnpm_config_registry: registry }),
    };
  }

  [Symbol.dispose](): void {
    fs.rmSync(this.base, { recursive: true, force: true });
  }
}

/** @throws RegistryUnreachable when that is why a package manager failed, else an error with what it said */
export function downloaded(done: Done): void {
  if (done.code === 0) return;
  const told = `${done.stderr}\n${done.stdout}`.trim();
  throw UNREACHABLE.test(told) ? new RegistryUnreachable(told) : new Error(told);
}

/** Runs `prepare`; gives the reason, loudly, when the registry cannot be reached. */
export async function orUnreachable(prepare: () => Promise<void>): Promise<string | undefined> {
  try {
    await prepare();
    return undefined;
  } catch (error) {
    if (!(error instanceof RegistryUnreachable)) throw error;
    const reason = `SKIPPED: the packages were not installed as a user would, since the registry cannot be reached: ${error.message.split("\n").slice(0, 4).join("; ")}`;
    console.warn(reason);
    return reason;
  }
}

/** Builds and packs the packages into a folder: once for all files of a test run, one at a time, since builds write to one place. */
export async function packPackages(folder: string): Promise<Tarballs> {
  const lock = path.join(CACHE, "pack.lock");
  fs.mkdirSync(CACHE, { recursive: true });
  while (!makeFolder(lock)) {
    if (Date.now() - (fs.statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > 120_000)
      fs.rmdirSync(lock);
    await sleep(100);
  }
  const packed = path.join(CACHE, "packed");
  const owner = path.join(packed, "owner");
  try {
    if (!fs.existsSync(owner) || fs.readFileSync(owner, "utf8") !== testRun()) {
      fs.rmSync(packed, { recursive: true, force: true });
      await pack(packed);
      fs.writeFileSync(owner, testRun());
    }
    fs.mkdirSync(folder, { recursive: true });
    const files = fs.readdirSync(packed).filter((name) => name.endsWith(".tgz"));
    for (const name of files) fs.copyFileSync(path.join(packed, name), path.join(folder, name));
    return Object.fromEntries(files.map((name) => [/millrace-(\w+)-/.exec(name)![1]!, path.join(folder, name)]));
  } finally {
    fs.rmdirSync(lock);
  }
}

/** The process that started this worker, in words that fit no other one; where it cannot be told apart, this very call. */
function testRun(): string {
  try {
    const boot = fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const facts = fs
      .readFileSync(`/proc/${process.ppid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return `${boot} ${process.ppid} ${facts[19]}`; // The latter is when it was started.
  } catch {
    return randomUUID();
  }
}

async function pack(folder: string): Promise<void> {
  const script = path.join(REPOSITORY, "scripts/pack.mjs");
  const { code, stderr } = await new Promise<Pick<Done, "code" | "stderr">>((resolve) => {
    execFile(process.execPath, [script, folder], (error, _stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, stderr });
    });
  });
  if (code !== 0) throw new Error(`Cannot pack: ${stderr}`);
}

function makeFolder(folder: string): boolean {
  try {
    fs.mkdirSync(folder);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}
