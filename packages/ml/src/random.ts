/**
 * Random numbers from a seed.
 *
 * Everything in this package that draws takes a seed, because a step that is run again must give the same artifacts.
 * The generator is sfc32 (C. Doty-Humphrey, PractRand), seeded through splitmix32: 32-bit integer arithmetic only, so
 * that every machine draws the same numbers.
 */
import { MlError } from "./ml-error.ts";

/** A source of random numbers; each call moves it on. */
export interface SeededRandom {
  /** Uniform in [0, 1), 53 random bits. */
  next(): number;
  /** Uniform in [low, high). */
  uniform(low: number, high: number): number;
  /** A whole number, low <= value < high. */
  integer(low: number, high: number): number;
  /** Normally distributed, mean 0, standard deviation 1. */
  normal(): number;
  /** The numbers 0 … length - 1 in random order. */
  permutation(length: number): Int32Array;
  /** `count` different numbers out of 0 … length - 1, in the order drawn. */
  sample(length: number, count: number): Int32Array;
}

/**
 * Makes a generator. The same seed gives the same sequence, everywhere and in every version of this package.
 *
 * @param seed  any safe integer
 * @throws MlError ML_DATA_BAD_ARGUMENT for a seed that is no safe integer
 * @example seededRandom(7).integer(0, 10)
 */
export function seededRandom(seed: number): SeededRandom {
  if (!Number.isSafeInteger(seed)) {
    throw new MlError(
      "ML_DATA_BAD_ARGUMENT",
      `Cannot draw from seed ${seed}: it is no whole number`,
      "give a safe integer",
    );
  }
  const bits = sfc32(seed);
  let spare: number | undefined;

  const next = (): number => ((bits() >>> 5) * 0x4000000 + (bits() >>> 6)) / 0x20000000000000;
  const integer = (low: number, high: number): number => low + Math.floor(next() * (high - low));

  // Marsaglia's polar method: two values a turn, one is kept for the next call.
  const normal = (): number => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    for (;;) {
      const u = 2 * next() - 1;
      const v = 2 * next() - 1;
      const square = u * u + v * v;
      if (square === 0 || square >= 1) continue;
      const factor = Math.sqrt((-2 * Math.log(square)) / square);
      spare = v * factor;
      return u * factor;
    }
  };

  // Fisher and Yates from the front: the first `count` places are a sample without replacement.
  const sample = (length: number, count: number): Int32Array => {
    if (!Number.isInteger(count) || count < 0 || count > length) {
      throw new MlError(
        "ML_DATA_BAD_ARGUMENT",
        `Cannot draw ${count} different items out of ${length}`,
        "ask for fewer",
      );
    }
    const items = Int32Array.from({ length }, (_, index) => index);
    for (let place = 0; place < count; place++) {
      const other = integer(place, length);
      const item = items[place]!;
      items[place] = items[other]!;
      items[other] = item;
    }
    return items.slice(0, count);
  };

  return {
    next,
    integer,
    normal,
    sample,
    uniform: (low, high) => low + next() * (high - low),
    permutation: (length) => sample(length, length),
  };
}

/**
 * A seed for one part of a larger draw, so that adding a part leaves the draws of the others alone.
 *
 * @example deriveSeed(7, 2) // the seed of part 2
 */
export function deriveSeed(seed: number, part: number): number {
  const mix = splitmix32((seed | 0) ^ Math.imul(part + 1, 0x9e3779b1) ^ Math.floor(seed / 0x100000000));
  mix();
  return mix() >>> 1; // 31 bits: libraries in C read seeds as signed 32-bit integers.
}

function sfc32(seed: number): () => number {
  const mix = splitmix32(seed | 0);
  let a = mix() ^ Math.floor(seed / 0x100000000); // the upper bits of a large seed count, too
  let b = mix();
  let c = mix();
  let counter = 1;
  const step = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let warmUp = 0; warmUp < 12; warmUp++) step();
  return step;
}

function splitmix32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  };
}
