import type { FlowIdentity } from "../flow/definition.ts";
import type { MetadataReader } from "../metadata/metadata-store.ts";
import { nearestName } from "../util/nearest-name.ts";
import { fullRunName, runName } from "./run-name.ts";

/** How many runs a hint names of each kind: enough to recognise the mistake, few enough to read. */
const MAX_NAMED = 3;
/** How many tags are held against one that nobody carries: comparing more would take longer than the search itself. */
const MAX_LOOKED_AT = 50;
const SAME_BEGINNING = 2;

/**
 * What almost fitted when no successful run of a flow holds the tags: sentences for a hint, the likeliest first.
 *
 * @param flow  the flow that was looked at; only a name when the store has no run of it
 */
export async function describeNearMisses(
  metadata: MetadataReader,
  flow: FlowIdentity | { readonly name: string },
  tags: readonly string[],
): Promise<readonly string[]> {
  const misses: string[] = [];
  const flows = await metadata.flows();
  const isKnown = flows.some(
    (entry) => entry.flow.name === flow.name && (!("project" in flow) || entry.flow.project === flow.project),
  );

  if (isKnown) {
    const unsuccessful = await metadata.runs({ flow, tags, limit: MAX_NAMED });
    for (const run of unsuccessful)
      misses.push(`${runName(run)} ${tags.length === 0 ? "is there" : "carries it"} but ${describeStatus(run.status)}`);
    misses.push(...(await lookAlikes(metadata, flow, tags)));
    if (tags.length > 1 && unsuccessful.length === 0) misses.push(...(await partialMatches(metadata, flow, tags)));
  }
  for (const entry of flows) {
    const other = entry.flow;
    if (other.name !== flow.name || !("project" in flow) || other.project === flow.project) continue;
    const [run] = await metadata.runs({ flow: other, tags, status: "succeeded", limit: 1 });
    if (run !== undefined) misses.push(`${fullRunName(run)} fits, but is of project "${other.project}"`);
  }
  if (!isKnown && misses.length === 0) {
    const near = nearestName(flow.name, new Set(flows.map((entry) => entry.flow.name)));
    misses.push(
      `this store has no run of ${flow.name}${near === undefined || near === flow.name ? "" : `, but of ${near}`}`,
    );
  }
  return misses;
}

/** Tags of the same flow that look like one that nobody carries. */
async function lookAlikes(
  metadata: MetadataReader,
  flow: FlowIdentity | { readonly name: string },
  tags: readonly string[],
): Promise<readonly string[]> {
  if (tags.length === 0) return [];
  const found: string[] = [];
  for (const tag of tags) {
    const [same] = await metadata.tagNames({ flow, from: tag, limit: 1 });
    if (same === tag) continue;
    const names = new Set(await tagsNear(metadata, flow, tag));
    const near = nearestName(tag, names);
    if (near === undefined) continue;
    const [holder] = await metadata.runs({ flow, tags: [near], limit: 1 });
    found.push(`did you mean "${near}"${holder === undefined ? "" : ` (${runName(holder)})`}?`);
  }
  return found;
}

/** The first tags of a flow; where there are more than are looked at, also those that begin as the tag does. */
async function tagsNear(
  metadata: MetadataReader,
  flow: FlowIdentity | { readonly name: string },
  tag: string,
): Promise<readonly string[]> {
  const first = await metadata.tagNames({ flow, limit: MAX_LOOKED_AT });
  if (tag <= (first.at(-1) ?? "")) return first;
  return [...first, ...(await metadata.tagNames({ flow, from: tag.slice(0, SAME_BEGINNING), limit: MAX_LOOKED_AT }))];
}

/** Successful runs that hold some of several tags, and what they lack. */
async function partialMatches(
  metadata: MetadataReader,
  flow: FlowIdentity | { readonly name: string },
  tags: readonly string[],
): Promise<readonly string[]> {
  const found = new Map<string, string>();
  for (const tag of tags) {
    const [run] = await metadata.runs({ flow, tags: [tag], status: "succeeded", limit: 1 });
    if (run === undefined || found.has(runName(run))) continue;
    const held = tags.filter((each) => run.tags.includes(each) || run.systemTags.includes(each));
    const lacking = tags.filter((each) => !held.includes(each));
    found.set(runName(run), `${runName(run)} carries ${quoteAll(held)} but not ${quoteAll(lacking)}`);
  }
  return [...found.values()].slice(0, MAX_NAMED);
}

/** A state of a run as part of a sentence: "failed", "is running". */
export function describeStatus(status: string): string {
  if (status === "running" || status === "queued" || status === "lost") return `is ${status}`;
  return status === "cancelled" ? "was cancelled" : status;
}

/** Texts in quotes: `"a", "b"`. */
export function quoteAll(texts: readonly string[]): string {
  return texts.map((text) => `"${text}"`).join(", ");
}
