/**
 * The runs that the tasks of one run have asked for, from the side of their driver: who waits for what, who holds a slot,
 * what is told to whom. Running them is not done here: `StartChild` is given by whoever can start runs.
 *
 * A task waits as long as one run that it awaits has not ended. Then it gets a slot again, and after that its answers. A
 * run that nobody waits for when its task ends is stopped; only an attempt that is tried again leaves its runs going, for
 * the next attempt finds them.
 */
import { type SerializedError, serializeError } from "../errors/flow-error.ts";
import type { RunEvent } from "../events/run-event.ts";
import type { RunId } from "../ids/run-id.ts";
import type { TaskSequence } from "../metadata/metadata-store.ts";
import { assertNever } from "../util/assert-never.ts";
import type { Clock } from "./clock.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { noRunner } from "./no-runner.ts";
import type { CallId, CallNews, CallReply, FlowRequest, HeardCall } from "./protocol.ts";
import type { RunReporter } from "./run-reporter.ts";
import type { ReadyTask } from "./scheduler/scheduler.ts";

/** Starts the run that a task asks for, or finds the one that an earlier attempt of the task has started. */
export type StartChild = (call: ChildCall) => Promise<EndedChild>;

export interface ChildCall {
  readonly step: string;
  readonly path: string;
  /** The task for people: `Train/17/fold/1.2`. */
  readonly task: string;
  /** Which of the task's calls, from 0: the first one says that the task has begun anew. */
  readonly index: number;
  readonly request: FlowRequest;
  /** Asks the run to stop. */
  readonly stop: AbortSignal;
  readonly endNow: AbortSignal;
  readonly emit: (event: RunEvent) => void;
  /** Told once, as soon as it is known which run it is. */
  readonly onKnown: (child: KnownChild) => void;
}

export interface KnownChild {
  readonly run: string;
  readonly runId: RunId;
  readonly flow: string;
  readonly how: Extract<RunEvent, { kind: "run.child" }>["how"];
}

export interface EndedChild {
  readonly id: RunId;
  readonly status: "succeeded" | "failed" | "cancelled";
}

/** A call from its beginning until its answer is given. */
interface Call {
  readonly task: ReadyTask;
  readonly reply: (reply: CallReply) => void;
  readonly stop: AbortController;
  readonly endNow: AbortController;
  readonly beganAt: number;
  isAwaited: boolean;
  isWatched: boolean;
  /** Whether the attempt that made it is over: nobody hears an answer. */
  isAbandoned: boolean;
  known?: KnownChild;
  /** The last answer, once there is one. */
  answer?: CallReply;
}

export interface ChildCallsOptions {
  /** Without it every call is refused. */
  readonly start: StartChild | undefined;
  readonly dispatcher: Pick<Dispatcher, "waits" | "goesOn">;
  readonly report: RunReporter;
  readonly clock: Clock;
}

export class ChildCalls {
  readonly #options: ChildCallsOptions;
  /** Those without an answer, and those whose answer waits for a slot. */
  readonly #calls = new Map<CallId, Call>();
  readonly #running = new Set<Promise<void>>();

  constructor(options: ChildCallsOptions) {
    this.#options = options;
  }

  /** A task asks for a run. */
  begin({ call: id, index, request, news, reply }: HeardCall, task: ReadyTask): void {
    const call: Call = {
      task,
      reply,
      stop: new AbortController(),
      endNow: new AbortController(),
      beganAt: this.#options.clock.now().getTime(),
      isAwaited: false,
      isWatched: false,
      isAbandoned: false,
    };
    this.#calls.set(id, call);
    for (const item of news) this.hear(id, item);
    const running: Promise<void> = this.#run(id, call, index, request).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** What a task says of a call. */
  hear(id: CallId, news: CallNews): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    switch (news.kind) {
      case "awaited":
        call.isAwaited = true;
        this.#wait(call.task.sequence);
        return;
      case "watched":
        call.isWatched = true;
        return;
      case "abort":
        call.stop.abort(news.reason);
        return;
      case "end":
        call.endNow.abort();
        return;
      default:
        assertNever(news);
    }
  }

