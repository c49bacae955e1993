/** Drives a run in memory from its first task to its end, and all runs that its steps start. */
import { Client } from "../client/client.ts";
import { setProcessEnvironment } from "../config/set-environment.ts";
import { deserializeError, type SerializedError } from "../errors/flow-error.ts";
import type { RunEvent } from "../events/run-event.ts";
import { recordCurrentRead } from "../flow/current.ts";
import type { Flow } from "../flow/flow.ts";
import { seededRandom } from "../flow/random.ts";
import type { RunId } from "../ids/run-id.ts";
import type { RunRow } from "../metadata/metadata-store.ts";
import { describeUserError } from "../package/user-stack.ts";
import { InlineExecutor, type InlineExecutorOptions } from "../runner/inline-executor.ts";
import type { HookName } from "../runner/protocol.ts";
import { Slots } from "../runner/slots.ts";
import { ChildRuns } from "../wiring/child-runs.ts";
import { executeRun, type RunExecution } from "../wiring/execute-run.ts";
import type { MemoryStores } from "../wiring/open-memory-stores.ts";
import { refuseUnfinished } from "../wiring/refuse-unfinished.ts";
import { MAX_DEPTH } from "../wiring/run-family.ts";
import type { RunSignals } from "../wiring/running.ts";
import type { RunFlowOptions } from "./flow-types.ts";
import { GivenChildren } from "./given-children.ts";
import { type GivenRun, PROJECT } from "./given-run.ts";
import { IdleClock } from "./idle-clock.ts";

export interface Driven {
  readonly row: RunRow;
  readonly events: readonly RunEvent[];
  /** What the first failing step threw. */
  readonly thrown?: unknown;
}

export interface DriveOptions extends RunFlowOptions<Flow> {
  readonly seed: number;
  /** Of a run that is started inside a step. */
  readonly within?: {
    readonly slots: Slots;
    readonly ancestors: readonly string[];
    readonly signals: RunSignals;
    readonly emit: (event: RunEvent) => void;
  };
  /** What is finished already, of a run that goes on. */
  readonly takenOver?: Pick<RunExecution, "finished" | "attemptsBefore">;
}

export async function driveGiven(
  stores: MemoryStores,
  { prepared, row }: Pick<GivenRun, "prepared" | "row">,
  options: DriveOptions,
): Promise<Driven> {
  const thrown = new WeakMap<SerializedError, unknown>();
  const events: RunEvent[] = [];
  const client = new Client(stores, { project: PROJECT, onRead: recordCurrentRead });
  const { flowClass } = prepared;
  const { seed, within, slots = 1 } = options;
  const executing: InlineExecutorOptions = {
    flowClass,
    artifacts: stores.artifacts,
    reader: stores.reader,
    describeError: (error) => {
      const described = describeUserError(error);
      thrown.set(described, error);
      return described;
    },
    setEnvironment: setProcessEnvironment,
    callHook: async (hook, id) => {
      await (flowClass as unknown as { readonly [Name in HookName]?: (run: unknown) => unknown })[hook]?.(
        await client.run(id),
      );
    },
    readChild: async (id, stop) => {
      const child = (await stores.metadata.runById(id as RunId))!;
      refuseUnfinished(child, stop);
      return client.handle(child);
    },
    slots,
    ...(options.output === undefined ? {} : { output: options.output }),
  };
  const executor = new InlineExecutor(executing);
  const { signal = new AbortController().signal, clock = new IdleClock(() => executor.isIdle) } = options;
  const signals = within?.signals ?? { stop: signal, endNow: new AbortController().signal };
  const shared = within?.slots ?? new Slots(slots);
  const ancestors = within?.ancestors ?? [];
  const children = new ChildRuns({
    maxDepth: MAX_DEPTH,
    ancestors,
    row,
    openMetadata: async () => stores.metadata,
    runner: new GivenChildren({ stores, slots: shared, options, drive: driveGiven }),
    endNow: signals.endNow,
  });
  try {
    const finished = await executeRun({
      stores: { metadata: stores.metadata, folder: "memory", isInPlace: () => true },
      row,
      execution: row.execution.number,
      prepared,
      executor,
      emit: (event) => {
        within?.emit(event);
        if (event.kind !== "run.progress") events.push(event);
      },
      signals,
      clock,
      random: seededRandom(`millrace:testing:delays:${seed}`),
      shuffle: seededRandom(`millrace:testing:order:${seed}`),
      slots: shared,
      depth: ancestors.length,
      startChild: (call) => children.start(call),
      reopen: async () => {
        const fresh = new InlineExecutor(executing);
        return { executor: fresh, release: () => fresh.close() };
      },
      ...options.takenOver,
      ...(options.finishSiblings === undefined ? {} : { finishSiblings: options.finishSiblings }),
    });
    return { row: finished, events, ...thrownBy(finished, events, thrown) };
  } finally {
    await executor.close();
  }
}

/** The object behind the failure, where it was thrown in this thread. */
function thrownBy(
  { failure }: RunRow,
  events: readonly RunEvent[],
  thrown: WeakMap<SerializedError, unknown>,
): Pick<Driven, "thrown"> {
  if (failure === undefined) return {};
  const event = events.findLast((each) => each.kind === "task.failed" && each.task === failure.task);
  const error = event?.kind === "task.failed" ? event.error : undefined;
  return { thrown: error !== undefined && thrown.has(error) ? thrown.get(error) : deserializeError(failure.error) };
}
