import { FlowError } from "../errors/flow-error.ts";
import { isName } from "../ids/names.ts";
import type { FlowName } from "../lineage/identify-flow.ts";
import { showOption } from "../util/show-option.ts";

export type { FlowName };

/**
 * The flow that a class or text means: `Train`, `"Train"`, `"shop/Train"`, `"@acme/shop/Train"`. A class does not know
 * its project, so it means the flow of that name in the own project, else in the only project that has one.
 */
export function flowNameOf(flow: string | { readonly name: string; readonly flowName?: unknown }): FlowName {
  if (typeof flow !== "string" && (typeof flow?.name !== "string" || flow.name === ""))
    throw new FlowError("FLOW_CLIENT_BAD_SELECTOR", {
      message: `Cannot look for runs: ${typeof flow === "function" ? "a class without a name" : showOption(flow)} is no flow`,
      hint: "Give the class of a flow, or its name",
    });
  if (typeof flow !== "string") return { name: typeof flow.flowName === "string" ? flow.flowName : flow.name };
  const slash = flow.lastIndexOf("/");
  const name = flow.slice(slash + 1);
  if (!isName(name)) {
    throw new FlowError("FLOW_CLIENT_BAD_SELECTOR", {
      message: `Cannot look for runs of "${flow}": "${name}" cannot be the name of a flow`,
      hint: "Write Flow or project/Flow",
    });
  }
  return slash < 0 ? { name } : { project: flow.slice(0, slash), name };
}
