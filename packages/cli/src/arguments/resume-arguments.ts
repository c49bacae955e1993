/**
 * The words of `flow resume` are read twice, as those of `flow run` are: once for the run, since only the run says which
 * flow it is, and once more with the flow's flags in the table.
 */
import type { FlowDefinition } from "@millrace/core/internal";
import type { Flag, Positional } from "./flag.ts";
import { type ParsedArguments, parseArguments } from "./parse-arguments.ts";
import { type FlowValues, readFlowWords } from "./run-arguments.ts";

export const RUN_ARGUMENT: Positional = {
  name: "RUN",
  help: "The run: Train/17, a run id, or Train for its newest (default: the newest that stopped without success)",
  required: false,
};

/** A run that is named outright, which no value of a parameter is taken for by accident: `Train/17`, a run id. */
const RUN = /^(?:[\w@.-]+\/)*[A-Za-z_$][\w$]*\/\d+$|^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;

/**
 * The run and the command's own flags. A word behind a flag that only the flow knows may be its value: such a word is the
 * run only when it looks like one and no other word is.
 */
export function readResumeWords(
  words: readonly string[],
  own: readonly Flag[],
): ParsedArguments & { readonly run: string | undefined } {
  const parsed = parseArguments(words, { flags: own, positionals: [{ ...RUN_ARGUMENT, many: true }] });
  const { free, doubtful } = wordsWithoutFlags(words, own);
  return { ...parsed, run: free[0] ?? doubtful.find((word) => RUN.test(word)) };
}

/**
 * All words, with the flags of the flow. A field whose flag the command has itself (`from`) has none here: it can be given
 * in the --params file.
 */
export function readResumeFlowWords(
  words: readonly string[],
  own: readonly Flag[],
  definition: FlowDefinition,
): ParsedArguments & FlowValues {
  const taken = new Set(own.flatMap(({ name, short }) => (short === undefined ? [name] : [name, short])));
  const isFree = ({
    name,
    flag = name,
    short,
  }: {
    readonly name: string;
    readonly flag?: string;
    readonly short?: string;
  }) => ![name, flag, ...(short === undefined ? [] : [short])].some((word) => taken.has(word));
  const { params, configs, files } = definition;
  const free = { params: params.filter(isFree), configs: configs.filter(isFree), files: files.filter(isFree) };
  return readFlowWords(words, own, { ...definition, ...free }, RUN_ARGUMENT);
}

/** Words that are no flags: surely none, and those that may be the value of a flag that is not ours. */
function wordsWithoutFlags(
  words: readonly string[],
  own: readonly Flag[],
): { readonly free: readonly string[]; readonly doubtful: readonly string[] } {
  const known = new Map(
    own.flatMap(
      (flag) =>
        [[`--${flag.name}`, flag], ...(flag.short === undefined ? [] : [[`-${flag.short}`, flag]])] as [string, Flag][],
    ),
  );
  const free: string[] = [];
  const doubtful: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word === "--") return { free: [...free, ...words.slice(at + 1)], doubtful };
    if (!word.startsWith("-") || word === "-") free.push(word);
    else if (!word.includes("=")) {
      const flag = known.get(word);
      const next = words[at + 1];
      if (flag?.type === "boolean" || word.startsWith("--no-") || next === undefined || next.startsWith("-")) continue;
      at++;
      if (flag === undefined) doubtful.push(next);
    }
  }
  return { free, doubtful };
}
