/**
 * Runs batches in child processes: a crash of native code, an exit or a limit of memory ends one process and nothing else.
 * Batches and answers travel over the channel of `fork`; output comes through the pipes, so that nothing of it is lost with
 * the process. Each process leads a group of its own, and is ended together with what it has started.
 */
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { deserializeError, serializeError } from "../errors/flow-error.ts";
import type { LogChunk, TaskSequence } from "../metadata/metadata-store.ts";
import { Ending } from "../util/ending.ts";
import { within } from "../util/within.ts";
import { ExecutorLostError, type LostReason } from "./executor.ts";
import { LiveOutput } from "./live-output.ts";
import { MemoryWatch } from "./memory-watch.ts";
import { OutputSplitter, type PipeMark } from "./output-splitter.ts";
import type { FromProcess, ToProcess } from "./process-messages.ts";
import type { CallMessage, HeardMessage, Placement, WorkerMessage } from "./protocol.ts";
import { SecretMask } from "./secret-mask.ts";
import { packBatch, unpackReport, type WireReport } from "./wire.ts";
import {
  type BatchReport,
  END_WAIT_MS,
  type HostEvents,
  type OpenHost,
  type WorkerBatch,
  type WorkerHost,
} from "./worker-host.ts";

export interface ProcessOptions {
  /** The entry file of a worker process. */
  readonly file: string;
  /** Structured-cloneable data that the entry file is started with. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Environment of the program. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Takes what is written while no task runs: by modules that are loaded, by timers that outlive their task. */
  readonly strayOutput: (text: string) => void;
}

type Stream = LogChunk["stream"];

const STREAMS: readonly Stream[] = ["stdout", "stderr"];
/** How long an answer waits for the output that was written before it, when a pipe is held open or was closed. */
const OUTPUT_WAIT_MS = 1_000;
/** How long the pipes of a process that is gone are read: what it started may hold them open for ever. */
const CLOSE_WAIT_MS = 500;
/** The end of stderr in which V8 says that the heap was full. */
const STDERR_TAIL_CHARACTERS = 8_192;

/** Makes what opens processes of one placement. */
export function processHosts(options: ProcessOptions, placement: Placement): OpenHost {
  return (events) => new ProcessHost(options, placement, events);
}

class ProcessHost implements WorkerHost {
  readonly #child: ChildProcess;
  readonly #placement: Placement;
  readonly #options: ProcessOptions;
  readonly #events: HostEvents;
  readonly #gone = new Ending();
  readonly #closed = Promise.withResolvers<void>();
  readonly #memory: MemoryWatch | undefined;
  #run:
    | { readonly number: number; readonly report: PromiseWithResolvers<WireReport>; readonly mask: SecretMask }
    | undefined;
  #batches = 0;
  /** Outputs of the batch that runs, by task; of each stream the one that is written now. */
  readonly #outputs = new Map<TaskSequence, LiveOutput>();
  readonly #current: Record<Stream, LiveOutput | undefined> = { stdout: undefined, stderr: undefined };
  /** Last batch whose output is complete, by stream. */
  readonly #ended: Record<Stream, number> = { stdout: 0, stderr: 0 };
  #onOutputEnd: (() => void) | undefined;
  #stderrTail = "";
  #dying: Error | undefined;
  #isOver = false;

