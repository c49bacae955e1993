/**
 * Words of the command line -> values by flag and a list of everything that is wrong with them.
 *
 * `parseArgs` of node:util splits the words; the table of flags, the checks and the collecting of faults are here, so
 * that all faults are reported together. Pure: nothing is read, printed or thrown. Why no library does this:
 * docs/adr/0020-cli-parsing.md.
 */
import { parseArgs } from "node:util";
import { type Flag, flagKey, type Positional } from "./flag.ts";

/** One thing that is wrong with the words of a command line. */
export type Fault =
  | { readonly kind: "unknown-flag"; readonly flag: string; readonly known: readonly string[]; readonly hint?: string }
  | { readonly kind: "missing-value"; readonly flag: string; readonly placeholder: string }
  | { readonly kind: "needless-value"; readonly flag: string; readonly value: string }
  | {
      readonly kind: "bad-value";
      readonly flag: string;
      readonly value: string;
      readonly wanted: string;
      readonly choices?: readonly string[];
    }
  | { readonly kind: "repeated-flag"; readonly flag: string }
  /** Both `--cache` and `--no-cache`. */
  | { readonly kind: "opposite-flags"; readonly flag: string }
  | { readonly kind: "missing-argument"; readonly argument: string }
  | { readonly kind: "unexpected-argument"; readonly value: string };

export type FlagValue = string | number | boolean | readonly string[];

/** What was found: values by flag key, arguments in order, and all faults. */
export interface ParsedArguments {
  readonly values: ReadonlyMap<string, FlagValue>;
  readonly positionals: readonly string[];
  readonly faults: readonly Fault[];
}

interface Shape {
  readonly flags: readonly Flag[];
  readonly positionals: readonly Positional[];
}

type Token =
  | {
      readonly kind: "option";
      readonly name: string;
      readonly rawName: string;
      readonly value: string | undefined;
      readonly inlineValue: boolean | undefined;
    }
  | { readonly kind: "positional"; readonly value: string }
  | { readonly kind: "option-terminator" };

/** Reads words by a table of flags. `--` ends the flags; `-k 5`, `-k5`, `--k=5` and `--k 5` mean the same. */
export function parseArguments(words: readonly string[], shape: Shape): ParsedArguments {
  const byWord = wordTable(shape.flags);
  const values = new Map<string, FlagValue>();
  const positionals: string[] = [];
  const faults: Fault[] = [];
  const known = [...byWord.keys()];
  let afterUnknown = false; // "--unknown value": the value belongs to the unknown flag and is no fault of its own

  for (const token of tokenize(words, byWord)) {
    const follows = afterUnknown;
    afterUnknown = false;
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      if (!follows || hasRoom(shape.positionals, positionals.length)) positionals.push(token.value);
      continue;
    }
    const found = lookUp(token, byWord);
    if (found === undefined) {
      faults.push({ kind: "unknown-flag", flag: token.rawName, known });
      afterUnknown = !token.inlineValue;
    } else {
      keep(found, token, values, faults);
    }
  }
  checkPositionals(shape.positionals, positionals, faults);
  return { values, positionals, faults };
}

function tokenize(words: readonly string[], byWord: ReadonlyMap<string, Flag>): readonly Token[] {
  const options: Record<string, { type: "boolean" | "string"; short?: string }> = {};
  for (const [word, flag] of byWord) {
    if (!word.startsWith("--")) continue;
    const short = word === `--${flag.name}` ? flag.short : undefined;
    options[word.slice(2)] = {
      type: flag.type === "boolean" ? "boolean" : "string",
      ...(short === undefined ? {} : { short }),
    };
  }
  const parsed = parseArgs({ args: [...words], options, strict: false, allowPositionals: true, tokens: true });
  return parsed.tokens as readonly Token[];
}

