/**
 * The runs that steps of one run start: found again by the call that started them, or begun.
 *
 *     no run yet ──▶ started            succeeded ──▶ taken over
 *     running in this process ──▶ awaited       failed, cancelled, lost ──▶ continued
 *
 * A call is known by the place of its task, by all that the run is given, and by how many equal calls the task has made
 * before it. Calls that differ may come in another order in the next attempt, and still find their runs.
 */

import { basename } from "node:path";
import type { Digest } from "../artifact/artifact.ts";
import { runRecord } from "../client/run-record.ts";
import { FlowError } from "../errors/flow-error.ts";
import type { RunEvent } from "../events/run-event.ts";
import { runName } from "../lineage/run-name.ts";
import { canonicalJson } from "../metadata/canonical-json.ts";
import type { ChildRunKey } from "../metadata/execution.ts";
import type { MetadataStore, RunRow } from "../metadata/metadata-store.ts";
import type { ChildCall, EndedChild, KnownChild } from "../runner/child-calls.ts";
import type { FlowRequest } from "../runner/protocol.ts";
import { elapsedMs } from "../util/elapsed.ts";
import type { RunSignals } from "./running.ts";

export interface ChildRunsOptions<Subject> {
  /** Levels of runs that may stand inside each other. */
  readonly maxDepth: number;
  /** Names of the runs that this one stands inside of, the outermost first. */
  readonly ancestors: readonly string[];
  /** The run whose steps call. */
  readonly row: RunRow;
  readonly openMetadata: () => Promise<MetadataStore>;
  readonly runner: ChildRunner<Subject>;
  readonly endNow: AbortSignal;
}

/** Who finds the flows that are asked for, and runs them. */
export interface ChildRunner<Subject> {
  /** The flow that is asked for, and the digest of all that its run would be given. */
  find(request: FlowRequest): Promise<{ readonly subject: Subject; readonly inputsDigest: Digest }>;
  /**
   * Begins a run, or goes on with one that has stopped.
   *
   * @param known the run, where an earlier attempt has left it without success
   * @returns the finished run, whatever its status
   */
  run(child: ChildRun<Subject>, emit: (event: RunEvent) => void, signals: RunSignals): Promise<RunRow>;
}

export interface ChildRun<Subject> {
  readonly subject: Subject;
  readonly request: FlowRequest;
  readonly key: ChildRunKey;
  readonly known?: RunRow;
  /** Names of the runs that it stands inside of, the outermost first. */
  readonly ancestors: readonly string[];
}

/** A run that is under way for the newest of the calls that found it. */
interface UnderWay {
  readonly ended: Promise<RunRow>;
  readonly stop: AbortController;
  readonly endNow: AbortController;
  caller: ChildCall;
  known?: Omit<KnownChild, "how">;
}

export class ChildRuns<Subject> {
  readonly #options: ChildRunsOptions<Subject>;
  readonly #underWay = new Map<string, UnderWay>();
  /** Equal calls that a task has made since it began, by the digest of what they were given. */
  readonly #equalCalls = new Map<string, Map<Digest, number>>();

  constructor(options: ChildRunsOptions<Subject>) {
    this.#options = options;
  }

  /**
   * Gives a call its run, and waits for the end of it.
   *
   * @throws FlowError FLOW_RUNNER_TOO_DEEP, and all that refuses a run before it begins
   */
  async start(call: ChildCall): Promise<EndedChild> {
    const place = `${call.step}/${call.path}`;
    if (call.index === 0) this.#equalCalls.set(place, new Map());
    const counts = this.#equalCalls.get(place) ?? new Map<Digest, number>();
    this.#refuseDepth(call);
    const { subject, inputsDigest } = await this.#options.runner.find(call.request);
    const count = counts.get(inputsDigest) ?? 0;
    counts.set(inputsDigest, count + 1);
    const key: ChildRunKey = {
      run: this.#options.row.sequence,
      step: call.step,
      path: call.path,
      call: count,
      inputsDigest,
    };
    const row = await this.#runOf(call, key, subject);
    return { id: row.id, status: row.status as EndedChild["status"] };
  }

