import type { RunEvent } from "../events/run-event.ts";
import type { Flow } from "../flow/flow.ts";
import type { FlowCall } from "../flow/flow-call.ts";
import type { Run } from "../flow/public-types.ts";
import type { RunId } from "../ids/run-id.ts";
import { noRunner } from "../runner/no-runner.ts";
import { clientOf, openDefaultStores } from "./default-store.ts";
import { refuseUnfinished } from "./refuse-unfinished.ts";
import type { RunSignals } from "./running.ts";

/**
 * The work behind `run()` inside a step: waits for the run that the task's runner runs, and reads its record.
 *
 * @returns what gives the finished run, or throws FLOW_RUN_FAILED or FLOW_RUN_CANCELLED
 */
export async function runFromStep<T extends Flow>(
  call: FlowCall | undefined,
  emit: (event: RunEvent) => void,
  { stop, endNow }: RunSignals,
): Promise<() => Promise<Run<T>>> {
  if (call === undefined) throw noRunner();
  call.onEvent(emit);
  const onStop = (): void => call.abort(reasonOf(stop.reason));
  if (stop.aborted) onStop();
  else stop.addEventListener("abort", onStop, { once: true });
  endNow.addEventListener("abort", () => call.end(), { once: true });
  try {
    const id = await call.ended;
    return async () => {
      if (call.read !== undefined) return (await call.read(id, stop)) as Run<T>;
      const stores = await openDefaultStores(false);
      const row = (await stores.metadata.runById(id as RunId))!;
      refuseUnfinished(row, stop);
      return clientOf(stores).handle<T>(row);
    };
  } finally {
    stop.removeEventListener("abort", onStop);
  }
}

/** The words that the driver of the run is told; it keeps them as who cancelled its tasks. */
function reasonOf(reason: unknown): string {
  if (typeof reason === "string") return reason;
  return reason instanceof Error ? reason.message : "the signal that the step gave was aborted";
}
