/** What policies ask `flow validate` before a tag moves. */
import type { ArtifactStore } from "../artifact/artifact-store.ts";
import { FlowError, isFlowError, problemsError } from "../errors/flow-error.ts";
import { runName } from "../lineage/run-name.ts";
import type { MetadataReader, RunRow } from "../metadata/metadata-store.ts";
import { policyFor, SIGNATURE_CHECK, type TagCheck } from "../metadata/tag-policy.ts";
import type { ProjectView } from "./validate/project-view.ts";
import { CHECKS, type CheckId, type ValidationCheck } from "./validate/report.ts";

/** Evidence that is kept with a move; `flow validate` says all of it. */
const MAX_EVIDENCE = 500;

/** Records, and values that can be read in pieces to be checked. */
export interface ValidatingStores {
  readonly metadata: MetadataReader;
  readonly artifacts: Partial<Pick<ArtifactStore, "examine" | "pieces">>;
  /** What is installed here; without it V06 to V08 have nothing to go by. */
  readonly projectView?: () => Promise<ProjectView>;
}

/** The checks that `flow validate` has. */
function knownChecks(): readonly string[] {
  return Object.keys(CHECKS).sort();
}

/** Checks of what somebody says on the command line, or of the store as a whole: a policy has nothing for them to go by. */
const ASKED: readonly string[] = ["V13", "V14", "V19", "V20"];

/** The checks that a policy may ask for. */
export function policyChecks(): readonly string[] {
  return knownChecks().filter((id) => !ASKED.includes(id));
}

/** The checks that the policies of some tags ask for, by tag that asks for any. */
export async function checksAskedBy(
  metadata: MetadataReader,
  tags: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const policies = await metadata.tagPolicies();
  const asked = tags.map((tag) => [tag, policyFor(policies, tag)?.requireChecks ?? []] as const);
  return new Map(asked.filter(([, ids]) => ids.length > 0));
}

/**
 * Validates a run and says what came of some checks. One that had nothing to look at is "none": a run that reads from no
 * other has nothing to be compared.
 *
 * @param ids which checks; "all" for every one. No other one is made
 * @param to the tags that it is to be given: their policies say by which keys it must be signed and how old it may be;
 *   `forceAge`: it may be of any age; `at`: now
 */
export async function checkRun(
  { metadata, artifacts, projectView }: ValidatingStores,
  run: RunRow,
  ids: readonly string[] | "all",
  to: { readonly tags: readonly string[]; readonly forceAge?: boolean; readonly at: Date },
): Promise<readonly TagCheck[]> {
  const { examine } = artifacts;
  if (examine === undefined) {
    throw new FlowError("FLOW_INTERNAL", {
      message: "A run is to be checked without a store that can read its values",
    });
  }
  const stores = { metadata, artifacts: artifacts as Pick<ArtifactStore, "examine" | "pieces"> };
  const { validate } = await import("./validate/validate.ts"); // Most moves need none of it.
  const only = ids === "all" ? {} : { only: ids as readonly CheckId[] };
  const { at: now, ...asked } = to;
  const project = projectView === undefined ? {} : { project: await projectView() };
  const { checks } = await validate(stores, { selector: run.id, now, ...asked, ...only, ...project });
  return (ids === "all" ? knownChecks() : ids).map((id) => summary(id as CheckId, checks));
}

function summary(id: CheckId, checks: readonly ValidationCheck[]): TagCheck {
  const own = checks.filter((check) => check.id === id);
  const worst = own.find(({ status }) => status === "fail") ?? own.find(({ status }) => status === "warn") ?? own[0];
  if (worst === undefined) return { id, status: "none" };
  if (id === SIGNATURE_CHECK && worst.status !== "fail") return signedBy(worst.status, own);
  if (worst.status === "pass") return { id, status: "pass" };
  return { id, status: worst.status, evidence: worst.evidence.slice(0, MAX_EVIDENCE) };
}

/** By which keys a run is signed is kept with the move, and compared with what the policy asks for when the tag moves. */
function signedBy(status: "pass" | "warn", checks: readonly ValidationCheck[]): TagCheck {
  // Of the run itself, and not of those that it read from; names that a signer gave himself come behind the key.
  const own = checks.filter(({ status: of, subject }) => of === "pass" && subject.upstream === undefined);
  const keys = new Set(own.flatMap(({ evidence }) => /\b[0-9a-f]{64}\b/.exec(evidence)?.[0] ?? []));
  return { id: SIGNATURE_CHECK, status, evidence: `signed by ${[...keys].join(", ")}` };
}

/** @throws FlowError FLOW_TAG_CHECK_FAILED with every check that failed */
export function refuseFailed(run: RunRow, checks: readonly TagCheck[]): void {
  const failed = checks.filter(({ status }) => status === "fail");
  if (failed.length === 0) return;
  throw problemsError(
    `Cannot promote ${runName(run)}`,
    failed.map(({ id, evidence }) => ({
      code: "FLOW_TAG_CHECK_FAILED",
      message: `check ${id} fails${evidence === undefined ? "" : `: ${evidence}`}`,
      hint:
        id === SIGNATURE_CHECK
          ? `Sign it with flow sign ${runName(run)} --key FILE; flow signatures ${runName(run)} shows what it has`
          : `Look at it with flow validate ${runName(run)}`,
    })),
  );
}

/**
 * Makes the checks that tags ask for which a run is to take when it succeeds, on the run as it will be then.
 *
 * @returns what was found, by tag; a run that cannot be checked has failed all of them, and still succeeds
 */
export async function checkRequestedTags(
  stores: ValidatingStores,
  run: RunRow,
): Promise<Readonly<Record<string, readonly TagCheck[]>>> {
  const { metadata } = stores;
  const waiting = (await metadata.tagRequests(run.sequence)).filter(({ status }) => status === "waiting");
  if (waiting.length === 0) return {};
  const asked = await checksAskedBy(
    metadata,
    waiting.map(({ tag }) => tag),
  );
  const ids = [...new Set([...asked.values()].flat())];
  if (ids.length === 0) return {};
  const found = await checkRun({ ...stores, metadata: showing(metadata, run) }, run, ids, {
    tags: [...asked.keys()],
    at: run.finishedAt ?? new Date(),
  }).catch((error: unknown) => {
    const evidence = `the run could not be checked: ${isFlowError(error) || error instanceof Error ? error.message : String(error)}`;
    return ids.map((id): TagCheck => ({ id, status: "fail", evidence: evidence.slice(0, MAX_EVIDENCE) }));
  });
  return Object.fromEntries([...asked].map(([tag, own]) => [tag, found.filter(({ id }) => own.includes(id))] as const));
}

/** Records that show a run as it is given, and all else as it is. */
function showing(metadata: MetadataReader, run: RunRow): MetadataReader {
  return new Proxy(metadata, {
    get(target, name) {
      if (name === "runById") return async (id: string) => (id === run.id ? run : target.runById(id as RunRow["id"]));
      if (name === "run") return async (at: RunRow["sequence"]) => (at === run.sequence ? run : target.run(at));
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
