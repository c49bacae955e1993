/** What `flow run` and `flow resume` do from the first event of a run to its last: progress, signals, outcome, exit code. */
import type { RunEvent } from "@millrace/core/internal";
import type { Core } from "../core.ts";
import { EXIT, exitCodeFor } from "../exit-code.ts";
import { renderTaskError, renderWarning } from "../render/errors.ts";
import { createProgress, freshLine, REDRAW_MS, silentProgress } from "../render/progress.ts";
import { renderOutcome, renderResumed, renderStore, renderUpstream } from "../render/run-lines.ts";
import { createStepBoard, summary } from "../render/step-board.ts";
import { tookText } from "../render/took.ts";
import type { Context } from "./command.ts";

/** How long a second Ctrl-C waits for tasks to be ended and for the run's end to be recorded. */
const LEAVE_MS = 1_000;

interface FollowOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly debug: boolean;
  readonly formatDuration: (ms: number) => string;
}

/** Prints what happens until the run is over; the exit code says how it ended. */
export async function followRun(
  running: ReturnType<Core["startRun"]>,
  context: Context,
  options: FollowOptions,
): Promise<number> {
  const { stdout, stderr } = context;
  const progress =
    options.json || options.quiet
      ? silentProgress
      : createProgress({ output: stderr, now: context.now, formatDuration: options.formatDuration });
  const board = createStepBoard();
  const say = (line: string | undefined): void => {
    if (line !== undefined && !options.json)
      progress === silentProgress ? stderr.write(`${line}\n`, freshLine(stderr)) : progress.note(line);
  };
  let interrupted: "SIGINT" | "SIGTERM" | undefined;
  let isLeaving = false;
  let finished: Extract<RunEvent, { readonly kind: "run.finished" }> | undefined;
  let lastProgress = "";

  const release = context.signals.take((signal) => {
    if (interrupted !== undefined) {
      running.cancel();
      // A call of native code cannot be ended: then the process goes without having recorded the end of the run.
      const leave = (): void => {
        progress.end();
        context.signals.exit(signalCode(signal));
      };
      if (isLeaving) leave();
      isLeaving = true;
      setTimeout(leave, LEAVE_MS).unref();
      return;
    }
    interrupted = signal;
    say(
      stderr.paint.yellow(signal === "SIGINT" ? "Stopping the run … Ctrl-C again stops at once" : "Stopping the run …"),
    );
    running.cancel(signal === "SIGINT" ? "Ctrl-C" : "the process was told to end (SIGTERM)");
  });
  const timer = setInterval(() => progress.tick(), REDRAW_MS);
  timer.unref();
  try {
    for await (const event of running) {
      board.apply(event);
      if (options.json) {
        // Progress comes ten times a second: only what changed is worth a line.
        const text = event.kind === "run.progress" ? JSON.stringify(event.steps) : undefined;
        if (text === undefined || text !== lastProgress) stdout.write(`${JSON.stringify(event)}\n`);
        lastProgress = text ?? lastProgress;
      } else if (event.kind === "run.upstream") {
        if (!options.quiet) say(renderUpstream(event, stderr.paint));
      } else if (event.kind === "run.warning") {
        say(renderWarning(event, stderr.paint));
      } else {
        // A new store is said with --quiet too: it is a change of the user's folder, not progress.
        if (event.kind === "run.created" && (event.storeIsNew || !options.quiet)) say(renderStore(event, stderr.paint));
        progress.apply(event);
        if (event.kind === "run.resumed" && !options.quiet)
          for (const line of renderResumed(event, stderr.paint)) say(line);
      }
      if (event.kind === "run.finished") finished = event;
    }
  } catch (error) {
    if (interrupted === undefined || (error as { readonly code?: unknown }).code !== "FLOW_RUN_CANCELLED") throw error;
    say(stderr.paint.yellow("Stopped before the run began"));
  } finally {
    clearInterval(timer);
    progress.end();
    release();
  }
  if (finished === undefined) return interrupted === undefined ? EXIT.internal : signalCode(interrupted);
  if (!options.json) {
    const { status, record } = finished;
    if (record.failure !== undefined)
      stderr.write(
        renderTaskError(record.failure.task ?? record.run, record.failure.error, {
          paint: stderr.paint,
          debug: options.debug,
          cwd: context.cwd,
        }),
      );
    stdout.write(
      renderOutcome(
        {
          status,
          record,
          duration: tookText(record, options.formatDuration) ?? options.formatDuration(finished.durationMs),
          summary: summary(board, {
            hasSucceeded: status === "succeeded",
            hasCause: record.failure?.task !== undefined,
          }),
        },
        stdout.paint,
      ),
    );
  }
  if (finished.status === "succeeded") return EXIT.done;
  if (interrupted !== undefined && finished.status !== "failed") return signalCode(interrupted);
  const { failure } = finished.record;
  // Without a task it was the store, or Millrace itself.
  return failure === undefined || failure.task !== undefined ? EXIT.failed : exitCodeFor(failure.error.code);
}

function signalCode(signal: "SIGINT" | "SIGTERM"): number {
  return signal === "SIGINT" ? EXIT.interrupted : EXIT.terminated;
}
