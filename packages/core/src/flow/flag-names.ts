/** Flags of the command line that no field of a flow may take. */
export const RESERVED_FLAGS: readonly string[] = [
  "help",
  "version",
  "tag",
  "tag-reason",
  "params",
  "store",
  "json",
  "flow",
  "strict",
  "quiet",
  "debug",
  "max-workers",
];

/** Short flags of the command line that no field of a flow may take. */
export const RESERVED_SHORT_FLAGS: readonly string[] = ["h", "q"];

/** The kebab form of a field's name, its flag: `foldCount` -> `fold-count`, `useXGBoost` -> `use-xg-boost`, `fold_count` -> `fold-count`. */
export function flagOf(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1-$2")
    .replace(/[_$]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .toLowerCase();
}

/** The environment variable of a field that names none: `foldCount` -> `MILLRACE_PARAM_FOLD_COUNT`. */
export function environmentVariableOf(name: string): string {
  return `MILLRACE_PARAM_${flagOf(name).replaceAll("-", "_").toUpperCase()}`;
}

/** The environment variables that are looked at for a field, the first that is set counts. */
export function environmentVariablesOf(name: string, env: unknown): readonly [string, ...string[]] {
  const usual = environmentVariableOf(name);
  return typeof env === "string" && env !== usual ? [env, usual] : [usual];
}
