/**
 * Flow objects for tasks. A flow is built anew for each task, so that nothing one task leaves on it reaches another; but
 * its constructor mostly makes schemas and definitions, which are the same each time and cost more than a short step.
 * Where nobody can tell the difference, the object is therefore made from what the first construction in this thread
 * showed: the same own fields, on the same prototype.
 *
 * Nobody can tell when the class and its bases have no private members (they live outside of the object's fields) and
 * no field holds a function (it may have kept `this`). Values of fields do not matter: definitions are replaced by
 * accessors, and constants are those kept with the run.
 */
import { construct } from "./bind-flow.ts";
import { isFlowClass } from "./flow.ts";
import type { ProbedField, ProbedFlow } from "./probe-flow.ts";
import type { FlowClass } from "./public-types.ts";

type Fields = ReadonlyMap<string, ProbedField>;

const templates = new WeakMap<FlowClass, Fields | "none">();

/** An object of a flow class for one task, with the fields that its constructor makes. */
export function taskInstance(flowClass: FlowClass): ProbedFlow {
  const template = templates.get(flowClass);
  if (template === undefined || template === "none") {
    const built = construct(flowClass);
    if (template === undefined) templates.set(flowClass, canBeCopied(flowClass, built.fields) ? built.fields : "none");
    return built;
  }
  const flow = Object.create(flowClass.prototype as object) as Record<string, unknown>;
  for (const name of template.keys()) flow[name] = undefined;
  return { flow, fields: template };
}

function canBeCopied(flowClass: FlowClass, fields: Fields): boolean {
  for (const field of fields.values()) if (field.kind === "function") return false;
  for (let level: unknown = flowClass; isFlowClass(level); level = Object.getPrototypeOf(level)) {
    // Compilers write private members as they are or as weak maps with helpers of this name.
    if (/#[\p{ID_Start}$_]|__private|WeakMap|WeakSet/u.test(Function.prototype.toString.call(level))) return false;
  }
  return true;
}
