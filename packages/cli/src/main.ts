/**
 * The `flow` command as a process. Nothing heavy is loaded here: `flow --help` must cost little more than Node itself, so
 * each verb and the framework load when they are needed. This is the only module that touches `process`.
 */
import { writeSync } from "node:fs";
import type { Context } from "./commands/command.ts";
import { callFlow, report } from "./dispatch.ts";
import { endProcess } from "./end-process.ts";
import { EXIT, exitCodeOf, UNSETTLED } from "./exit-code.ts";
import { neverSettled } from "./never-settled.ts";
import { renderWarning } from "./render/errors.ts";
import { streamOutput } from "./render/output.ts";
import { asSystemLimit } from "./system-limit.ts";

const writeStdout = process.stdout.write.bind(process.stdout);
const context = processContext();
// What nobody caught is our bug: it must not end with Node's code 1, which says that the run failed.
process.on("uncaughtException", (thrown) => {
  const error = asSystemLimit(thrown);
  report(error, context);
  process.exit(exitCodeOf(error));
});
// Warnings of Millrace look like all that it says; those of Node and of libraries stay as they are.
const toldByNode = process.listeners("warning");
process.removeAllListeners("warning").on("warning", (warning: Error & { readonly detail?: string }) => {
  const { name, message, detail } = warning;
  if (name !== "MillraceWarning") for (const tell of toldByNode) tell(warning);
  else context.stderr.write(`${renderWarning({ message, hint: detail }, context.stderr.paint)}\n`);
});
// The command ends itself. Nothing left to do before that is said by whoever watches, else here, and not by Node, which shows our own file.
let exitWatchers = 0;
process.on("beforeExit", () => {
  if (exitWatchers > 0) process.exit(UNSETTLED);
  report(neverSettled(), context);
  process.exit(EXIT.usage);
});
const code = await callFlow(context);
await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
endProcess(code);

function processContext(): Context {
  const words = process.argv.slice(2);
  if (words.includes("--debug")) process.setSourceMapsEnabled(true);
  const stdout = streamOutput(process.stdout, process.env, outputFailed);
  // stdout carries the answer and nothing else: what a flow file prints while it is loaded here goes to stderr.
  process.stdout.write = process.stderr.write.bind(process.stderr);
  return {
    cwd: process.cwd(),
    environment: process.env,
    words,
    stdout,
    stderr: streamOutput(process.stderr, process.env, outputFailed),
    stdin: () => process.stdin,
    now: Date.now,
    signals: {
      take(onSignal) {
        const interrupt = (): void => onSignal("SIGINT");
        const terminate = (): void => onSignal("SIGTERM");
        process.on("SIGINT", interrupt).on("SIGTERM", terminate);
        return () => {
          process.off("SIGINT", interrupt).off("SIGTERM", terminate);
        };
      },
      watchExit(onExit) {
        const ending = (exitCode: number): void => {
          process.exitCode = onExit(exitCode);
        };
        process.on("exit", ending);
        exitWatchers++;
        return () => {
          process.off("exit", ending);
          exitWatchers--;
        };
      },
      exit: (exitCode) => endProcess(exitCode),
    },
  };
}

/** A full disk behind stdout or stderr: the answer is lost, so this is no success. */
function outputFailed(error: Error): void {
  try {
    writeSync(2, `✗ Cannot write the output: ${error.message}\n  FLOW_CLI_OUTPUT_NOT_WRITABLE\n`);
  } catch {
    // stderr is the one that cannot be written: the exit code has to say it alone.
  }
  process.exit(EXIT.failed);
}

/**
 * Waits until a stream has taken everything; a reader that went away counts as well. An error of the last write comes in
 * the next turn, so that turn is waited for.
 */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) setImmediate(resolve);
    else (stream === process.stdout ? writeStdout : stream.write.bind(stream))("", () => setImmediate(resolve));
  });
}
