/**
 * The `flow` command: finds the verb, reads its words by its table, runs it, turns what it throws into lines and an exit
 * code. Nothing heavy is loaded here: `flow --help` must cost little more than Node itself, so each verb and the framework
 * load when they are needed. This is the only module that touches `process`.
 */
import { writeSync } from "node:fs";
import { faultsError } from "./arguments/faults-error.ts";
import { parseArguments } from "./arguments/parse-arguments.ts";
import { type Command, type CommandEntry, type Context, HELP_FLAG, invocation } from "./commands/command.ts";
import { commandTable } from "./commands/table.ts";
import { loadCore } from "./core.ts";
import { endProcess } from "./end-process.ts";
import { EXIT, exitCodeOf } from "./exit-code.ts";
import { errorJson, renderError } from "./render/errors.ts";
import { renderCommandHelp, renderOverview } from "./render/help.ts";
import { streamOutput } from "./render/output.ts";
import { asSystemLimit } from "./system-limit.ts";

declare const __MILLRACE_VERSION__: string | undefined;
const version = typeof __MILLRACE_VERSION__ === "string" ? __MILLRACE_VERSION__ : "0.0.0-source";

const writeStdout = process.stdout.write.bind(process.stdout);
const context = processContext();
// What nobody caught is our bug: it must not end with Node's code 1, which says that the run failed.
process.on("uncaughtException", (thrown) => {
  const error = asSystemLimit(thrown);
  report(error, context);
  process.exit(exitCodeOf(error));
});
const code = await main(context);
await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
endProcess(code);

async function main(context: Context): Promise<number> {
  try {
    return await dispatch(context);
  } catch (thrown) {
    const error = asSystemLimit(thrown);
    report(error, context);
    return exitCodeOf(error);
  }
}

function report(error: unknown, context: Context): void {
  const debug = context.words.includes("--debug");
  if (wantsJson(context.words)) context.stdout.write(`${JSON.stringify(errorJson(error, { debug }))}\n`);
  else context.stderr.write(renderError(error, { paint: context.stderr.paint, debug, cwd: context.cwd }));
}

async function dispatch(context: Context): Promise<number> {
  const words = verbFirst(context.words);
  const [first] = words;
  if (first === undefined) {
    context.stderr.write(renderOverview(commandTable, context.stderr));
    return EXIT.usage;
  }
  if (first === "--version" || first === "-V") {
    context.stdout.write(
      wantsJson(words) ? `${JSON.stringify({ version, node: process.versions.node })}\n` : `${version}\n`,
    );
    return EXIT.done;
  }
  if (first === "--help" || first === "-h" || (first === "help" && words.length === 1)) {
    context.stdout.write(renderOverview(commandTable, context.stdout));
    return EXIT.done;
  }
  if (first === "help") return await dispatch({ ...context, words: [...words.slice(1), "--help"] });

  const entry = findEntry(words);
  if (entry === undefined) {
    if (words.slice(1).some((word) => word === "--help" || word === "-h") && showGroup(first, context))
      return EXIT.done;
    throw await unknownCommand(words);
  }
  const command = await entry.load();
  return await callCommand(entry, command, { ...context, words: words.slice(entry.name.split(" ").length) });
}

async function callCommand(entry: CommandEntry, command: Command, context: Context): Promise<number> {
  if (command.readsOwnWords === true) return await command.run(invocation(new Map(), []), context);
  const flags = command.flags.includes(HELP_FLAG) ? command.flags : [...command.flags, HELP_FLAG];
  const parsed = parseArguments(context.words, { flags, positionals: command.positionals });
  if (parsed.values.get("help") === true) {
    context.stdout.write(renderCommandHelp(entry, { ...command, flags }, context.stdout));
    return EXIT.done;
  }
  if (parsed.faults.length > 0) throw await faultsError(`flow ${entry.name}`, parsed.faults);
  return await command.run(invocation(parsed.values, parsed.positionals), context);
}

/** `flow --json runs` and `flow --store DIR runs` mean the same as with the flags behind the verb. */
function verbFirst(words: readonly string[]): readonly string[] {
  const moved: string[] = [];
  let at = 0;
  for (; at < words.length; at++) {
    const word = words[at]!;
    if (word === "--json" || word === "--debug" || word === "--quiet" || word.startsWith("--store=")) moved.push(word);
    else if (word === "--store" && words[at + 1] !== undefined) moved.push(word, words[++at]!);
    else break;
  }
  if (at === words.length) return words;
  const verb = findEntry(words.slice(at))?.name.split(" ").length ?? 1;
  return [...words.slice(at, at + verb), ...moved, ...words.slice(at + verb)];
}

