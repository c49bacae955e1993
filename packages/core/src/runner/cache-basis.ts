/**
 * What all tasks of a step have in common for the step cache, and which steps are kept out of it whatever they read.
 * Written down in docs/formats/cache-key.md.
 */
import type { Digest } from "../artifact/artifact.ts";
import { digestOf } from "../artifact/digest.ts";
import type { StepDefinition } from "../flow/definition.ts";

/** Stands in every key: another way of making them, or another meaning of a read, must not meet keys of this one. */
export const CACHE_FORM = "millrace step cache 2";
/** Of docs/formats/encoding.md: equal values have equal digests only within one version of it. */
const ENCODING = 1;

/**
 * How the tasks of a cached step take part. Those of a step that somebody asked to have run again (`lookup: "none"`) are
 * offered to others, and take nothing: else they would take what they were to be run again for.
 */
export type CachePlan =
  | { readonly kind: "keyed"; readonly basis: Digest; readonly lookup?: "none" }
  /** The step asked for it and cannot have it. */
  | { readonly kind: "never"; readonly why: string };

/** What runs the code: other arithmetic, time zones or native packages may come with another one. */
export interface Machine {
  /** Of Node, such as "24". */
  readonly major: string;
  readonly platform: string;
  readonly architecture: string;
}

/**
 * @param packages digest of the installed packages, where they are not those that the digest of the step's code was taken with
 * @returns undefined for a step that is not cached
 */
export function cachePlan(step: StepDefinition, machine: Machine, packages?: Digest): CachePlan | undefined {
  const { behaviour, codeDigest } = step;
  // A class that came from no code package runs for itself: its code is not known.
  if (behaviour.cache !== true || codeDigest === undefined) return undefined;
  if (Object.keys(behaviour.secrets ?? {}).length > 0) return { kind: "never", why: "it is given secrets" };
  const lines = [
    CACHE_FORM,
    `encoding ${ENCODING}`,
    `node ${machine.major} ${machine.platform} ${machine.architecture}`,
    `code ${codeDigest}`,
    `step ${JSON.stringify([step.kind, step.isJoin, step.foreach ?? null, step.on ?? null, (step.cases ?? []).map(({ value }) => value)])}`,
    ...(packages === undefined ? [] : [`packages ${packages}`]),
    `environment ${JSON.stringify(Object.entries(behaviour.environment ?? {}).sort(byName))}`,
  ];
  return { kind: "keyed", basis: textDigest(lines.join("\n")) };
}

/** The digest of a text in UTF-8. */
export function textDigest(text: string): Digest {
  return digestOf([Buffer.from(text)]);
}

function byName([left]: readonly [string, string], [right]: readonly [string, string]): number {
  return left < right ? -1 : 1;
}
