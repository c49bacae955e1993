import type { Config } from "../config/config.ts";
import { seededRandom } from "../flow/random.ts";

/** Numbers by which independent tasks are shuffled, where the process asks for that: the same seed, the same order. */
export function shuffleBy({ shuffle }: Config): { readonly shuffle?: () => number } {
  return shuffle === undefined ? {} : { shuffle: seededRandom(`millrace:order:${shuffle}`) };
}
