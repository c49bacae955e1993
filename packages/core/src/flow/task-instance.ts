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
import { type FieldWatch, watchFields } from "./field-watch.ts";
import { FLOW_MARK, isFlowClass, SHOWN_AS, type ShownAs } from "./flow.ts";
import { hasPlainConstructor } from "./plain-constructor.ts";
import type { ProbedField, ProbedFlow } from "./probe-flow.ts";
import type { FlowClass } from "./public-types.ts";

type Fields = ReadonlyMap<string, ProbedField>;

const templates = new WeakMap<FlowClass, Fields | "none">();

/**
 * An object of a flow class for one task, with the fields that its constructor makes.
 *
 * @param watch is told what the step looks at
 */
export function taskInstance(flowClass: FlowClass, watch?: FieldWatch): ProbedFlow {
  let template = templates.get(flowClass);
  if (template === undefined) {
    const built = construct(flowClass);
    template = canBeCopied(flowClass, built) ? built.fields : "none";
    templates.set(flowClass, template);
    if (watch === undefined) return built;
  }
  if (template === "none") return watch === undefined ? construct(flowClass) : constructWatched(flowClass, watch);
  const flow = Object.create(flowClass.prototype as object) as object;
  return { flow, fields: template, isBare: true, ...(watch === undefined ? {} : { shown: watchFields(flow, watch) }) };
}

const holder = globalThis as { [SHOWN_AS]?: ShownAs };

/** Builds a flow whose own constructors have the watched object as `this`, so that their private members lie on it. */
function constructWatched(flowClass: FlowClass, watch: FieldWatch): ProbedFlow {
  let made: { readonly flow: object; readonly shown: object } | undefined;
  holder[SHOWN_AS] = (flow, built) => {
    if (built !== flowClass) return flow; // A flow that a constructor builds beside this one.
    delete holder[SHOWN_AS];
    made = { flow, shown: watchFields(flow, watch) };
    return made.shown;
  };
  try {
    const { fields, flow } = construct(flowClass);
    if (made !== undefined) return { ...made, fields };
    watch.unknownRead("its fields: its class extends Flow of another version of @millrace/core");
    return { flow, fields };
  } finally {
    delete holder[SHOWN_AS];
  }
}

function canBeCopied(flowClass: FlowClass, { flow, fields }: ProbedFlow): boolean {
  for (const field of fields.values()) if (field.kind === "function") return false;
  for (const key of Reflect.ownKeys(flow)) if (typeof key !== "string" || !isPlainField(flow, key)) return false;
  for (let level: unknown = flowClass; isFlowClass(level); level = Object.getPrototypeOf(level)) {
    if (Object.hasOwn(level, FLOW_MARK)) break; // `Flow` itself, whose constructor is ours.
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
