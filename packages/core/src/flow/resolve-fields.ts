/**
 * Gives parameters, configs and included files their values before a run starts, or tells all that is wrong with them.
 *
 * Order: files first, then parameters that are given or have a default of their own, then late defaults
 * (`() => this.conf.folds`) in the order in which they need each other. Sources, the first that has a value: code,
 * flag, `--params` file, environment, default. Nothing is read here but the sources that are handed in.
 */

import { isFlowError, type Problem } from "../errors/flow-error.ts";
import { nearestName } from "../util/nearest-name.ts";
import { bindFlow, construct } from "./bind-flow.ts";
import { lazyFields } from "./bound-flow.ts";
import { checkValue } from "./check-value.ts";
import type { ConfigFact, FieldFact, FileFact, ParamFact } from "./field-facts.ts";
import { readingsOfJson, readingsOfText } from "./field-readings.ts";
import { environmentVariablesOf, flagOf } from "./flag-names.ts";
import { type Given, pickSource } from "./pick-source.ts";
import type { FlowClass } from "./public-types.ts";
import { readFieldFile } from "./read-field-file.ts";

export interface FieldSources {
  /** By flag or field name: a text, several for a repeated flag, or a boolean for a bare one. */
  readonly flags: Readonly<Record<string, string | readonly string[] | boolean>>;
  /** The parsed `--params` file. */
  readonly paramsFile?: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** From code: values of the output type, which are turned back into input by `z.encode`. */
  readonly values?: Readonly<Record<string, unknown>>;
  /** Fields whose values are known, as those of a run that goes on are: no other source is asked. */
  readonly settled?: Readonly<Record<string, ResolvedField>>;
  readFile(path: string): Promise<Uint8Array>;
}

export interface ResolvedField {
  readonly name: string;
  readonly kind: "parameter" | "config" | "file";
  /** What the field reads as. */
  readonly value: unknown;
  /** The same as JSON-safe input of the schema; absent for files, secrets and values that are undefined. */
  readonly encoded?: unknown;
  readonly secret: boolean;
  readonly source: "flag" | "file" | "environment" | "default" | "code";
}

export interface ResolvedFields {
  /** In declared order; those with a problem are left out. */
  readonly fields: readonly ResolvedField[];
  readonly problems: readonly Problem[];
}

type Fact = ParamFact | ConfigFact | FileFact;

/** Thrown inside a late default that reads a field whose value is still to be worked out. */
class NotYet {
  constructor(readonly field: string) {}
}

/**
 * Resolves the fields of a flow class that get their values before the run.
 *
 * @throws FlowError FLOW_DEFINITION_CONSTRUCTION when the class cannot be built; everything else is in `problems`
 */
export async function resolveFields(flowClass: FlowClass, sources: FieldSources): Promise<ResolvedFields> {
  const problems: Problem[] = [];
  const resolved = new Map<string, ResolvedField>();
  const failed = new Set<string>();
  const facts = new Map<string, Fact>();
  const read = (name: string) => (): unknown => {
    const field = resolved.get(name);
    if (field === undefined) throw new NotYet(name);
    return field.value;
  };
  const names = [...construct(flowClass).fields].flatMap(([name, field]) =>
    field.kind === "definition" && isResolvable(field.fact) ? [name] : [],
  );
  const values = Object.fromEntries(names.map((name) => [name, read(name)]));
  const bound = bindFlow(flowClass, {
    values: lazyFields(values),
    inputs: lazyFields({}),
    onRead: () => {},
    signal: new AbortController().signal,
    merge: () => {},
  });
  for (const [name, fact] of bound.facts) if (isResolvable(fact)) facts.set(name, fact);
  problems.push(...unknownNames(facts, sources));

  const settle = (
    name: string,
    outcome: { readonly field: ResolvedField } | { readonly problems: readonly Problem[] },
  ): void => {
    if ("field" in outcome) resolved.set(name, outcome.field);
    else {
      failed.add(name);
      problems.push(...outcome.problems);
    }
  };

  const late: string[] = [];
  for (const [name, fact] of [...facts].sort(
    ([, left], [, right]) => Number(left.kind === "param") - Number(right.kind === "param"),
  )) {
    const known = sources.settled;
    if (known !== undefined && Object.hasOwn(known, name)) {
      settle(name, { field: known[name]! });
      continue;
    }
    const given = pickSource(name, fact, sources);
    if (fact.kind !== "param") settle(name, await resolveFile(name, fact, given, sources));
    else if (given !== undefined) settle(name, await resolveGiven(name, fact, given));
    else if (typeof fact.options.default === "function") late.push(name);
    else settle(name, await resolveDefault(name, fact));
  }
  const waiting: string[] = [];
  const resolveLate = async (name: string): Promise<void> => {
    const fact = facts.get(name) as ParamFact;
    waiting.push(name);
    for (;;) {
      let value: unknown;
      try {
        value = (fact.options.default as () => unknown)();
      } catch (thrown) {
        const problem = await lateProblem(name, thrown);
        if (problem === "again") continue;
        settle(name, { problems: problem });
        break;
      }
      const label = `the default of "${name}"`;
      const checked = await checkValue(
        fact.schema,
        { kind: "output", value },
        { label, isSecret: fact.options.secret === true },
      );
      settle(name, "problems" in checked ? checked : { field: parameterField(name, fact, checked, "default") });
      break;
    }
    waiting.pop();
  };
  const giveHint = (name: string): string => {
    const fact = facts.get(name);
    return fact?.kind === "param" && fact.options.secret === true ? secretHint(name, fact) : `Give --${flagOf(name)}`;
  };
  /** What a late default's error means: another field must come first, or it is a problem. */
  const lateProblem = async (name: string, thrown: unknown): Promise<readonly Problem[] | "again"> => {
    if (!(thrown instanceof NotYet)) {
      const text = thrown instanceof Error ? thrown.message : String(thrown);
      return [
        {
          code: "FLOW_PARAMETER_INVALID",
          message: `Cannot work out the default of "${name}": ${text}`,
          hint: (isFlowError(thrown) ? thrown.hint : undefined) ?? `${giveHint(name)}, or correct the default`,
        },
      ];
    }
    const needs = thrown.field;
    if (waiting.includes(needs)) {
      const circle = [...waiting.slice(waiting.indexOf(needs)), needs].map((field) => `"${field}"`).join(" → ");
      return [
        {
          code: "FLOW_PARAMETER_CYCLE",
          message: `Cannot work out the default of "${name}": ${circle} wait for each other`,
          hint: `${giveHint(name)}, or a default that needs no other parameter`,
        },
      ];
    }
    if (failed.has(needs)) return []; // its own problem says enough
    await resolveLate(needs);
    return "again";
  };
  for (const name of late) if (!resolved.has(name) && !failed.has(name)) await resolveLate(name);

  return { fields: [...facts.keys()].flatMap((name) => resolved.get(name) ?? []), problems };
}

