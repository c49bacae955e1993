/**
 * A project of a user: a temporary folder with a package.json, flow files given as text, the built packages linked into
 * its node_modules, and a store of its own. Ways to look at it: `flow` is the real command in a process of its own, `here` the same
 * command inside the test's process, `run` and `client` are the API there.
 */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type Flow, type Run, type RunEvent, type RunOptions, run } from "@millrace/core";
import { type Client, type OpenStores, openClient, openStores } from "@millrace/core/internal";
import type { CallOptions } from "../cli/kit.ts";
import { type CommandResult, commandHere, runCommand } from "./run-command.ts";

const PACKAGES = fileURLToPath(new URL("../../packages", import.meta.url));

/** A run that ended, however it ended, with all of its events. */
export interface Watched {
  readonly events: readonly RunEvent[];
  /** The run, when it succeeded. */
  readonly run: Run<any> | undefined;
  /** What awaiting it threw, when it did not. */
  readonly error: unknown;
  readonly record: any;
}

export class Project {
  readonly folder: string;
  readonly store: string;
  #stores: Promise<OpenStores> | undefined;
  readonly #storeBefore = process.env.MILLRACE_STORE;

  /** @param files by path; `shop` is the project's name unless a package.json is among them */
  constructor(files: Readonly<Record<string, string>> = {}) {
    this.folder = fs.realpathSync.native(fs.mkdtempSync(path.join(os.tmpdir(), "millrace-project-")));
    this.store = path.join(this.folder, ".millrace");
    const modules = path.join(this.folder, "node_modules/@millrace");
    fs.mkdirSync(modules, { recursive: true });
    for (const name of ["core", "ml"]) fs.symlinkSync(path.join(PACKAGES, name), path.join(modules, name));
    this.write({ "package.json": JSON.stringify({ name: "shop", type: "module" }), ...files });
    // `run` and `runs` look for a store from the folder of the process; this is how a program is pointed elsewhere.
    process.env.MILLRACE_STORE = this.store;
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      const file = path.join(this.folder, name);
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, text);
    }
  }

  /** Makes a package of this repository one of the project's own. */
  link(name: string): void {
    fs.symlinkSync(path.join(PACKAGES, "core/node_modules", name), path.join(this.folder, "node_modules", name));
  }

  file(name: string): string {
    return path.join(this.folder, name);
  }

  /** The real command in the project's folder. */
  async flow(words: readonly string[], options: CallOptions = {}): Promise<CommandResult> {
    return await runCommand(words, { cwd: this.folder, ...options });
  }

  /** The command in the project's folder without a process of its own: for looks, and what the test is not about. */
  async here(words: readonly string[], options: Pick<CallOptions, "cwd" | "env"> = {}): Promise<CommandResult> {
    return await commandHere(words, { cwd: this.folder, ...options });
  }

  /** Runs a flow file inside this process, to its end, and keeps what happened. */
  async run(
    file: string,
    options: RunOptions<Flow> & { readonly params?: Readonly<Record<string, unknown>> } = {},
  ): Promise<Watched> {
    const running = run(this.file(file), options as RunOptions<Flow>);
    const events: RunEvent[] = [];
    const watching = (async () => {
      for await (const event of running) events.push(event);
    })().catch(() => {}); // What refuses the run is seen by awaiting it.
    const [ended] = await Promise.allSettled([running, watching]);
    const last = events.at(-1);
    return {
      events,
      run: ended.status === "fulfilled" ? ended.value : undefined,
      error: ended.status === "rejected" ? ended.reason : undefined,
      record: last?.kind === "run.finished" ? JSON.parse(JSON.stringify(last.record)) : undefined,
    };
  }

  /** The store, opened for reading. */
  stores(): Promise<OpenStores> {
    this.#stores ??= openStores({ store: this.store, cwd: this.folder, environment: {}, create: false });
    return this.#stores;
  }

  async client(): Promise<Client> {
    return openClient(await this.stores());
  }

  /**
   * Whether some file of the store holds this text: records and blobs alike. Looked at by a process of its own: closing a
   * file gives up every lock that the same process holds on it, and the database would be open without its locks.
   */
  storeHolds(text: string): boolean {
    const program = `
      import fs from "node:fs"; import path from "node:path";
      const [store, text] = process.argv.slice(1);
      const files = fs.readdirSync(store, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      console.log(files.some((entry) => fs.readFileSync(path.join(entry.parentPath, entry.name)).includes(text)));`;
    const found = execFileSync(process.execPath, ["--input-type=module", "--eval", program, this.store, text], {
      encoding: "utf8",
    });
    return found.trim() === "true";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#storeBefore === undefined) delete process.env.MILLRACE_STORE;
    else process.env.MILLRACE_STORE = this.#storeBefore;
    await (await this.#stores)?.close();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}
