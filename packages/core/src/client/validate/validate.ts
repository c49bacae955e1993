/**
 * `flow validate`: whether what runs read is whole and is what was stored (integrity), and whether it is still what the
 * selectors mean (currency). The two are kept apart: a model that has moved on does not make an old prediction wrong.
 *
 * Each check is a function of its own in this folder and adds its findings to a sink; evidence is written in words and
 * names runs, artifacts and digests. Nothing is changed, each stored value is read and hashed once. Ids follow the list in
 * docs/guide/validate.md.
 */

import { type FlowError, isFlowError } from "../../errors/flow-error.ts";
import type { RunId } from "../../ids/run-id.ts";
import { parseSelector } from "../../ids/selector.ts";
import { normalTags } from "../../lineage/check-tags.ts";
import { runName } from "../../lineage/run-name.ts";
import type { MetadataReader, MetadataStore, RunRow, RunSequence } from "../../metadata/metadata-store.ts";
import type { PublicKey } from "../../metadata/signing-key.ts";
import { findRun } from "../find-run.ts";
import { BlobChecker, type CheckingStores } from "./blob-checker.ts";
import type { Required } from "./check-required.ts";
import { followTagLog, type TagLogVerdict } from "./check-tag-log.ts";
import type { ProjectView } from "./project-view.ts";
import {
  CHECKS,
  type CheckId,
  type CheckSink,
  type CheckStatus,
  type ValidatedRun,
  type ValidationCheck,
  type ValidationReport,
} from "./report.ts";
import { validateRun } from "./validate-run.ts";

const RUNS_AT_ONCE = 500;

export interface ValidateOptions {
  /** Which run: `Predict/3`, `Predict@prod:v1`, a run id. Default: the newest successful run of each flow that has upstreams. */
  readonly selector?: string;
  /** Whether a selector that leads elsewhere today is a failure; by default a warning. */
  readonly current?: boolean;
  /** Whether every warning is a failure: several runs on a tag, shared data from different runs, and what `current` says. */
  readonly strict?: boolean;
  /** Instead of a selector: these runs, such as the producers that a flow would read from. */
  readonly runs?: readonly RunRow[];
  /** Instead of a selector: every successful run. */
  readonly all?: boolean;
  /** Age at most of the run and of what it was made from, in milliseconds; what upstreams declare counts in any case. */
  readonly maxAgeMs?: number;
  /** Only what is a matter of time (V12, V21): no value is read. */
  readonly freshnessOnly?: boolean;
  /** Conditions on metrics (V13) and parameters (V14) of the run. */
  readonly required?: Required;
  /** The project that it is validated in: what is installed there. Without it V06 to V08 are not asked. */
  readonly project?: ProjectView;
  /** Keys of which one must have signed the run (V17). Default: what the policies of its tags ask for. */
  readonly publicKeys?: readonly PublicKey[];
  /** Only these checks; nothing is read for the others. Default: all. */
  readonly only?: readonly CheckId[];
  /** Tags that the run is to be given: what their policies ask for counts instead of what those of its own tags do. */
  readonly tags?: readonly string[];
  /** Whether the run may be older than the policies of `tags` allow. */
  readonly forceAge?: boolean;
  /** SHA-256 of what a deployment says that it runs. */
  readonly deployed?: string;
  /** Default: now. */
  readonly now?: Date;
  /** Preferred where the selector names a flow of several projects. */
  readonly ownProject?: string;
}

/** Stores to validate; packages are looked at when the store can give them. */
export interface ValidateStores extends CheckingStores {
  readonly metadata: MetadataReader & Partial<Pick<MetadataStore, "package">>;
  /** Whether what is read may be a copy on this machine of what the store has. Default: no. */
  readonly readsCopies?: boolean;
}

/**
 * Validates runs.
 *
 * @returns a report; damage is a finding in it, not an error
 * @throws FlowError FLOW_CLIENT_BAD_SELECTOR, FLOW_LINEAGE_NO_RUN when the selector names no run
 */
