/** What each run has lost with the values that are gone, and what brings it back. */
import type { Digest } from "../../artifact/artifact.ts";
import type { BlobUse, BlobUses } from "../../metadata/record-audit.ts";

export interface Loss {
  /** Such as `Train/17`; absent for what no run of this store names. */
  readonly run?: string;
  readonly runId?: string;
  /** In words: `"model" of Train/17/fit`. */
  readonly lost: readonly string[];
  /** Digests of the values. */
  readonly digests: readonly string[];
  /** What to type: it stores the values again where the step gives what it gave then. */
  readonly commands: readonly string[];
  /** What is to be known of the commands. */
  readonly advice: string;
}

/** Values of one run that are named; the others are only in `digests`. */
const MAX_NAMED = 20;

/**
 * By run, in the order in which they are met.
 *
 * @param uses  the records that name what is lost, by its digest
 * @param items  the tasks whose items are lost with their pages
 */
export function lossesOf(uses: ReadonlyMap<Digest, BlobUses>, items: readonly BlobUse[]): readonly Loss[] {
  const byRun = new Map<string, { uses: BlobUse[]; digests: Set<string> }>();
  const lose = (use: BlobUse, digest?: Digest): void => {
    const key = use.run ?? "";
    const run = byRun.get(key) ?? { uses: [], digests: new Set() };
    byRun.set(key, run);
    run.uses.push(use);
    if (digest !== undefined) run.digests.add(digest);
  };
  for (const [digest, { first }] of uses) for (const use of first) lose(use, digest);
  for (const use of items) lose(use);
  return [...byRun].map(([run, { uses: lost, digests }]) => ({
    ...(run === "" ? {} : { run }),
    ...(lost[0]?.runId === undefined ? {} : { runId: lost[0].runId }),
    lost: lost.slice(0, MAX_NAMED).map(({ what }) => what),
    digests: [...digests],
    ...waysBack(run, lost),
  }));
}

function waysBack(run: string, lost: readonly BlobUse[]): Pick<Loss, "commands" | "advice"> {
  if (run === "") return { commands: [], advice: "No run of this store names these values" };
  const flow = run.slice(0, run.indexOf("/"));
  if (lost.some(({ isPut }) => isPut === true))
    return {
      commands: [],
      advice: `Put the same files again with flow put ${flow}: no step made them, and where the bytes are the same, this run has them again too`,
    };
  const needsInputs = lost.some(({ kind }) => kind === "value" || kind === "package");
  if (needsInputs) {
    return {
      commands: [],
      advice: `Run ${flow} again with flow run, with the same code and parameters: what ${run} was started with is lost, so it cannot be resumed`,
    };
  }
  // The earliest: a step after it would look for what is lost before it.
  const [first, ...later] = lost
    .flatMap(({ step, number }) => (step === undefined || number === undefined ? [] : [{ step, number }]))
    .sort((left, right) => left.number - right.number)
    .map(({ step }) => step);
  const lostRows = lost.some(({ kind, sizeBytes }) => kind === "items" && sizeBytes === undefined);
  const hasOthers = later.some((step) => step !== first);
  return {
    commands: first === undefined ? [] : [`flow resume ${run} --from ${first}`],
    advice: lostRows
      ? `This makes a run that is whole, from the first step on that has lost something; what the records of ${run} have lost, a copy alone brings back`
      : !hasOthers
        ? "This runs the step again, and all after it; where it gives the same values, this run has them again too"
        : "This runs the first of the steps again that have lost something, and all after it; flow store verify says what is left of others",
  };
}
