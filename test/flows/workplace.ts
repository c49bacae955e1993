/**
 * Where the examples are tried: a temporary folder to stand in, so that `results/` lands there, and a store that can be
 * copied and damaged. Commands are given as in a shell; a word that ends in `.ts` is a file below the example's folder.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { CallOptions } from "../cli/kit.ts";
import { type CommandResult, commandHere, runCommand } from "../kit/run-command.ts";

/** The folder of all examples. */
export const FLOWS = fileURLToPath(new URL("../../flows", import.meta.url));

export class Workplace {
  readonly folder: string;
  readonly store: string;
  readonly #flows: string;

  /** @param flows the folder, below `flows/`, whose files are meant by their bare names */
  constructor(flows: string, folder: string = temporaryFolder()) {
    this.#flows = flows;
    this.folder = folder;
    this.store = path.join(folder, "store");
  }

  /** The real command, whatever its outcome. Quotes hold words together: `tag add Train/1 a --reason "two words"`. */
  async flow(command: string, options: CallOptions = {}): Promise<CommandResult> {
    return await runCommand(this.#words(command), this.#options(options));
  }

  /** The same command without a process of its own, for looks; it must end with exit code 0. */
  async here(command: string, options: Pick<CallOptions, "cwd" | "env"> = {}): Promise<CommandResult> {
    return withCode(0, command, await commandHere(this.#words(command), this.#options(options)));
  }

  /** The real command, which must end with `code`; a mismatch shows all that was written. */
  async expect(code: number, command: string, options: CallOptions = {}): Promise<CommandResult> {
    return withCode(code, command, await this.flow(command, options));
  }

  /** Another folder with a copy of the store, to spoil. */
  copy(): Workplace {
    const copy = new Workplace(this.#flows);
    fs.cpSync(this.store, copy.store, { recursive: true });
    return copy;
  }

  /** A file below this folder. */
  file(name: string): string {
    return path.join(this.folder, name);
  }

  [Symbol.dispose](): void {
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  #words(command: string): readonly string[] {
    const words = [...command.matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted]) => quoted ?? word);
    return words.map((word) => (word.endsWith(".ts") ? path.join(FLOWS, this.#flows, word) : word));
  }

  #options(options: CallOptions): CallOptions {
    return { cwd: this.folder, ...options, env: { MILLRACE_STORE: this.store, ...options.env } };
  }
}

function withCode(code: number, command: string, result: CommandResult): CommandResult {
  if (result.code !== code)
    throw new Error(
      `flow ${command} ended with ${result.code}, not ${code}\n${result.stdout.slice(-4_000)}\n${result.stderr.slice(-4_000)}`,
    );
  return result;
}

function temporaryFolder(): string {
  return fs.realpathSync.native(fs.mkdtempSync(path.join(os.tmpdir(), "millrace-flows-")));
}
