import type { Change, WorkerState } from "./fingerprint.ts";

/** What a code package tells of the variables of its modules: their names, and what they hold now. */
export interface ModuleVariables {
  readonly names: readonly string[];
  readonly read: () => readonly unknown[];
}

/** With more variables than this, they are only looked at after a batch. */
const GLANCED_AT_MOST = 64;

/**
 * Variables at the top level of the user's own modules: which value each holds, and of collections how much is in them.
 * A cache that fills is a change like any other, and may well be meant.
 */
export class ModuleState implements WorkerState {
  readonly #variables: ModuleVariables | undefined;
  #values: readonly unknown[] = [];
  #sizes: readonly number[] = [];

  constructor(variables: ModuleVariables | undefined) {
    this.#variables = variables;
    this.accept();
  }

  glance(): boolean {
    const { read } = this.#variables ?? {};
    if (read === undefined || this.#values.length > GLANCED_AT_MOST) return false;
    const now = read();
    for (let index = 0; index < now.length; index++) if (!Object.is(now[index], this.#values[index])) return true;
    return false;
  }

  look(): readonly Change[] {
    const now = this.#variables?.read() ?? [];
    return now.flatMap((value, index): readonly Change[] => {
      if (Object.is(value, this.#values[index]) && sizeOf(value) === this.#sizes[index]) return [];
      return [{ what: `the variable ${this.#variables!.names[index]}`, isTolerable: true, isContagious: true }];
    });
  }

  accept(): void {
    this.#values = this.#variables?.read() ?? [];
    this.#sizes = this.#values.map(sizeOf);
  }
}

/** Entries of a collection or plain object; of all else, nothing. */
function sizeOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  if (value instanceof Map || value instanceof Set) return value.size;
  if (Array.isArray(value)) return value.length;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? Object.keys(value).length : 0;
}
