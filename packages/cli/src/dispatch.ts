/**
 * From words to a command: finds the verb, reads its words by its table, runs it, turns what it throws into lines and an
 * exit code. Touches no process, so that tests call it as often as they like.
 */

import { faultsError } from "./arguments/faults-error.ts";
import { parseArguments } from "./arguments/parse-arguments.ts";
import { type Command, type CommandEntry, type Context, HELP_FLAG, invocation } from "./commands/command.ts";
import { commandTable } from "./commands/table.ts";
import { loadCore } from "./core.ts";
import { EXIT, exitCodeOf } from "./exit-code.ts";
import { errorJson, renderError } from "./render/errors.ts";
import { renderCommandHelp, renderOverview } from "./render/help.ts";
import { asSystemLimit } from "./system-limit.ts";
import { COMMAND_VERSION } from "./version.ts";

/**
 * Does what the words of a call ask for, prints what comes of it, and gives the exit code. Throws nothing.
 */
export async function callFlow(context: Context): Promise<number> {
  try {
    return await dispatch(context);
  } catch (thrown) {
    const error = asSystemLimit(thrown);
    report(error, context);
    return exitCodeOf(error);
  }
}

/** Prints an error in the form that the words ask for. */
export function report(error: unknown, context: Context): void {
  const debug = context.words.includes("--debug");
  if (wantsJson(context.words)) context.stdout.write(`${JSON.stringify(errorJson(error, { debug }))}\n`);
  else {
    const store = storeFlag(context.words);
    const style = { paint: context.stderr.paint, debug, cwd: context.cwd };
    context.stderr.write(renderError(error, { ...style, ...(store === undefined ? {} : { store }) }));
  }
}

/**
 * `--store STORE` as it was typed; asked of the raw words, because an error may come before they are read. What may hold
 * a password is not said again.
 */
function storeFlag(words: readonly string[]): string | undefined {
  const at = words.findIndex((word) => word === "--store" || word.startsWith("--store="));
  if (at < 0) return undefined;
  const word = words[at]!;
  const store = word === "--store" ? words[at + 1] : word.slice("--store=".length);
  return store?.includes("@") === true ? undefined : store;
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
      wantsJson(words)
        ? `${JSON.stringify({ version: COMMAND_VERSION, node: process.versions.node })}\n`
        : `${COMMAND_VERSION}\n`,
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
  const { readsOwnWords = false } = command;
  if (typeof readsOwnWords === "function" ? readsOwnWords(context.words) : readsOwnWords)
    return await command.run(invocation(new Map(), []), context);
  const flags = command.flags.includes(HELP_FLAG) ? command.flags : [...command.flags, HELP_FLAG];
  const parsed = parseArguments(context.words, { flags, positionals: command.positionals });
  if (parsed.values.get("help") === true) {
    context.stdout.write(renderCommandHelp(entry, { ...command, flags }, context.stdout));
    return EXIT.done;
  }
  if (parsed.faults.length > 0) throw await faultsError(`flow ${entry.name}`, parsed.faults);
  return await command.run(invocation(parsed.values, parsed.positionals), context);
}

/** `flow --json runs` and `flow --store STORE runs` mean the same as with the flags behind the verb. */
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
  const called = (name: string) => commandTable.find((entry) => entry.name === name);
  return called(words.slice(0, 3).join(" ")) ?? called(`${words[0]} ${words[1]}`) ?? called(words[0] ?? "");
}

/** `flow tag --help`: the verbs below a word. */
function showGroup(word: string, context: Context): boolean {
  const entries = commandTable.filter((entry) => entry.name.startsWith(`${word} `));
  if (entries.length > 0) context.stdout.write(renderOverview(entries, context.stdout));
  return entries.length > 0;
}

async function unknownCommand(words: readonly string[]): Promise<Error> {
  const { FlowError, nearestName, shellWord } = await loadCore();
  const isGroup = commandTable.some((entry) => entry.name.startsWith(`${words[0]} ${words[1]} `));
  const typed = isGroup ? `${words[0]} ${words[1]}` : words[0]!;
  const group = commandTable.filter((entry) => entry.name.startsWith(`${typed} `)).map((entry) => entry.name);
  if (group.length > 0) {
    const second = words[isGroup ? 2 : 1];
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
          : `Did you mean "flow ${nearest}"? The verbs are ${group.map((name) => name.slice(typed.length + 1)).join(", ")}`,
    });
  }
  const nearest = nearestName(
    typed,
    commandTable.map((entry) => entry.name.split(" ")[0]!),
  );
  const hint = /\.[cm]?[jt]sx?$/.test(typed)
    ? `Type flow run ${shellWord(typed)}`
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
