/** `flow export RUN … -o FILE`: runs with records, values and code as one tar, which `flow import` takes over. */
import path from "node:path";
import type { ExportReport, RunRow } from "@millrace/core/internal";
import { EXIT } from "../exit-code.ts";
import type { Output } from "../render/output.ts";
import { byteSize, count } from "../render/text.ts";
import { type Command, DEBUG_FLAG, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { TransferLine, untilSignal } from "./transfer-line.ts";
import { selectRun, withStores } from "./with-stores.ts";

export const exportCommand: Command = {
  usage: "export SELECTOR … -o FILE [--with-upstreams]",
  positionals: [{ name: "SELECTOR", help: "A run: Train/17, Train@prod:v1, or an id", required: true, many: true }],
  flags: [
    {
      name: "output",
      short: "o",
      type: "text",
      placeholder: "FILE",
      notEmpty: "a file",
      help: "Where to write it; - is stdout",
    },
    {
      name: "with-upstreams",
      type: "boolean",
      help: "Also the runs that these have read from, and so on; without it their ids and names are kept",
    },
    JSON_FLAG,
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["export Train@prod:v1 -o model.tar --with-upstreams", "with the data that it was learned from"],
    ["export Train/17 -o - | zstd > model.tar.zst", ""],
  ],
  notes: "The file is a plain tar. The same runs give the same file, byte by byte.",
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const output = invocation.text("output");
      if (output === undefined) {
        throw new core.FlowError("FLOW_CLI_MISSING_ARGUMENT", {
          message: "flow export needs a file to write to",
          hint: "Name it with --output FILE, or - for stdout",
        });
      }
      const toStdout = output === "-";
      if (toStdout && context.stdout.isTerminal) {
        throw new core.FlowError("FLOW_CLI_OUTPUT_NOT_WRITABLE", {
          message: "flow export writes no tar to a terminal",
          hint: "Name a file with --output FILE, or send it on: flow export … -o - | zstd > runs.tar.zst",
        });
      }
      const runs: RunRow[] = [];
      for (const selector of invocation.positionals) {
        const { run } = await selectRun(core, stores, selector, context, {
          command: "flow export",
          most: "run",
        });
        if (!runs.some(({ id }) => id === run.id)) runs.push(run);
      }
      const line = new TransferLine(context, "exported", invocation.isOn("json"));
      const report = await untilSignal(context, (signal) =>
        core.exportRuns(stores, runs, {
          to: toStdout ? (piece) => writeOut(context.stdout, piece, signal.abort) : path.resolve(context.cwd, output),
          withUpstreams: invocation.isOn("with-upstreams"),
          onProgress: line.show,
          signal: signal.signal,
        }),
      ).finally(() => line.end());
      if (typeof report === "number") return report;
      // What was written to stdout is the file: the answer goes beside it.
      const answer = toStdout ? context.stderr : context.stdout;
      if (invocation.isOn("json")) answer.write(`${JSON.stringify({ file: toStdout ? "-" : output, ...report })}\n`);
      else answer.write(renderReport(report, core.shellWord(output), answer));
      return EXIT.done;
    }),
};

async function writeOut(stdout: Output, piece: Uint8Array, stop: () => void): Promise<void> {
  stdout.write(piece.slice());
  await stdout.drained();
  if (!stdout.isOpen()) stop(); // Whoever read it has gone.
}

function renderReport(report: ExportReport, output: string, { paint }: Output): string {
  const { runs, blobs, sizeBytes, references } = report;
  const asked = runs.filter((each) => each.asked).map(({ run }) => run);
  const along = runs.length - asked.length;
  const names = asked.length > 5 ? count(asked.length, "run") : asked.join(", ");
  const what = along === 0 ? "" : ` with ${count(along, "upstream run")}`;
  const left =
    references.length === 0
      ? ""
      : `  ${paint.dim(
          `not in it: ${references
            .slice(0, 5)
            .map(({ run }) => run)
            .join(
              ", ",
            )}${references.length > 5 ? `, and ${references.length - 5} more` : ""} (--with-upstreams takes what was read along)`,
        )}\n`;
  return `${paint.green("✓")} ${paint.bold(names)}${what}: ${count(blobs, "value")}, ${byteSize(sizeBytes)}\n${left}  flow import ${output}\n`;
}
