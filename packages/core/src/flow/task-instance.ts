/**
 * Flow objects for tasks. A flow is built anew for each task, so that nothing one task leaves on it reaches another; but
 * its constructor mostly makes schemas and definitions, which are the same each time and cost more than a short step.
 * Where that can be told, the object is therefore made from what the first construction in this thread showed: the same
 * own fields, on the same prototype.
 *
 * It is done only when every own field is string-named and plain data, none holds a function (it may have kept `this`),
 * and no class level has private members (they live outside of the object's fields) or constructor statements of its
 * own. Values of fields do not matter: definitions are replaced by accessors, and constants are those kept with the run.
 * What is given up: the expression of a field initialiser is evaluated once a thread, not once a task.
 */
import { construct } from "./bind-flow.ts";
import { isFlowClass } from "./flow.ts";
import { hasPlainConstructor } from "./plain-constructor.ts";
import type { ProbedField, ProbedFlow } from "./probe-flow.ts";
import type { FlowClass } from "./public-types.ts";

const EMPTY = { value: undefined, writable: true, enumerable: true, configurable: true };

type Fields = ReadonlyMap<string, ProbedField>;

const templates = new WeakMap<FlowClass, Fields | "none">();

/** An object of a flow class for one task, with the fields that its constructor makes. */
export function taskInstance(flowClass: FlowClass): ProbedFlow {
  const template = templates.get(flowClass);
  if (template === undefined || template === "none") {
    const built = construct(flowClass);
    if (template === undefined) templates.set(flowClass, canBeCopied(flowClass, built) ? built.fields : "none");
    return built;
  }
  const flow = Object.create(flowClass.prototype as object) as object;
  // Defined, not assigned: a setter of the prototype must not run.
  for (const name of template.keys()) Object.defineProperty(flow, name, EMPTY);
  return { flow, fields: template };
}

function canBeCopied(flowClass: FlowClass, { flow, fields }: ProbedFlow): boolean {
  for (const field of fields.values()) if (field.kind === "function") return false;
  for (const key of Reflect.ownKeys(flow)) if (typeof key !== "string" || !isPlainField(flow, key)) return false;
  for (let level: unknown = flowClass; isFlowClass(level); level = Object.getPrototypeOf(level)) {
    // Compilers write private members as they are or as weak maps with helpers of this name.
    if (/#[\p{ID_Start}$_]|__private|WeakMap|WeakSet/u.test(Function.prototype.toString.call(level))) return false;
    if (!hasPlainConstructor(level)) return false;
  }
  return true;
}

function isPlainField(flow: object, key: string): boolean {
  const field = Object.getOwnPropertyDescriptor(flow, key);
  return field?.writable === true && field.enumerable === true && field.configurable === true;
}
