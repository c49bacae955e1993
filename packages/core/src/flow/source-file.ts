import { FlowError } from "../errors/flow-error.ts";
import { locate } from "../util/call-site.ts";
import { stepFactsOf } from "./step-facts.ts";

/**
 * The file that a flow class was loaded from, as its decorators saw it.
 *
 * @throws FlowError FLOW_FLOW_NO_SOURCE when the stack of its decorators names no file, as after bundling into a text
 */
export function sourceFileOf(flowClass: { readonly name: string }): string {
  const { steps } = stepFactsOf(flowClass);
  for (const step of [...steps].reverse()) {
    const file = locate(step.site)?.file;
    if (file !== undefined) return file;
  }
  throw new FlowError("FLOW_FLOW_NO_SOURCE", {
    message: `Cannot tell which file "${flowClass.name}" comes from`,
    hint: 'Give the file instead of the class: run("./train.ts")',
    context: { flow: flowClass.name },
  });
}