function findEntry(words: readonly string[]): CommandEntry | undefined {
  return commandTable.find((entry) => entry.name === words[0] || entry.name === `${words[0]} ${words[1]}`);
}

/** `flow tag --help`: the verbs below a word. */
function showGroup(word: string, context: Context): boolean {
  const entries = commandTable.filter((entry) => entry.name.startsWith(`${word} `));
  if (entries.length > 0) context.stdout.write(renderOverview(entries, context.stdout));
  return entries.length > 0;
}

async function unknownCommand(words: readonly string[]): Promise<Error> {
  const { FlowError, nearestName } = await loadCore();
  const typed = words[0]!;
  const group = commandTable.filter((entry) => entry.name.startsWith(`${typed} `)).map((entry) => entry.name);
  if (group.length > 0) {
    const second = words[1];
    const nearest = second === undefined ? undefined : nearestName(`${typed} ${second}`, group);
    const message =
      second === undefined || second.startsWith("-")
        ? `"flow ${typed}" needs a verb`
        : `Cannot find the command "flow ${typed} ${second}"`;
    return new FlowError("FLOW_CLI_UNKNOWN_COMMAND", {
      message,
      hint:
        nearest === undefined
          ? `Type one of ${group.map((name) => `flow ${name}`).join(", ")}`
          : `Did you mean "flow ${nearest}"?`,
    });
  }
  const nearest = nearestName(
    typed,
    commandTable.map((entry) => entry.name.split(" ")[0]!),
  );
  const hint = /\.[cm]?[jt]sx?$/.test(typed)
    ? `Type flow run ${typed}`
    : nearest === undefined
      ? "Type flow --help for the commands"
      : `Did you mean "flow ${nearest}"?`;
  return new FlowError("FLOW_CLI_UNKNOWN_COMMAND", { message: `Cannot find the command "${typed}"`, hint });
}

/** Asked of the raw words, because an error may come before they are read. */
function wantsJson(words: readonly string[]): boolean {
  const end = words.indexOf("--");
  return (end < 0 ? words : words.slice(0, end)).includes("--json");
}

function processContext(): Context {
  const words = process.argv.slice(2);
  if (words.includes("--debug")) process.setSourceMapsEnabled(true);
  const stdout = streamOutput(process.stdout, process.env, outputFailed);
  // stdout carries the answer and nothing else: what a flow file prints while it is loaded here goes to stderr.
  process.stdout.write = process.stderr.write.bind(process.stderr);
  return {
    cwd: process.cwd(),
    environment: process.env,
    words,
    stdout,
    stderr: streamOutput(process.stderr, process.env, outputFailed),
    now: Date.now,
    signals: {
      take(onSignal) {
        const interrupt = (): void => onSignal("SIGINT");
        const terminate = (): void => onSignal("SIGTERM");
        process.on("SIGINT", interrupt).on("SIGTERM", terminate);
        return () => {
          process.off("SIGINT", interrupt).off("SIGTERM", terminate);
        };
      },
      watchExit(onExit) {
        const ending = (exitCode: number): void => {
          process.exitCode = onExit(exitCode);
        };
        process.on("exit", ending);
        return () => void process.off("exit", ending);
      },
      exit: (exitCode) => endProcess(exitCode),
    },
  };
}

/** A full disk behind stdout or stderr: the answer is lost, so this is no success. */
function outputFailed(error: Error): void {
  try {
    writeSync(2, `✗ Cannot write the output: ${error.message}\n  FLOW_CLI_OUTPUT_NOT_WRITABLE\n`);
  } catch {
    // stderr is the one that cannot be written: the exit code has to say it alone.
  }
  process.exit(EXIT.failed);
}

/**
 * Waits until a stream has taken everything; a reader that went away counts as well. An error of the last write comes in
 * the next turn, so that turn is waited for.
 */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) setImmediate(resolve);
    else (stream === process.stdout ? writeStdout : stream.write.bind(stream))("", () => setImmediate(resolve));
  });
}
