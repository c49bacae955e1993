/** Which calls of a store go wrong, and how: decided before, so that the same plan does the same harm again. */
import { seededRandom } from "../../packages/core/src/flow/random.ts";

/**
 * - `fail`: nothing is done, and an error says so
 * - `stall`: it is done, late
 * - `truncate`: half of it is done, or answered, as if it were all
 * - `lie`: it is said to be done, and is not; or something else is answered
 * - `lose`: it is done, and an error says that it failed
 */
export type FaultKind = "fail" | "stall" | "truncate" | "lie" | "lose";

export interface PlannedFault {
  readonly verb: string;
  /** Which call of the verb, from 1. */
  readonly nth: number;
  readonly kind: FaultKind;
  /** Whether all later calls of the verb go wrong as well. Default false. */
  readonly isPersistent?: boolean;
}

/** How long a stalled call takes longer. */
export const STALL_MS = 30;

export class PlannedFaults {
  readonly #plan: readonly PlannedFault[];
  readonly #counts = new Map<string, number>();
  /** Faults that came to pass. */
  readonly happened: PlannedFault[] = [];

  constructor(plan: readonly PlannedFault[]) {
    this.#plan = plan;
  }

  /** How often each verb was called. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** Counts a call, and says what is wrong with it. */
  next(verb: string): FaultKind | undefined {
    const nth = (this.#counts.get(verb) ?? 0) + 1;
    this.#counts.set(verb, nth);
    const fault = this.#plan.find(
      (each) => each.verb === verb && (each.isPersistent === true ? each.nth <= nth : each.nth === nth),
    );
    if (fault !== undefined) this.happened.push(fault);
    return fault?.kind;
  }
}

/** One fault at each call of an undisturbed run, of a kind that the seed decides. */
export function faultsAtEachCall(
  counts: ReadonlyMap<string, number>,
  kinds: readonly FaultKind[],
  seed: number,
): readonly PlannedFault[] {
  const random = seededRandom(`millrace:test:faults:${seed}`);
  const faults: PlannedFault[] = [];
  for (const [verb, count] of counts) {
    for (let nth = 1; nth <= count; nth++) {
      for (const kind of kinds) faults.push({ verb, nth, kind, isPersistent: random() < 0.5 });
    }
  }
  return faults;
}
