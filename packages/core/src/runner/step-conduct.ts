import type { WorkerMessage } from "./protocol.ts";
import type { Pollution, WorkerBatch } from "./worker-host.ts";

/** Workers that a step may use up by changes that it may well mean; after that, such changes are borne. */
const REPLACEMENTS_BORNE = 8;

/**
 * What steps did to the workers that ran them, over a whole run: who has changed one before is looked at more closely, and
 * each change is told once.
 */
export class StepConduct {
  readonly #suspects = new Set<string>();
  readonly #told = new Set<string>();
  readonly #replacements = new Map<string, number>();

  /** What a worker is to know about a step before it runs its tasks. */
  advise(step: string): Pick<WorkerBatch, "isSuspect" | "isTolerated"> {
    if (!this.#suspects.has(step)) return {};
    return { isSuspect: true, ...(this.#isTolerated(step) ? { isTolerated: true } : {}) };
  }

  /** Whether a worker that a step left changed is to be replaced, and what to tell about it. */
  judge(
    step: string,
    pollution: readonly Pollution[],
  ): { readonly isReplaced: boolean; readonly messages: readonly WorkerMessage[] } {
    if (pollution.length === 0) return { isReplaced: false, messages: [] };
    this.#suspects.add(step);
    const isReplaced = pollution.some((found) => !found.isTolerable) || !this.#isTolerated(step);
    if (isReplaced && pollution.every((found) => found.isTolerable))
      this.#replacements.set(step, (this.#replacements.get(step) ?? 0) + 1);
    const messages = pollution.flatMap(({ what, isTolerable }): WorkerMessage[] => {
      const told: WorkerMessage[] = [];
      if (this.#isNew(`${step} ${what}`)) told.push({ kind: "polluted", step, what, isReplaced });
      if (isTolerable && this.#isTolerated(step) && this.#isNew(`${step} borne`))
        told.push({ kind: "polluted", step, what, isReplaced: false });
      return told;
    });
    return { isReplaced, messages };
  }

  /** What follows is another run. */
  forget(): void {
    this.#suspects.clear();
    this.#told.clear();
    this.#replacements.clear();
  }

  #isTolerated(step: string): boolean {
    return (this.#replacements.get(step) ?? 0) >= REPLACEMENTS_BORNE;
  }

  #isNew(key: string): boolean {
    if (this.#told.has(key)) return false;
    this.#told.add(key);
    return true;
  }
}
