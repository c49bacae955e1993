import { findRun } from "../../client/find-run.ts";
import { FlowError } from "../../errors/flow-error.ts";
import type { Selector } from "../../ids/selector.ts";
import { runName } from "../../lineage/run-name.ts";
import type { MetadataReader, RunRow, RunSequence } from "../../metadata/metadata-store.ts";

/** Runs that are looked through for one to resume: past these, nobody waits for it any more. */
const LOOKED_THROUGH = 1_000;
const PAGE = 100;

/**
 * The run that is to be resumed: the one that is named, or the newest that failed, was cancelled or was lost. Of those that
 * nobody named, one that was resumed with success by a fork is over, a run that was started inside a step is its
 * parent's, and an imported one is left alone. While a fork of it runs, nobody can mean it without its name.
 *
 * @throws FlowError FLOW_RESUME_NO_RUN, FLOW_RESUME_NOT_A_RUN, FLOW_RESUME_RUNNING, and what `findRun` throws for a selector
 */
export async function findResumable(metadata: MetadataReader, text?: string): Promise<RunRow> {
  if (text !== undefined) {
    const { run, selector } = await findRun(metadata, text);
    if (selector.step === undefined && selector.artifact === undefined) return run;
    throw notARun(run, text, selector);
  }
  const superseded = new Set<string>();
  const runningForks = new Map<string, RunRow>();
  let before: RunSequence | undefined;
  for (let looked = 0; looked < LOOKED_THROUGH; looked += PAGE) {
    const page = await metadata.runs({ limit: PAGE, ...(before === undefined ? {} : { before }) });
    for (const run of page) {
      if (run.status === "succeeded" && run.origin !== undefined) superseded.add(run.origin.run);
      if (run.status === "running" && run.origin !== undefined) runningForks.set(run.origin.run, run);
      // The code of an imported run is another's: it runs where somebody asks for that very run.
      if (run.parent !== undefined || run.imported !== undefined || !isStopped(run)) continue;
      const fork = runningForks.get(run.id);
      if (fork !== undefined && !superseded.has(run.id)) throw forkRuns(run, fork);
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

function notARun(run: RunRow, text: string, { step, artifact }: Selector): FlowError {
  const name = runName(run);
  const what = artifact !== undefined ? "an artifact" : "a step or a task";
  return new FlowError("FLOW_RESUME_NOT_A_RUN", {
    message: `Cannot resume "${text}": it names ${what} of ${name}, and whole runs are resumed`,
    hint: `Go on with flow resume ${name}${step === undefined ? "" : `, or run the step and all after it again with flow resume ${name} --from ${step}`}`,
    context: { run: name, ...(step === undefined ? {} : { step }) },
  });
}

function forkRuns(run: RunRow, fork: RunRow): FlowError {
  const [name, running] = [runName(run), runName(fork)];
  const { host, pid } = fork.execution.runner;
  return new FlowError("FLOW_RESUME_RUNNING", {
    message: `Cannot resume ${name}: ${running} goes on from it, and is running in process ${pid} on "${host}"`,
    hint: `Follow it with flow logs ${running} --follow; for another fork, name the run: flow resume ${name}`,
    context: { run: name, fork: running, host, pid },
  });
}

function isStopped({ status }: RunRow): boolean {
  return status === "failed" || status === "cancelled" || status === "lost";
}