function wordTable(flags: readonly Flag[]): Map<string, Flag> {
  const table = new Map<string, Flag>();
  for (const flag of flags) {
    for (const name of [flag.name, ...(flag.aliases ?? [])]) table.set(`--${name}`, flag);
    if (flag.short !== undefined) table.set(`-${flag.short}`, flag);
  }
  return table;
}

interface Found {
  readonly flag: Flag;
  readonly negated: boolean;
}

function lookUp(token: Token & { kind: "option" }, byWord: ReadonlyMap<string, Flag>): Found | undefined {
  const flag = byWord.get(token.rawName);
  if (flag !== undefined) return { flag, negated: false };
  if (!token.rawName.startsWith("--no-")) return undefined;
  const positive = byWord.get(`--${token.rawName.slice("--no-".length)}`);
  return positive?.negatable === true ? { flag: positive, negated: true } : undefined;
}

function keep(
  { flag, negated }: Found,
  token: Token & { kind: "option" },
  values: Map<string, FlagValue>,
  faults: Fault[],
): void {
  const key = flagKey(flag);
  const shown = token.rawName;
  if (flag.type !== "list" && values.has(key)) {
    const isOpposite = flag.negatable === true && token.value === undefined && values.get(key) === negated;
    faults.push(isOpposite ? { kind: "opposite-flags", flag: flag.name } : { kind: "repeated-flag", flag: shown });
    return;
  }
  if (flag.type === "boolean") {
    const value = booleanValue(token.value);
    if (value === undefined || (negated && token.value !== undefined))
      faults.push({ kind: "needless-value", flag: shown, value: token.value ?? "" });
    else values.set(key, negated ? false : value);
    return;
  }
  const value = token.value;
  if (value === undefined || (!token.inlineValue && looksLikeFlag(value))) {
    faults.push({ kind: "missing-value", flag: shown, placeholder: flag.placeholder ?? "VALUE" });
    return;
  }
  if (flag.choices !== undefined && !flag.choices.includes(value)) {
    faults.push({
      kind: "bad-value",
      flag: shown,
      value,
      wanted: `one of ${flag.choices.join(", ")}`,
      choices: flag.choices,
    });
    return;
  }
  if (flag.notEmpty !== undefined && value.trim() === "") {
    faults.push({ kind: "bad-value", flag: shown, value, wanted: flag.notEmpty });
    return;
  }
  if (flag.type === "number") {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    if (Number.isNaN(number) || number < (flag.min ?? 0)) {
      faults.push({ kind: "bad-value", flag: shown, value, wanted: `a whole number from ${flag.min ?? 0}` });
    } else {
      values.set(key, number);
    }
    return;
  }
  values.set(
    key,
    flag.type === "list" ? [...((values.get(key) as readonly string[] | undefined) ?? []), value] : value,
  );
}

/** A flag without a value is on; `--fast=false` is allowed because scripts compose it. */
function booleanValue(text: string | undefined): boolean | undefined {
  if (text === undefined || text === "true") return true;
  return text === "false" ? false : undefined;
}

/** "-5" and "-" are values, "-x" and "--x" are flags. */
function looksLikeFlag(value: string): boolean {
  return /^--?[^\d.-]/.test(value) || value === "--";
}

function hasRoom(wanted: readonly Positional[], given: number): boolean {
  return given < wanted.length || wanted.at(-1)?.many === true;
}

function checkPositionals(wanted: readonly Positional[], given: readonly string[], faults: Fault[]): void {
  // A missing argument beside an unknown flag is most often the flag's doing ("--unknown FILE"): one fault is enough.
  const isExcused = faults.some((fault) => fault.kind === "unknown-flag");
  for (const [index, positional] of wanted.entries()) {
    if (positional.required && given[index] === undefined && !isExcused)
      faults.push({ kind: "missing-argument", argument: positional.name });
  }
  if (wanted.at(-1)?.many === true) return;
  for (const value of given.slice(wanted.length)) faults.push({ kind: "unexpected-argument", value });
}