export async function validate(stores: ValidateStores, options: ValidateOptions = {}): Promise<ValidationReport> {
  const checks: ValidationCheck[] = [];
  const runs: ValidatedRun[] = [];
  const blobs = new BlobChecker(stores);
  let verdict: Promise<TagLogVerdict> | undefined;
  const tagLog = (): Promise<TagLogVerdict> => (verdict ??= followTagLog(stores.metadata));
  const foundBy = options.selector === undefined ? [] : normalTags(parseSelector(options.selector).tags ?? []);
  for (const selected of await selectRuns(stores.metadata, options)) {
    if (selected.kind === "unreadable") {
      const { run, checks: found } = unreadable(selected.error);
      checks.push(...found);
      runs.push(run);
      continue;
    }
    const { run, warnings } = selected;
    const name = runName(run);
    const first = checks.length;
    const sink: CheckSink = {
      add(id, status, evidence, about = {}) {
        if (options.only?.includes(id) === false) return; // What one look finds on its way to another check.
        checks.push({ id, ...CHECKS[id], status, evidence, subject: { run: name, ...about } });
      },
    };
    for (const warning of warnings) sink.add("V01", options.strict === true ? "fail" : "warn", warning);
    try {
      await validateRun(stores, { run, foundBy, blobs, tagLog, options }, sink);
    } catch (error) {
      // A row of it that cannot be read: what comes after is not judged, and the run is none to rely on.
      if (!isFlowError(error, "FLOW_METADATA_CORRUPT")) throw error;
      sink.add("V00", "fail", `${name} is not whole: ${error.message}`);
    }
    const ok = checks.slice(first).every((check) => check.status !== "fail");
    runs.push({ run: name, runId: run.id, flow: `${run.flow.project}/${run.flow.name}`, status: run.status, ok });
  }
  const totals: Record<CheckStatus, number> = { pass: 0, warn: 0, fail: 0 };
  for (const check of checks) totals[check.status] += 1;
  const readFrom = stores.readsCopies === true ? "copies" : "store";
  return { schema: 1, ok: totals.fail === 0, runs, checks, totals, hashed: blobs.hashed, readFrom };
}

/** A run that was chosen; or one that would have been, if its record could be read. */
type SelectedRun =
  | { readonly kind: "run"; readonly run: RunRow; readonly warnings: readonly string[] }
  | { readonly kind: "unreadable"; readonly error: FlowError };

/** A run that cannot be read is a finding like any other: it does not keep the others from being judged. */
function unreadable({ message, context }: FlowError): {
  readonly run: ValidatedRun;
  readonly checks: readonly ValidationCheck[];
} {
  const { run, runId, flow } = context as { readonly run: string; readonly runId: string; readonly flow: string };
  return {
    run: { run, runId: runId as RunId, flow, status: "succeeded", ok: false },
    checks: [{ id: "V00", ...CHECKS.V00, status: "fail", evidence: message, subject: { run } }],
  };
}

/** All successful runs, newest first. */
async function everyRun(metadata: MetadataReader): Promise<readonly SelectedRun[]> {
  const all: SelectedRun[] = [];
  for (let before: RunSequence | undefined; ; ) {
    const unread: { readonly error: FlowError; readonly sequence: RunSequence }[] = [];
    const page = await metadata.runs({
      status: "succeeded",
      limit: RUNS_AT_ONCE,
      ...(before === undefined ? {} : { before }),
      onUnreadable: (error, sequence) => void unread.push({ error, sequence }),
    });
    all.push(
      ...page.map((run) => plain(run)),
      ...unread.map(({ error }): SelectedRun => ({ kind: "unreadable", error })),
    );
    if (page.length + unread.length < RUNS_AT_ONCE) return all;
    before = Math.min(...[...page, ...unread].map(({ sequence }) => sequence)) as RunSequence;
  }
}

/** The newest successful run of each flow that reads from another; of every flow, where none does. */
async function newestRuns(metadata: MetadataReader): Promise<readonly SelectedRun[]> {
  const newest: RunRow[] = [];
  const unread: SelectedRun[] = [];
  for (const { flow } of await metadata.flows()) {
    const [run] = await metadata.runs({
      flow,
      status: "succeeded",
      limit: 1,
      onUnreadable: (error) => void unread.push({ kind: "unreadable", error }),
    });
    if (run !== undefined) newest.push(run);
  }
  const consumers: RunRow[] = [];
  for (const run of newest) if (await hasUpstreams(metadata, run)) consumers.push(run);
  // A store where no flow reads from another has results all the same, and a check of nothing would look like a good one.
  return [...(consumers.length > 0 ? consumers : newest).map(plain), ...unread];
}

async function hasUpstreams(metadata: MetadataReader, run: RunRow): Promise<boolean> {
  try {
    return (await metadata.upstreams(run.sequence)).length > 0;
  } catch (error) {
    if (!isFlowError(error, "FLOW_METADATA_CORRUPT")) throw error;
    return true; // Some that cannot be read, which is told when the run is looked at.
  }
}

function plain(run: RunRow): SelectedRun {
  return { kind: "run", run, warnings: [] };
}

/** The runs to look at, with what is to be said about how they were found. */
async function selectRuns(metadata: MetadataReader, options: ValidateOptions): Promise<readonly SelectedRun[]> {
  if (options.selector !== undefined) {
    const found = await findRun(metadata, options.selector, {
      successfulOnly: true,
      ...(options.ownProject === undefined ? {} : { ownProject: options.ownProject }),
    });
    return [{ kind: "run", run: found.run, warnings: found.warnings.map((warning) => warning.message) }];
  }
  if (options.runs !== undefined) return options.runs.map(plain);
  return options.all === true ? everyRun(metadata) : newestRuns(metadata);
}
