import { findRun } from "../../client/find-run.ts";
import { FlowError } from "../../errors/flow-error.ts";
import type { MetadataReader, RunRow, RunSequence } from "../../metadata/metadata-store.ts";

/** Runs that are looked through for one to resume: past these, nobody waits for it any more. */
const LOOKED_THROUGH = 1_000;
const PAGE = 100;

/**
 * The run that is to be resumed: the one that is named, or the newest that failed, was cancelled or was lost. Of those that
 * nobody named, one that was resumed with success by a fork is over, a run that was started inside a step is its
 * parent's, and an imported one is left alone.
 *
 * @throws FlowError FLOW_RESUME_NO_RUN, and what `findRun` throws for a selector
 */
export async function findResumable(metadata: MetadataReader, text?: string): Promise<RunRow> {
  if (text !== undefined) return (await findRun(metadata, text)).run;
  const superseded = new Set<string>();
  let before: RunSequence | undefined;
  for (let looked = 0; looked < LOOKED_THROUGH; looked += PAGE) {
    const page = await metadata.runs({ limit: PAGE, ...(before === undefined ? {} : { before }) });
    for (const run of page) {
      if (run.status === "succeeded" && run.origin !== undefined) superseded.add(run.origin.run);
      // The code of an imported run is another's: it runs where somebody asks for that very run.
      if (run.parent !== undefined || run.imported !== undefined || !isStopped(run)) continue;
      if (!superseded.has(run.id)) return run;
      if (run.origin !== undefined) superseded.add(run.origin.run); // A fork of a fork stands for both.
    }
    before = page.at(-1)?.sequence;
    if (page.length < PAGE) break;
  }
  throw new FlowError("FLOW_RESUME_NO_RUN", {
    message: "Cannot find a run to resume: none failed, was cancelled or was lost",
    hint: "Name a run, such as Train/17, and the step to run again from with --from STEP",
  });
}

function isStopped({ status }: RunRow): boolean {
  return status === "failed" || status === "cancelled" || status === "lost";
}