  /** Stops the runs of one task, which is still there to hear of it. */
  stopOf(task: TaskSequence, reason: string): void {
    for (const call of this.#calls.values()) if (call.task.sequence === task) call.stop.abort(reason);
  }

  /** An attempt is over, and another one follows: its runs go on. */
  abandon(task: ReadyTask): void {
    for (const [id, call] of this.#calls) {
      if (call.task.sequence !== task.sequence) continue;
      call.isAbandoned = true;
      if (call.answer !== undefined) this.#calls.delete(id);
    }
  }

  /** A task is over for good: what it, and the attempts before it, left running is stopped. */
  settled(task: ReadyTask, reason: string): void {
    if (this.#calls.size === 0) return;
    this.abandon(task);
    for (const { task: other, stop } of this.#calls.values())
      if (other.step === task.step && other.path === task.path) stop.abort(reason);
  }

  /** The run ends: so do all runs inside it. */
  stop(reason: string): void {
    for (const { stop } of this.#calls.values()) stop.abort(reason);
  }

  /** Stops all that is left and waits until it has ended. */
  async close(reason: string): Promise<void> {
    this.stop(reason);
    await Promise.all(this.#running);
  }

  async #run(id: CallId, call: Call, index: number, request: FlowRequest): Promise<void> {
    const { start, report } = this.#options;
    const { task, stop, endNow } = call;
    try {
      if (start === undefined) throw noRunner();
      const { id: run, status } = await start({
        step: task.step,
        path: task.path,
        task: report.nameOf(task),
        index,
        request,
        stop: stop.signal,
        endNow: endNow.signal,
        emit: (event) => this.#tell(call, event),
        onKnown: (known) => {
          call.known = known;
          report.child(task, known, this.#options.clock.now());
        },
      });
      this.#ended(id, call, { kind: "ended", run }, status);
    } catch (thrown) {
      const error: SerializedError = serializeError(thrown);
      this.#ended(id, call, { kind: "refused", error }, "failed");
    }
  }

  /**
   * The beginning and the end of a run are told to all; the rest to those who look at it. A warning is for people: it goes
   * outwards, whoever looks.
   */
  #tell(call: Call, event: RunEvent): void {
    if (event.kind === "run.warning" && call.known !== undefined)
      this.#options.report.warning({ ...event, message: `${call.known.run}: ${event.message}` }, event.at);
    const isTold =
      call.isWatched || event.kind === "run.created" || event.kind === "run.resumed" || event.kind === "run.finished";
    if (isTold && !call.isAbandoned) call.reply({ kind: "event", event });
  }

  #ended(id: CallId, call: Call, answer: CallReply, status: EndedChild["status"]): void {
    const { task, known } = call;
    const at = this.#options.clock.now();
    if (known !== undefined) {
      const { how: _, ...child } = known;
      this.#options.report.childFinished(
        task,
        { ...child, status, durationMs: Math.max(0, at.getTime() - call.beganAt) },
        at,
      );
    }
    if (call.isAbandoned) {
      this.#calls.delete(id);
      return;
    }
    call.answer = answer;
    this.#goOn(task.sequence);
  }

  #wait(task: TaskSequence): void {
    if (this.#of(task).some(([, call]) => call.isAwaited && call.answer === undefined))
      this.#options.dispatcher.waits(task);
  }

  /** Gives a task its answers. One that has waited for them gets a slot before. */
  #goOn(task: TaskSequence): void {
    const calls = this.#of(task);
    if (calls.some(([, call]) => call.isAwaited && call.answer === undefined)) {
      this.#answer(task); // It waits for another one still, and may use the time as it likes.
      return;
    }
    this.#options.dispatcher.goesOn(task, () => {
      this.#answer(task);
      this.#wait(task); // It may have asked for another one meanwhile.
    });
  }

  #answer(task: TaskSequence): void {
    for (const [id, { answer, reply }] of this.#of(task)) {
      if (answer === undefined) continue;
      this.#calls.delete(id);
      reply(answer);
    }
  }

  #of(task: TaskSequence): readonly (readonly [CallId, Call])[] {
    return [...this.#calls].filter(([, call]) => call.task.sequence === task);
  }
}
