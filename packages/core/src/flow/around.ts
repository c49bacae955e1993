import { FlowError } from "../errors/flow-error.ts";
import { skipCurrent } from "./current.ts";
import type { Flow } from "./flow.ts";
import type { StepDecorator } from "./public-types.ts";

/** A step that is about to run, as a decorator made by `around` sees it. */
export interface StepCall<T extends Flow> {
  /** The flow object of the task: what is set on it is kept as artifacts. */
  readonly flow: T;
  readonly step: string;
  /** What the step receives: an item and its index, the inputs of a join, or nothing. */
  readonly arguments: readonly unknown[];
  /** Records the task as skipped instead of succeeded. What is set on the flow is kept, and the next steps run. */
  skip(reason?: string): void;
}

/**
 * Makes a decorator that runs around a step: before it, after it, instead of it.
 *
 * The outermost decorator runs first. One that does not call `proceed` replaces the step; one that calls `task.skip()`
 * records it as skipped. A failure of the step comes out of `proceed` and can be caught. Retry, timeout and catch of the
 * step are around all decorators.
 *
 * @param run is called for each attempt of a task; `proceed` runs the step (once) and whatever decorators are inside
 * @example
 * ```ts
 * const timed = around(async (task, proceed) => {
 *   const begin = performance.now();
 *   await proceed();
 *   console.log(`${task.step} took ${performance.now() - begin} ms`);
 * });
 * class Report extends Flow {
 *   @timed
 *   @step()
 *   start() {}
 * }
 * ```
 * @see `@user_step_decorator` of Metaflow, whose yield is `proceed`
 */
export function around<T extends Flow>(
  run: (task: StepCall<T>, proceed: () => Promise<void>) => unknown,
): StepDecorator<T> {
  type Method = (this: T, ...parameters: unknown[]) => unknown;
  const decorate = (method: Method, context: ClassMethodDecoratorContext): Method => {
    const step = String(context.name);
    const wrapped = async function (this: T, ...parameters: unknown[]): Promise<void> {
      let isCalled = false;
      const proceed = async (): Promise<void> => {
        if (isCalled) throw calledTwice(step);
        isCalled = true;
        await method.apply(this, parameters);
      };
      await run({ flow: this, step, arguments: parameters, skip: skipCurrent }, proceed);
    };
    // The number of parameters says whether a step takes an item, and the name is what a stack shows.
    Object.defineProperty(wrapped, "length", { value: method.length });
    Object.defineProperty(wrapped, "name", { value: method.name });
    return wrapped;
  };
  return decorate as unknown as StepDecorator<T>;
}

function calledTwice(step: string): FlowError {
  return new FlowError("FLOW_FLOW_PROCEED_TWICE", {
    message: `Cannot run "${step}" again: a decorator called proceed() twice`,
    hint: "Call it once; to try a failed step again, give the step a retry",
    context: { step },
  });
}