function isResolvable(fact: FieldFact): fact is Fact {
  return fact.kind === "param" || fact.kind === "config" || fact.kind === "file";
}

type Outcome = { readonly field: ResolvedField } | { readonly problems: readonly Problem[] };

async function resolveGiven(name: string, fact: ParamFact, given: Given): Promise<Outcome> {
  const isSecret = fact.options.secret === true;
  const label = isSecret ? given.label : given.shown;
  if (isSecret && given.source === "flag") {
    return {
      problems: [
        {
          code: "FLOW_PARAMETER_SECRET_FLAG",
          message: `${label}: a secret may not be given on the command line`,
          hint: secretHint(name, fact),
        },
      ],
    };
  }
  if (given.source === "code") {
    const checked = await checkValue(fact.schema, { kind: "output", value: given.value }, { label, isSecret });
    return "problems" in checked ? checked : { field: parameterField(name, fact, checked, "code") };
  }
  const readings =
    given.source === "file"
      ? { kind: "readings" as const, values: readingsOfJson(given.value) }
      : readingsOfText(given.value as string, fact.schema);
  if (readings.kind === "not-json") {
    return {
      problems: [
        {
          code: "FLOW_PARAMETER_INVALID",
          message: isSecret ? `${label}: Invalid value` : `${label}: Not JSON: ${readings.why}`,
        },
      ],
    };
  }
  const checked = await checkValue(fact.schema, { kind: "input", readings: readings.values }, { label, isSecret });
  return "problems" in checked ? checked : { field: parameterField(name, fact, checked, given.source) };
}

async function resolveDefault(name: string, fact: ParamFact): Promise<Outcome> {
  const isSecret = fact.options.secret === true;
  if (fact.schema._zod.optin === undefined) {
    const problem = isSecret
      ? { message: `The secret "${name}": Required`, hint: secretHint(name, fact) }
      : { message: `--${flagOf(name)}: Required`, hint: `Give --${flagOf(name)}` };
    return { problems: [{ code: "FLOW_PARAMETER_MISSING", ...problem }] };
  }
  const checked = await checkValue(
    fact.schema,
    { kind: "input", readings: [undefined] },
    { label: `the default of "${name}"`, isSecret },
  );
  return "problems" in checked ? checked : { field: parameterField(name, fact, checked, "default") };
}

/** A secret has no flag. */
function secretHint(name: string, fact: ParamFact): string {
  const variables = environmentVariablesOf(name, fact.options.env).join(" or ");
  return `Set the environment variable ${variables}, or put "${name}" into the --params file`;
}

function parameterField(
  name: string,
  fact: ParamFact,
  checked: { readonly value: unknown; readonly encoded?: unknown },
  source: ResolvedField["source"],
): ResolvedField {
  const secret = fact.options.secret === true;
  const { value, encoded } = checked;
  return { name, kind: "parameter", value, ...(encoded === undefined || secret ? {} : { encoded }), secret, source };
}

async function resolveFile(
  name: string,
  fact: ConfigFact | FileFact,
  given: Given | undefined,
  sources: FieldSources,
): Promise<Outcome> {
  const kind = fact.kind;
  const read = await readFieldFile(name, fact, given, sources.readFile);
  if ("problems" in read) return read;
  const { value, encoded, source } = read;
  return { field: { name, kind, value, ...(encoded === undefined ? {} : { encoded }), secret: false, source } };
}

/** Entries of the `--params` file, and values from code, that no field asks for. Unknown flags are the command line's matter. */
function unknownNames(facts: ReadonlyMap<string, Fact>, sources: FieldSources): readonly Problem[] {
  const flags = new Set([...facts.keys()].map(flagOf));
  const problems: Problem[] = [];
  for (const [where, given] of [
    ["the --params file", sources.paramsFile],
    ["params", sources.values],
  ] as const) {
    for (const [name, value] of Object.entries(given ?? {})) {
      if (facts.has(name) || (where !== "params" && flags.has(name)) || (where === "params" && value === undefined))
        continue;
      const near = nearestName(name, facts.keys());
      const list = facts.size === 0 ? "The flow has no parameters" : `The flow has ${[...facts.keys()].join(", ")}`;
      problems.push({
        code: "FLOW_PARAMETER_UNKNOWN",
        message: `Unknown parameter "${name}" in ${where}`,
        hint: near === undefined ? list : `Did you mean "${near}"?`,
      });
    }
  }
  return problems;
}
