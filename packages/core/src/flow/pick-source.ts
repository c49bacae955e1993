import type { ConfigFact, FileFact, ParamFact } from "./field-facts.ts";
import { environmentVariableOf, flagOf } from "./flag-names.ts";
import type { FieldSources, ResolvedField } from "./resolve-fields.ts";

/** A value that somebody gave for a field. */
export interface Given {
  readonly source: Exclude<ResolvedField["source"], "default">;
  readonly value: unknown;
  /** Where it was given, as it stands before a problem: `--folds`, `MILLRACE_PARAM_FOLDS`. */
  readonly label: string;
}

/** The first source that has a value for a field: code, flag, `--params` file, environment. */
export function pickSource(
  name: string,
  fact: ParamFact | ConfigFact | FileFact,
  sources: FieldSources,
): Given | undefined {
  const flag = flagOf(name);
  const fromCode = own(sources.values, name);
  if (fromCode !== undefined) return { source: "code", value: fromCode, label: `params.${name}` };
  const fromFlag = own(sources.flags, flag) ?? own(sources.flags, name);
  if (fromFlag !== undefined) return { source: "flag", value: fromFlag, label: `--${flag}` };
  for (const key of [name, flag]) {
    const fromFile = own(sources.paramsFile, key);
    if (fromFile !== undefined) return { source: "file", value: fromFile, label: `"${key}" in the --params file` };
  }
  const { env } = fact.options;
  for (const variable of [...(typeof env === "string" ? [env] : []), environmentVariableOf(name)]) {
    const fromEnvironment = own(sources.environment, variable);
    if (fromEnvironment !== undefined) return { source: "environment", value: fromEnvironment, label: variable };
  }
  return undefined;
}

function own<T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}
