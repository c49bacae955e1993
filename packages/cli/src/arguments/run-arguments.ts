/**
 * The words of `flow run` are read twice: once for the file and the command's own flags, since the flow says which other
 * flags there are, and once more with the flow's flags in the table.
 */
import type { FlowDefinition } from "@millrace/core/internal";
import type { Flag, Positional } from "./flag.ts";
import { flowFlags, secretVariable } from "./flow-flags.ts";
import { type Fault, type ParsedArguments, parseArguments } from "./parse-arguments.ts";

/** What the words say to the run itself, in the form in which the runner takes it. */
export interface FlowValues {
  /** Values of parameters and files by field name. */
  readonly flags: Readonly<Record<string, string | string[] | boolean>>;
  readonly upstreams: Readonly<Record<string, { readonly tags?: string[]; readonly run?: string }>>;
}

export const FILE_ARGUMENT: Positional = {
  name: "FILE",
  help: "The flow file: a .ts module that exports a flow",
  required: true,
};

/** The file and own flags, found without knowing the flow's flags; faults of unknown flags are left for the second reading. */
export function readRunWords(
  words: readonly string[],
  own: readonly Flag[],
): ParsedArguments & { readonly file: string | undefined } {
  const parsed = parseArguments(words, { flags: own, positionals: [{ ...FILE_ARGUMENT, many: true }] });
  // "--configuration test_config train.ts": only the flow knows that --configuration takes a value. What looks like a source file is the file.
  const file = freeWords(words, own).find((word) => /\.(?:[cm]?[jt]sx?|flow)$/.test(word)) ?? parsed.positionals[0];
  return { ...parsed, file };
}

/** All words, with the flags of the flow. */
export function readFlowWords(
  words: readonly string[],
  own: readonly Flag[],
  definition: FlowDefinition,
  subject: Positional = FILE_ARGUMENT,
): ParsedArguments & FlowValues {
  const { params, upstreams } = flowFlags(definition);
  const parsed = parseArguments(words, { flags: [...own, ...params, ...upstreams], positionals: [subject] });
  const flags: Record<string, string | string[] | boolean> = {};
  const selected: Record<string, { tags?: string[]; run?: string }> = {};
  for (const [key, value] of parsed.values) {
    const colon = key.indexOf(":");
    const kind = key.slice(0, colon);
    const name = key.slice(colon + 1);
    if (kind === "param") flags[name] = value as string | string[] | boolean;
    else if (kind === "tag") selected[name] = { ...selected[name], tags: value as string[] };
    else if (kind === "run") selected[name] = { ...selected[name], run: value as string };
  }
  return {
    ...parsed,
    faults: parsed.faults.map((fault) => explainSecret(fault, definition)),
    flags,
    upstreams: selected,
  };
}

/** Words that are neither flags nor values of flags that we know. */
function freeWords(words: readonly string[], own: readonly Flag[]): readonly string[] {
  const free: string[] = [];
  const takesValue = new Set(
    own
      .filter((flag) => flag.type !== "boolean")
      .flatMap((flag) => [`--${flag.name}`, ...(flag.short === undefined ? [] : [`-${flag.short}`])]),
  );
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word === "--") return [...free, ...words.slice(at + 1)];
    if (takesValue.has(word) || /^--[\w-]+-(?:tag|run)$/.test(word)) at++;
    else if (!word.startsWith("-")) free.push(word);
  }
  return free;
}

function explainSecret(fault: Fault, definition: FlowDefinition): Fault {
  if (fault.kind !== "unknown-flag") return fault;
  const secret = definition.params.find(
    (param) => param.secret && [`--${param.flag}`, `--${param.name}`].includes(fault.flag),
  );
  if (secret === undefined) return fault;
  const from = `the environment as ${secretVariable(secret)}, or in a file named by --params`;
  return { ...fault, hint: `"${secret.name}" is secret and must not stand on a command line: give it in ${from}` };
}
