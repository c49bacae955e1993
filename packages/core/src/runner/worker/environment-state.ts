import type { Change, WorkerState } from "./fingerprint.ts";

type Variables = Readonly<Record<string, string | undefined>>;

/** Environment variables, by name; values are never told. */
export class EnvironmentState implements WorkerState {
  readonly #environment: () => Variables;
  #before: Variables;

  constructor(environment: () => Variables) {
    this.#environment = environment;
    this.#before = { ...environment() };
  }

  look(): readonly Change[] {
    const now = { ...this.#environment() };
    const names = Object.keys(now);
    const changed = names.filter((name) => now[name] !== this.#before[name]);
    if (names.length !== Object.keys(this.#before).length || changed.length > 0)
      changed.push(...Object.keys(this.#before).filter((name) => !Object.hasOwn(now, name)));
    return changed.map((name) => ({
      what: `the environment variable ${name}`,
      isTolerable: false,
      isContagious: true,
    }));
  }

  accept(): void {
    this.#before = { ...this.#environment() };
  }
}
