/** The texts of `--help`: one-line summary, usage, examples, then arguments and flags, as wide as the terminal. */
import type { Flag, Positional } from "../arguments/flag.ts";
import { type Command, type CommandEntry, STORE_HELP } from "../commands/command.ts";
import type { Output } from "./output.ts";
import { displayWidth, pad } from "./text.ts";

/** A group of flags under its own title; the flow's own parameters are one. */
export interface FlagGroup {
  readonly title: string;
  readonly flags: readonly Flag[];
  /** What belongs to the group and has no flag: name and help. */
  readonly others?: readonly (readonly [name: string, help: string])[];
}

const MAX_HELP_WIDTH = 110;

/** `flow --help`. */
export function renderOverview(entries: readonly CommandEntry[], output: Output): string {
  const { paint } = output;
  const width = Math.max(...entries.map((entry) => entry.name.length));
  return [
    "Runs typed flows and keeps every artifact, tag and lineage edge.",
    "",
    paint.bold("Examples"),
    "  flow run train.ts --tag prod:v1        run a flow and tag the run",
    "  flow run predict.ts --model-tag prod:v1",
    "  flow validate                          is everything that was read whole and current?",
    "",
    paint.bold("Commands"),
    ...entries.map((entry) => `  flow ${pad(entry.name, width)}  ${paint.dim(entry.summary)}`),
    "",
    paint.bold("Flags of every command"),
    ...flagLines(
      [
        { name: "json", type: "boolean", help: "Machine-readable answer on stdout" },
        {
          name: "store",
          type: "text",
          placeholder: "STORE",
          help: STORE_HELP,
        },
        { name: "debug", type: "boolean", help: "Show the stack of errors of Millrace itself" },
        {
          name: "help",
          type: "boolean",
          short: "h",
          help: "Help on a command; flow run FILE --help shows the flow's parameters",
        },
        { name: "version", type: "boolean", short: "V", help: "Show the version" },
      ],
      output,
    ),
    "",
    "Exit codes: 0 done, 1 the run or the validation failed, 2 wrong usage or an invalid flow, 3 no store, 4 damage was found, 70 our bug, 130 interrupted",
    "",
  ].join("\n");
}

/** `flow VERB --help`; `groups` come before the command's own flags. */
export function renderCommandHelp(
  entry: CommandEntry,
  command: Command,
  output: Output,
  groups: readonly FlagGroup[] = [],
  summary = entry.summary,
): string {
  const { paint } = output;
  const examples = command.examples.map(([call, what]) => ({ call: `flow ${call}`, what }));
  const width = Math.max(0, ...examples.map(({ call }) => call.length));
  return [
    `${summary.replace(/[.\s]+$/, "")}.`,
    "",
    `${paint.bold("Usage")}  flow ${command.usage}`,
    ...(examples.length === 0
      ? []
      : [
          "",
          paint.bold("Examples"),
          ...examples.map(({ call, what }) => `  ${pad(call, width)}  ${paint.dim(what)}`.trimEnd()),
        ]),
    ...(command.positionals.length === 0
      ? []
      : ["", paint.bold("Arguments"), ...positionalLines(command.positionals, output)]),
    ...groups
      .filter((group) => (group.others ?? []).length > 0 || group.flags.some((flag) => flag.hidden !== true))
      .flatMap((group) => ["", paint.bold(group.title), ...flagLines(group.flags, output, group.others)]),
    "",
    paint.bold("Flags"),
    ...flagLines(command.flags, output),
    ...(command.notes === undefined ? [] : ["", ...wrap(command.notes, helpWidth(output))]),
    "",
  ].join("\n");
}

function positionalLines(positionals: readonly Positional[], output: Output): readonly string[] {
  return twoColumns(
    positionals.map((positional) => [positional.name + (positional.many ? " …" : ""), positional.help]),
    output,
  );
}

function flagLines(
  flags: readonly Flag[],
  output: Output,
  others: NonNullable<FlagGroup["others"]> = [],
): readonly string[] {
  const rows = flags
    .filter((flag) => flag.hidden !== true)
    .map((flag) => [spelling(flag), flag.help + (flag.type === "list" ? " (repeatable)" : "")] as const);
  return twoColumns([...rows, ...others.map(([name, help]) => [`    ${name}`, help] as const)], output);
}

function spelling(flag: Flag): string {
  const short = flag.short === undefined ? "    " : `-${flag.short}, `;
  const name = flag.negatable === true ? `--[no-]${flag.name}` : `--${flag.name}`;
  return `${short}${name}${flag.type === "boolean" ? "" : ` ${flag.placeholder ?? (flag.type === "number" ? "N" : "VALUE")}`}`;
}

function twoColumns(rows: readonly (readonly [string, string])[], output: Output): readonly string[] {
  const left = Math.min(34, Math.max(...rows.map(([name]) => displayWidth(name))));
  const room = Math.max(30, helpWidth(output) - left - 4);
  return rows.flatMap(([name, help]) => {
    const [first = "", ...rest] = wrap(help, room);
    const isWide = displayWidth(name) > left;
    const head = isWide
      ? [`  ${name}`, `  ${" ".repeat(left)}  ${first}`]
      : [`  ${pad(name, left)}  ${first}`.trimEnd()];
    return [...head, ...rest.map((line) => `  ${" ".repeat(left)}  ${line}`)];
  });
}

function helpWidth(output: Output): number {
  return Math.min(MAX_HELP_WIDTH, output.columns());
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && displayWidth(last) + 1 + displayWidth(word) <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
