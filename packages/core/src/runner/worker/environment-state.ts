import type { Change, WorkerState } from "./fingerprint.ts";

type Variables = Readonly<Record<string, string | undefined>>;

/** Environment variables, by name; values are never told. */
export class EnvironmentState implements WorkerState {
  readonly #environment: () => Variables;
  #before: Variables;
  #count: number;

  constructor(environment: () => Variables) {
    this.#environment = environment;
    this.#before = { ...environment() };
    this.#count = Object.keys(this.#before).length;
  }

  look(): readonly Change[] {
    if (this.#isAsBefore()) return [];
    const now = { ...this.#environment() };
    const names = Object.keys(now);
    const changed = names.filter((name) => now[name] !== this.#before[name]);
    if (names.length !== this.#count || changed.length > 0)
      changed.push(...Object.keys(this.#before).filter((name) => !Object.hasOwn(now, name)));
    return changed.map((name) => ({
      what: `the environment variable ${name}`,
      isTolerable: false,
      isContagious: true,
    }));
  }

  accept(): void {
    this.#before = { ...this.#environment() };
    this.#count = Object.keys(this.#before).length;
  }

  /** Without a copy, which asks for each variable three times: they are the system's, and each answer is a call. */
  #isAsBefore(): boolean {
    const environment = this.#environment();
    const names = Reflect.ownKeys(environment) as string[];
    if (names.length !== this.#count) return false;
    for (let index = 0; index < names.length; index++) {
      const name = names[index]!;
      const value = environment[name];
      if (value === undefined || value !== this.#before[name]) return false;
    }
    return true;
  }
}
