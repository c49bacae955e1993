/** Chance in tests: from a seed that is printed, and that an environment variable brings back. */
import { seededRandom } from "../../packages/core/src/flow/random.ts";

export interface Seeded {
  readonly seed: number;
  /** Numbers in [0, 1). */
  readonly random: () => number;
}

/**
 * Random numbers for a test file.
 *
 * @param name says in the output whose seed it is; `MILLRACE_TEST_SEED` gives one instead of a new one
 */
export function seeded(name: string): Seeded {
  const given = process.env.MILLRACE_TEST_SEED;
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  console.log(`${name}: MILLRACE_TEST_SEED=${seed}`);
  return { seed, random: seededRandom(`millrace:test:${name}:${seed}`) };
}

/** Some of a list, chosen at random, in the order of the list. */
export function sample<T>(list: readonly T[], count: number, random: () => number): readonly T[] {
  const keys = list.map(() => random());
  const limit = keys.toSorted((left, right) => left - right)[count] ?? Number.POSITIVE_INFINITY;
  return list.filter((_, index) => keys[index]! < limit);
}

/**
 * Pairs of what is tried and where: each thing in one place, which chance decides, or with `MILLRACE_MATRIX=all` in each.
 */
export function eachSomewhere<T, P>(
  things: readonly T[],
  places: readonly P[],
  random: () => number,
): readonly (readonly [thing: T, place: P])[] {
  return things.flatMap((thing) =>
    (process.env.MILLRACE_MATRIX === "all" ? places : [places[Math.floor(random() * places.length)]!]).map(
      (place) => [thing, place] as const,
    ),
  );
}