  async #runOf(call: ChildCall, key: ChildRunKey, subject: Subject): Promise<RunRow> {
    const keyText = canonicalJson(key);
    for (;;) {
      const before = this.#underWay.get(keyText);
      if (before === undefined) return await this.#begin(keyText, call, key, subject);
      if (!before.stop.signal.aborted) return await this.#join(before, call);
      await before.ended.catch(() => {}); // It is being stopped: what is left of it is continued then.
    }
  }

  /** An earlier attempt has started the run, and it has not ended yet. */
  #join(underWay: UnderWay, call: ChildCall): Promise<RunRow> {
    underWay.caller = call;
    if (underWay.known !== undefined) call.onKnown({ ...underWay.known, how: "running" });
    obey(call, underWay);
    return underWay.ended;
  }

  #begin(keyText: string, call: ChildCall, key: ChildRunKey, subject: Subject): Promise<RunRow> {
    const ended = Promise.withResolvers<RunRow>();
    const underWay: UnderWay = {
      ended: ended.promise,
      stop: new AbortController(),
      endNow: new AbortController(),
      caller: call,
    };
    obey(call, underWay);
    this.#underWay.set(keyText, underWay);
    this.#execute(underWay, key, subject)
      .finally(() => this.#underWay.delete(keyText))
      .then(ended.resolve, ended.reject);
    return ended.promise;
  }

  async #execute(underWay: UnderWay, key: ChildRunKey, subject: Subject): Promise<RunRow> {
    const { row, ancestors, runner, openMetadata, endNow } = this.#options;
    const metadata = await openMetadata();
    const known = await metadata.childRun(key);
    if (known?.status === "succeeded") {
      tell(underWay, known, "finished");
      underWay.caller.emit(await finishedEvent(metadata, known));
      return known;
    }
    const signals: RunSignals = {
      stop: underWay.stop.signal,
      endNow: AbortSignal.any([endNow, underWay.endNow.signal]),
    };
    const emit = (event: RunEvent): void => {
      if (event.kind === "run.created") {
        const { run, runId, flow: name } = event;
        tellFacts(underWay, { run, runId: runId as RunRow["id"], flow: name }, "new");
      }
      underWay.caller.emit(event);
    };
    if (known !== undefined) tell(underWay, known, "continued");
    const { request } = underWay.caller;
    const inside = [...ancestors, runName(row)];
    const child = { subject, request, key, ancestors: inside, ...(known === undefined ? {} : { known }) };
    return await runner.run(child, emit, signals);
  }

  #refuseDepth({ request: { flow } }: ChildCall): void {
    const { maxDepth, ancestors, row } = this.#options;
    const chain = [...ancestors, runName(row)];
    if (chain.length <= maxDepth) return;
    const name = flow.kind === "class" ? flow.flowClass.name : (flow.name ?? basename(flow.file));
    throw new FlowError("FLOW_RUNNER_TOO_DEEP", {
      message: `Cannot run ${name} inside ${chain.at(-1)}: ${chain.length - 1} runs stand inside each other already, and ${maxDepth} may: ${chain.join(" → ")}`,
      hint: "Let a flow that starts itself stop doing so at some depth, or allow more with --max-depth",
      context: { chain, maxDepth },
    });
  }
}

/** Stops the run when its caller says so, as long as no later call has taken it over. */
function obey(call: ChildCall, underWay: UnderWay): void {
  const follow = (signal: AbortSignal, target: AbortController): void => {
    const pass = (): void => {
      if (underWay.caller === call) target.abort(signal.reason);
    };
    if (signal.aborted) pass();
    else signal.addEventListener("abort", pass, { once: true });
  };
  follow(call.stop, underWay.stop);
  follow(call.endNow, underWay.endNow);
}

function tell(underWay: UnderWay, row: RunRow, how: KnownChild["how"]): void {
  const flow = `${row.flow.project}/${row.flow.name}`;
  tellFacts(underWay, { run: runName(row), runId: row.id, flow }, how);
}

function tellFacts(underWay: UnderWay, known: Omit<KnownChild, "how">, how: KnownChild["how"]): void {
  underWay.known = known;
  underWay.caller.onKnown({ ...known, how });
}

async function finishedEvent(metadata: Parameters<typeof runRecord>[0], row: RunRow): Promise<RunEvent> {
  const at = row.finishedAt!;
  return {
    kind: "run.finished",
    at,
    status: "succeeded",
    durationMs: elapsedMs(row.execution.startedAt, at),
    record: await runRecord(metadata, row),
  };
}
