import { FlowError } from "../errors/flow-error.ts";
import { bindFlow } from "./bind-flow.ts";
import { lazyFields } from "./bound-flow.ts";
import { tagsProblem } from "./define-upstreams.ts";
import type { FlowClass } from "./public-types.ts";

/**
 * Tags that a function decides, by name of the upstream: `upstream(Train, { tags: () => [`${this.channel}:v1`] })`. The
 * functions belong to the object that built them, so they are taken from the object that the values are bound to.
 *
 * @throws FlowError FLOW_DEFINITION_BAD_LATE_TAGS when a function throws or gives anything but a list of tags
 */
export function lateTagsOf(
  flowClass: FlowClass,
  fields: readonly { readonly name: string; readonly value: unknown }[],
): Readonly<Record<string, readonly string[]>> {
  const values = Object.fromEntries(fields.map((field) => [field.name, () => field.value]));
  const { facts } = bindFlow(flowClass, {
    values: lazyFields(values),
    inputs: lazyFields({}),
    onRead: () => {},
    signal: new AbortController().signal,
    merge: () => {},
  });
  const tags: [string, readonly string[]][] = [];
  for (const [name, fact] of facts) {
    if (fact.kind !== "upstream" || typeof fact.options.tags !== "function") continue;
    tags.push([name, checkedTags(flowClass.name, name, fact.options.tags as () => unknown)]);
  }
  return Object.fromEntries(tags);
}

function checkedTags(flow: string, name: string, read: () => unknown): readonly string[] {
  let tags: unknown;
  try {
    tags = read();
  } catch (cause) {
    throw badTags(flow, name, `the function threw: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  const problem = tagsProblem(tags);
  if (problem === undefined) return tags as readonly string[];
  throw badTags(flow, name, problem);
}

function badTags(flow: string, name: string, why: string, cause?: unknown): FlowError {
  return new FlowError("FLOW_DEFINITION_BAD_LATE_TAGS", {
    message: `Cannot tell the tags of upstream "${name}" of ${flow}: ${why}`,
    hint: "Let it return a list of tags, and read parameters and configs only",
    context: { flow, upstream: name },
    ...(cause === undefined ? {} : { cause }),
  });
}
