import { type FlowError, type Problem, problemsError } from "../errors/flow-error.ts";
import { tagProblem } from "../ids/names.ts";

/** Beginnings of tags that only Millrace itself gives to a run. */
export const SYSTEM_TAG_PREFIXES = ["user:", "host:", "millrace:", "project:", "runtime:"] as const;

/** What names a run by itself and can be no tag: `latest` is computed, numbers and versions count runs. */
const RESERVED = /^(?:latest|[vV]?\d+)$/;

/** Most tags that one run may hold. The same limit as Metaflow's, so that a page of runs stays small. */
export const MAX_TAGS = 50;

/** What is wrong with tags that a user wants to give, each with its own problem. */
export function tagProblems(tags: readonly string[]): readonly Problem[] {
  const problems: Problem[] = [];
  for (const tag of tags) {
    const why = tagProblem(tag) ?? reservedProblem(tag);
    if (why !== undefined) {
      problems.push({ code: "FLOW_LINEAGE_BAD_TAG", message: `${JSON.stringify(tag)} cannot be a tag: ${why}` });
    }
  }
  if (new Set(tags).size > MAX_TAGS) {
    problems.push({
      code: "FLOW_LINEAGE_BAD_TAG",
      message: `${new Set(tags).size} tags are too many for one run, the limit is ${MAX_TAGS}`,
    });
  }
  return problems;
}

/**
 * Tags ready to be stored: distinct, sorted, in normal form NFC (a terminal may give the same letter in two forms).
 *
 * @throws FlowError FLOW_LINEAGE_BAD_TAG, naming all that are wrong
 */
export function checkTags(tags: readonly string[]): readonly string[] {
  const normal = normalTags(tags);
  const problems = tagProblems(normal);
  if (problems.length > 0) throw tagsError(problems);
  return normal;
}

/** Tags as they are looked for: distinct, sorted, NFC; not checked, since a tag that cannot exist is simply not found. */
export function normalTags(tags: readonly string[]): readonly string[] {
  return [...new Set(tags.map((tag) => tag.normalize("NFC")))].sort();
}

function tagsError(problems: readonly Problem[]): FlowError {
  return problemsError("Cannot use these tags", problems);
}

function reservedProblem(tag: string): string | undefined {
  const prefix = SYSTEM_TAG_PREFIXES.find((candidate) => tag.startsWith(candidate));
  if (prefix !== undefined) return `"${prefix}" is a prefix that Millrace gives itself`;
  if (RESERVED.test(tag))
    return `"${tag}" would read like the newest run or the number of one: write what for, as in "prod:${tag}"`;
  return undefined;
}
