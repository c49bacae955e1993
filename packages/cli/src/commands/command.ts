/**
 * What every command of `flow` is: a table of flags and arguments, from which parsing and help follow, and a function
 * that does the work and gives the exit code. A command prints through its context alone and has no logic that core lacks.
 */
import type { Readable } from "node:stream";
import type { Flag, Positional } from "../arguments/flag.ts";
import type { FlagValue } from "../arguments/parse-arguments.ts";
import type { Output } from "../render/output.ts";

/** What a command is given from the process. */
export interface Context {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The words behind `flow`, as typed. */
  readonly words: readonly string[];
  readonly stdout: Output;
  readonly stderr: Output;
  /** What comes in: opened by who asks for it. */
  readonly stdin: () => Readable;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly signals: Signals;
}

/** Ctrl-C and kill, for the one command that can stop cleanly. */
export interface Signals {
  /** Takes over SIGINT and SIGTERM until the returned function is called. */
  take(onSignal: (signal: "SIGINT" | "SIGTERM") => void): () => void;
  /**
   * Calls back when the process ends, until the returned function is called: user code that runs in this very process may
   * end it. What the callback gives is what the process ends with.
   */
  watchExit(onExit: (code: number) => number): () => void;
  /** Ends the process at once. */
  exit(code: number): never;
}

/** The words of one call, read by the command's own table. */
export interface Invocation {
  text(flag: string): string | undefined;
  list(flag: string): readonly string[];
  number(flag: string): number | undefined;
  isOn(flag: string): boolean;
  readonly values: ReadonlyMap<string, FlagValue>;
  readonly positionals: readonly string[];
}

export interface Command {
  /** Forms of the call behind `flow`: `runs [FLOW]`. */
  readonly usage: string;
  readonly positionals: readonly Positional[];
  readonly flags: readonly Flag[];
  readonly examples: readonly (readonly [command: string, what: string])[];
  /** More for `--help`, a paragraph. */
  readonly notes?: string;
  /** Reads its words by itself, because its flags depend on them (`flow run FILE`); `run` then gets nothing parsed. */
  readonly readsOwnWords?: boolean | ((words: readonly string[]) => boolean);
  run(invocation: Invocation, context: Context): Promise<number>;
}

/** A line of `flow --help`; the command itself is loaded when it is called. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

export const JSON_FLAG: Flag = { name: "json", type: "boolean", help: "Print the answer as JSON" };
/** Where the store is looked for, in the help of every command that takes one. */
export const STORE_HELP =
  "The store, a folder or the URL of a bucket (default: MILLRACE_STORE, millrace.json, else .millrace here or above)";
export const STORE_FLAG: Flag = {
  name: "store",
  type: "text",
  placeholder: "STORE",
  notEmpty: "a folder or a URL",
  help: STORE_HELP,
};
export const DEBUG_FLAG: Flag = { name: "debug", type: "boolean", help: "Show the stack of errors of Millrace itself" };
export const HELP_FLAG: Flag = { name: "help", type: "boolean", short: "h", help: "Show this help" };

/** Typed access to parsed values. */
export function invocation(values: ReadonlyMap<string, FlagValue>, positionals: readonly string[]): Invocation {
  return {
    values,
    positionals,
    text: (flag) => values.get(flag) as string | undefined,
    list: (flag) => (values.get(flag) as readonly string[] | undefined) ?? [],
    number: (flag) => values.get(flag) as number | undefined,
    isOn: (flag) => values.get(flag) === true,
  };
}
