// Effect's workflows with the engine in memory: nothing is kept, so it is what a workflow costs without a store.
import { Effect, Layer, ManagedRuntime, Schema } from "effect";
import { Activity, Workflow, WorkflowEngine } from "effect/workflow";

export async function open() {
  const count = { id: Schema.String, count: Schema.Number };
  const idempotencyKey = ({ id }) => id;
  const wide = Workflow.make("Wide", { payload: count, idempotencyKey });
  const line = Workflow.make("Line", { payload: count, idempotencyKey });
  const activity = (index) => Activity.make({ name: `task${index}`, execute: Effect.void });
  const each = (concurrency) => (payload) =>
    Effect.forEach(
      Array.from({ length: payload.count }, (_, index) => index),
      activity,
      { concurrency, discard: true },
    );
  const workflows = Layer.mergeAll(wide.toLayer(each(2)), line.toLayer(each(1)));
  const runtime = ManagedRuntime.make(workflows.pipe(Layer.provideMerge(WorkflowEngine.layerMemory)));
  let runs = 0;
  const start = (workflow, count) => runtime.runPromise(workflow.execute({ id: `run${runs++}`, count }));
  return {
    fanOut: (count) => start(wide, count),
    line: (count) => start(line, count),
    close: () => runtime.dispose(),
  };
}
