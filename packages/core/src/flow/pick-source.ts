import { clip } from "../errors/plain-data.ts";
import type { ConfigFact, FileFact, ParamFact } from "./field-facts.ts";
import { environmentVariablesOf, flagOf } from "./flag-names.ts";
import type { FieldSources, ResolvedField } from "./resolve-fields.ts";

/** A value that somebody gave for a field. */
export interface Given {
  readonly source: Exclude<ResolvedField["source"], "default">;
  readonly value: unknown;
  /** Where it was given, as it stands before a problem: `--folds`, `MILLRACE_PARAM_FOLDS`. Never the value. */
  readonly label: string;
  /** The same with the value, which is not for secrets: `--folds many`. */
  readonly shown: string;
}

/** The first source that has a value for a field: code, flag, `--params` file, environment. */
export function pickSource(
  name: string,
  fact: ParamFact | ConfigFact | FileFact,
  sources: FieldSources,
): Given | undefined {
  const flag = flagOf(name);
  const fromCode = own(sources.values, name);
  if (fromCode !== undefined)
    return { source: "code", value: fromCode, label: `params.${name}`, shown: `params.${name}` };
  const fromFlag = own(sources.flags, flag) ?? own(sources.flags, name);
  if (fromFlag !== undefined)
    return { source: "flag", value: fromFlag, label: `--${flag}`, shown: shownFlag(`--${flag}`, fromFlag) };
  for (const key of [name, flag]) {
    const fromFile = own(sources.paramsFile, key);
    if (fromFile === undefined) continue;
    const value = clip(JSON.stringify(fromFile) ?? String(fromFile), SHOWN);
    return {
      source: "file",
      value: fromFile,
      label: `"${key}" in the --params file`,
      shown: `"${key}": ${value} in the --params file`,
    };
  }
  for (const variable of environmentVariablesOf(name, fact.options.env)) {
    const fromEnvironment = own(sources.environment, variable);
    if (fromEnvironment === undefined) continue;
    const shown = `${variable}=${shownText(fromEnvironment)}`;
    return { source: "environment", value: fromEnvironment, label: variable, shown };
  }
  return undefined;
}

/** So many characters of a value are shown: enough to know it again. */
const SHOWN = 60;

function shownFlag(flag: string, given: string | readonly string[] | boolean): string {
  if (typeof given === "boolean") return flag;
  return [given].flat().length > 3
    ? `${flag} …`
    : [given]
        .flat()
        .map((text) => `${flag} ${shownText(text)}`)
        .join(" ");
}

/** A text as it could stand on a command line: quoted where it is empty or has spaces or control characters. */
function shownText(text: string): string {
  const clipped = clip(text, SHOWN);
  if (/^[^\s"'\p{Cc}]+$/u.test(clipped)) return clipped;
  return /['\p{Cc}]/u.test(clipped) ? JSON.stringify(clipped) : `'${clipped}'`;
}

function own<T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}
