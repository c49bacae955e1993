/**
 * `@step`, `@join` and `@choose`: they write down what was asked for, and nothing else. Everything is checked when the
 * flow is loaded (`define-flow.ts`, `graph/check-graph.ts`), so that all problems are shown together.
 */
import { FlowError } from "../errors/flow-error.ts";
import { type CallSite, captureCallSite, locate } from "../util/call-site.ts";
import type { StepKind } from "./definition.ts";
import type { Flow } from "./flow.ts";
import type {
  Behaviour,
  CasesOf,
  IterableField,
  JoinDecorator,
  StepDecorator,
  Target,
  UnionField,
} from "./public-types.ts";
import { recordStep } from "./step-facts.ts";

/**
 * Makes a method a step of the flow.
 *
 * @param o.next the step or steps that follow; several run in parallel and must be joined. Left out: the last step
 * @param o.foreach the field with the items: the next step runs once for each of them and receives the item and its index
 * @param o.maxParallel how many tasks of this step may run at once; a whole number from 1
 * @param o.shared fields whose arrays its tasks read in one memory instead of copies of their own
 * @example
 * ```ts
 * @step({ next: "evaluate", foreach: "contenders" })
 * start() { this.contenders = ["a", "b"]; }
 * ```
 */
export function step<T extends Flow, const F extends IterableField<T> = never, const N extends Target<T, F> = never>(
  o?: { readonly foreach?: F; readonly next?: N | readonly N[] } & Behaviour<NoInfer<T>>,
): StepDecorator<T> {
  return recorder("step", o, captureCallSite(step)) as StepDecorator<T>;
}

/**
 * Makes a method a step that waits for several steps, or for all items of a foreach, and receives their artifacts.
 *
 * Nothing is inherited: assign what you want to keep, or call `this.mergeArtifacts(inputs)`.
 *
 * @param o as for `@step`; a join may fan out again with `foreach`
 * @example
 * ```ts
 * @join({ next: "end" })
 * pickBest(inputs: Inputs<Train>) { this.best = Math.max(...inputs.map((input) => input.score)); }
 * ```
 */
export function join<T extends Flow, const F extends IterableField<T> = never, const N extends Target<T, F> = never>(
  o?: { readonly foreach?: F; readonly next?: N | readonly N[] } & Behaviour<NoInfer<T>>,
): JoinDecorator<T> {
  return recorder("join", o, captureCallSite(join)) as JoinDecorator<T>;
}

/**
 * Makes a method a step that decides where the flow goes: by the value of a field that it leaves behind.
 *
 * @param o.on the field to look at; its type must be a union of literals
 * @param o.next for each value the step that follows
 * @param o.join whether the step is a join as well and receives `inputs`; default false
 * @example
 * ```ts
 * @choose({ on: "verdict", next: { good: "publish", bad: "end" } })
 * judge() { this.verdict = this.score > 0.9 ? "good" : "bad"; }
 * ```
 */
export function choose<T extends Flow, const S extends UnionField<T>>(
  o: { readonly on: S; readonly next: CasesOf<T, S>; readonly join?: boolean } & Behaviour<NoInfer<T>>,
): StepDecorator<T> {
  return recorder("choose", o, captureCallSite(choose)) as StepDecorator<T>;
}

function recorder(kind: StepKind, options: object | undefined, site: CallSite) {
  return (_value: unknown, context: unknown): void => {
    if (!isDecoratorContext(context)) throw legacyError(kind, site);
    const misuse = misuseOf(context);
    recordStep(context.metadata, {
      name: String(context.name),
      kind,
      options: (options ?? {}) as Readonly<Record<string, unknown>>,
      site,
      ...(misuse === undefined ? {} : { misuse }),
    });
  };
}

type Context = Pick<ClassMethodDecoratorContext, "name" | "static" | "private" | "metadata"> & {
  readonly kind: string;
};

/** Legacy decorators get (prototype, key, descriptor); standard ones a context object with `kind` and `metadata`. */
function isDecoratorContext(context: unknown): context is Context {
  return (
    typeof context === "object" &&
    context !== null &&
    "kind" in context &&
    "metadata" in context &&
    Object(context.metadata) === context.metadata
  );
}

function misuseOf(context: Context): string | undefined {
  if (context.kind !== "method") return `it is a ${context.kind}`;
  if (context.static) return "it is static";
  if (context.private) return "it is private";
  if (typeof context.name === "symbol") return "its name is a symbol";
  return undefined;
}

function legacyError(kind: StepKind, site: CallSite): FlowError {
  const location = locate(site);
  const where = location === undefined ? "this file" : `"${location.file}"`;
  const message = `Cannot use @${kind} in ${where}: it was compiled with legacy decorators`;
  const hint = 'Remove "experimentalDecorators" from the nearest tsconfig.json, or set it to false';
  return new FlowError("FLOW_DEFINITION_LEGACY_DECORATORS", {
    message,
    hint,
    context: location === undefined ? {} : { location },
    problems: location === undefined ? [] : [{ code: "FLOW_DEFINITION_LEGACY_DECORATORS", message, hint, location }],
  });
}
