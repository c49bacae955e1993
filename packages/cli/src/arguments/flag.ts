/** What a flag of the command line takes: nothing, one text, one whole number, or a text each time it is given. */
export type FlagType = "boolean" | "text" | "number" | "list";

/** One flag, as the parser and the help read it. */
export interface Flag {
  /** Without dashes, kebab-case. */
  readonly name: string;
  readonly type: FlagType;
  readonly help: string;
  /** Further long spellings, such as the field's own name `foldCount` for `fold-count`. */
  readonly aliases?: readonly string[];
  readonly short?: string;
  /** How help calls the value: `DIR` in `--store DIR`. */
  readonly placeholder?: string;
  readonly choices?: readonly string[];
  readonly min?: number;
  /** What the value must be, in words, where an empty text is none. */
  readonly notEmpty?: string;
  /** Whether `--no-NAME` turns a boolean off. */
  readonly negatable?: boolean;
  /** Left out of the help. */
  readonly hidden?: boolean;
  /** Under which key the value is handed on, when several flags must not share one by name. */
  readonly key?: string;
}

/** An argument without a dash, in the order of the command line. */
export interface Positional {
  /** In capitals: `FILE`, `SELECTOR`. */
  readonly name: string;
  readonly help: string;
  readonly required: boolean;
  /** Takes all that is left. */
  readonly many?: boolean;
}

/** The key under which the parser keeps a flag's value. */
export function flagKey(flag: Flag): string {
  return flag.key ?? flag.name;
}