  constructor(options: ProcessOptions, placement: Placement, events: HostEvents) {
    this.#options = options;
    this.#placement = placement;
    this.#events = events;
    const nonce = randomBytes(12).toString("hex");
    const { memoryMb } = placement;
    this.#child = fork(options.file, [], {
      serialization: "advanced",
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      detached: process.platform !== "win32",
      env: { ...options.environment, ...placement.environment, ...placement.secrets },
      execArgv: [
        // An inspector of this process has its port taken already.
        ...process.execArgv.filter((flag) => !/^--inspect|^--max-old-space-size/.test(flag)),
        ...(memoryMb === undefined ? [] : [`--max-old-space-size=${memoryMb}`]),
      ],
    });
    for (const stream of STREAMS) this.#read(stream, nonce);
    this.#child.on("message", (message: FromProcess) => this.#heard(message));
    this.#child.on("error", (error) => this.#over(error, { kind: "other" }));
    // A task closed the channel: no answer can come any more.
    this.#child.on("disconnect", () => this.#kill());
    this.#child.on("exit", (code, signal) => void this.#exited(code, signal));
    if (memoryMb !== undefined && this.#child.pid !== undefined)
      this.#memory = new MemoryWatch(this.#child.pid, memoryMb, () => this.#kill());
    this.#send({ kind: "start", data: options.data, parent: process.pid, nonce });
  }

  async run(batch: WorkerBatch): Promise<BatchReport> {
    const number = ++this.#batches;
    const report = Promise.withResolvers<WireReport>();
    const mask = new SecretMask([...Object.values(this.#placement.secrets ?? {}), ...Object.values(batch.run.secrets)]);
    this.#run = { number, report, mask };
    this.#memory?.start();
    this.#send({ kind: "batch", number, batch: packBatch(batch) });
    try {
      const told = unpackReport(await this.#gone.before(report.promise), batch.tasks);
      await this.#outputOf(number);
      return { ...told, results: told.results.map((result) => this.#withOutput(result)) };
    } finally {
      this.#memory?.stop();
      this.#run = undefined;
      this.#outputs.clear();
    }
  }

  abort(reason: string): void {
    this.#send({ kind: "abort", reason });
  }

  cancel(): void {
    this.#send({ kind: "cancel" });
  }

  async close(): Promise<void> {
    this.#kill();
    if (await within(END_WAIT_MS, this.#closed.promise)) return;
    // A process that waits for a device or a network disk ends when that answers; nothing of this one waits for it.
    this.#child.unref();
    this.#child.channel?.unref();
  }

  #send(message: ToProcess): void {
    if (!this.#child.connected) return;
    // What cannot be sent is for a process that is about to be gone, which is noticed by its end.
    this.#child.send(message, () => {});
  }

  #heard(message: FromProcess): void {
    switch (message.kind) {
      case "message":
        this.#events.message(this.#withReply(message.message));
        return;
      case "report":
        if (this.#run?.number === message.number) this.#run.report.resolve(message.report);
        return;
      case "dying":
        this.#dying = deserializeError(message.error);
    }
  }

  #withReply(message: WorkerMessage | CallMessage): HeardMessage {
    if (message.kind !== "call") return message;
    return { ...message, reply: (reply) => this.#send({ kind: "reply", call: message.call, reply }) };
  }

  #kill(): void {
    const { pid } = this.#child;
    if (pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    try {
      process.kill(process.platform === "win32" ? pid : -pid, "SIGKILL");
    } catch {
      this.#child.kill("SIGKILL"); // The group is not there yet, or already gone.
    }
  }

  async #exited(code: number | null, signal: NodeJS.Signals | null): Promise<void> {
    this.#killGroup();
    await this.#pipesClosed();
    const why = this.#reason(code, signal);
    const error = this.#dying ?? new Error(exitText(code, signal));
    this.#over(error, why);
  }

  /** What the process has started goes with it. */
  #killGroup(): void {
    if (process.platform === "win32") return;
    try {
      process.kill(-this.#child.pid!, "SIGKILL");
    } catch {
      // Nobody is left in it.
    }
  }

  #pipesClosed(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        for (const stream of STREAMS) this.#child[stream]?.destroy();
        resolve();
      };
      const timer = setTimeout(done, CLOSE_WAIT_MS);
      this.#child.once("close", done);
    });
  }

  #over(cause: Error, why: LostReason): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#closed.resolve();
    for (const output of this.#outputs.values()) for (const chunk of output.close()) this.#told(chunk);
    const masked = deserializeError(this.#mask.error(serializeError(cause)));
    const error = new ExecutorLostError(masked.message, why, { cause: masked });
    this.#gone.come(error);
    if (this.#run === undefined) this.#events.died(error);
  }

  #reason(code: number | null, signal: NodeJS.Signals | null): LostReason {
    const limitMb = this.#placement.memoryMb;
    const isHeapFull = signal === "SIGABRT" && this.#stderrTail.includes("JavaScript heap out of memory");
    if (this.#memory?.isOver === true || isHeapFull)
      return { kind: "out-of-memory", isolate: "process", ...(limitMb === undefined ? {} : { limitMb }) };
    if (this.#dying !== undefined) return { kind: "other" };
    if (signal !== null) return { kind: "signal", signal };
    return { kind: "exited", code: code ?? 0 };
  }

  #read(stream: Stream, nonce: string): void {
    const splitter = new OutputSplitter(
      nonce,
      (mark) => this.#turnTo(stream, mark),
      (bytes) => this.#wrote(stream, bytes),
    );
    const pipe = this.#child[stream];
    pipe?.on("data", (bytes: Buffer) => splitter.push(bytes));
    pipe?.on("end", () => {
      splitter.end();
      this.#ended[stream] = Number.POSITIVE_INFINITY;
      this.#onOutputEnd?.();
    });
  }

  #turnTo(stream: Stream, mark: PipeMark): void {
    if (mark.kind === "end") {
      this.#ended[stream] = mark.batch;
      this.#onOutputEnd?.();
      return;
    }
    this.#current[stream] = mark.kind === "nobody" ? undefined : this.#output(mark.task, mark.attempt);
  }

  #output(task: TaskSequence, attempt: number): LiveOutput | undefined {
    if (this.#run === undefined) return undefined;
    let output = this.#outputs.get(task);
    if (output === undefined) {
      output = new LiveOutput({ task, attempt, mask: this.#run.mask, send: (chunk) => this.#told(chunk) });
      this.#outputs.set(task, output);
    }
    return output;
  }

  #wrote(stream: Stream, bytes: Buffer): void {
    if (stream === "stderr")
      this.#stderrTail = (this.#stderrTail + bytes.toString("latin1")).slice(-STDERR_TAIL_CHARACTERS);
    const output = this.#current[stream];
    if (output === undefined) this.#options.strayOutput(this.#mask.text(bytes.toString("utf8")));
    else output.write(stream, bytes);
  }

  get #mask(): SecretMask {
    return this.#run?.mask ?? new SecretMask(Object.values(this.#placement.secrets ?? {}));
  }

  #told(chunk: LogChunk): void {
    this.#events.message({ kind: "output", chunk });
  }

  /** Waits until all that was written before the answer has been read. */
  async #outputOf(batch: number): Promise<void> {
    const isComplete = (): boolean => STREAMS.every((stream) => this.#ended[stream] >= batch);
    if (isComplete()) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, OUTPUT_WAIT_MS);
      this.#onOutputEnd = () => {
        if (!isComplete()) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#onOutputEnd = undefined;
  }

  #withOutput(result: BatchReport["results"][number]): BatchReport["results"][number] {
    const output = this.#outputs.get(result.sequence);
    return output === undefined ? result : { ...result, logs: output.close(), liveChunks: output.liveChunks };
  }
}

function exitText(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null ? `the worker process exited with code ${code}` : `the worker process was ended by ${signal}`;
}
