import { bindFlow } from "./bind-flow.ts";
import { factOf } from "./field-facts.ts";
import { probeFlow } from "./probe-flow.ts";
import type { FlowClass } from "./public-types.ts";
import { FlowError } from "../errors/flow-error.ts";
import type { Flow } from "./flow.ts";

/**
 * Tags that a function decides, by name of the upstream: `upstream(Train, { tags: () => [`${this.channel}:v1`] })`. The
 * functions were made by the constructor of an instance, so they are taken from the instance that the values are bound to.
 *
 * @throws FlowError FLOW_DEFINITION_BAD_LATE_TAGS when a function throws or gives anything but an array of strings
 */
export function lateTagsOf(flowClass: FlowClass<Flow>, fields: readonly { readonly name: string; readonly value: unknown }[]): Readonly<Record<string, readonly string[]>> {
  const values = Object.fromEntries(fields.map((field) => [field.name, () => field.value]));
  const tagFunctions = new Map<string, () => unknown>();
  // Binding replaces definitions by accessors, so a class that keeps the functions is built first and bound afterwards.
  class Probe extends (flowClass as new () => object) {
    constructor() {
      super();
      for (const name of Object.getOwnPropertyNames(this)) {
        const fact = factOf(Object.getOwnPropertyDescriptor(this, name)?.value);
        if (fact?.kind === "upstream" && typeof fact.options.tags === "function") tagFunctions.set(name, fact.options.tags as () => unknown);
      }
    }
  }
  if (![...probeFlow(flowClass).fields.values()].some((field) => field.kind === "definition" && field.fact.kind === "upstream" && typeof field.fact.options.tags === "function")) return {};
  bindFlow(Probe as unknown as FlowClass<Flow>, { values, inputs: {}, onRead: () => {}, signal: new AbortController().signal, merge: () => {} });
  return Object.fromEntries([...tagFunctions].map(([name, read]) => [name, checkedTags(flowClass.name, name, read)]));
}

function checkedTags(flow: string, name: string, read: () => unknown): readonly string[] {
  let tags: unknown;
  try {
    tags = read();
  } catch (cause) {
    throw badTags(flow, name, `the function threw: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  if (Array.isArray(tags) && tags.every((tag) => typeof tag === "string")) return tags;
  throw badTags(flow, name, "the function gave something else than an array of strings");
}

function badTags(flow: string, name: string, why: string, cause?: unknown): FlowError {
  return new FlowError("FLOW_DEFINITION_BAD_LATE_TAGS", {
    message: `Cannot tell the tags of upstream "${name}" of ${flow}: ${why}`,
    hint: "Let it return an array of tags and read parameters and configs only",
    context: { flow, upstream: name },
    ...(cause === undefined ? {} : { cause }),
  });
}
