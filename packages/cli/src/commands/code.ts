/** `flow code RUN`: the sources that a run was made with, listed or written to a folder. */
import { resolve } from "node:path";
import type { RunCode } from "@millrace/core/internal";
import type { Core } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { renderTable } from "../render/table.ts";
import { byteSize, count, plain } from "../render/text.ts";
import { type Command, type Context, DEBUG_FLAG, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { selectRun, withStores } from "./with-stores.ts";

export const codeCommand: Command = {
  usage: "code RUN [-o DIR] [--force]",
  positionals: [{ name: "RUN", help: "A run: Train/17, Train@prod:v1", required: true }],
  flags: [
    {
      name: "output",
      type: "text",
      short: "o",
      placeholder: "DIR",
      notEmpty: "a folder",
      help: "Write them to a folder",
    },
    { name: "force", type: "boolean", help: "Write over files that are there" },
    { ...JSON_FLAG, help: "Print the list as one JSON object, with the texts unless they are written" },
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["code Train@prod:v1", "which sources it was made with"],
    ["code Train/17 -o train-17", "and here they are"],
  ],
  notes:
    "The sources are those that were bundled, each checked against its digest. Packages from node_modules are named with their versions and are not among them.",
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const { run } = await selectRun(core, stores, invocation.positionals[0]!, context, {
        command: "flow code",
        most: "run",
      });
      const output = invocation.text("output");
      if (output === undefined && invocation.isOn("force")) {
        throw new core.FlowError("FLOW_CLI_BAD_VALUE", {
          message: "--force says how to write, and nothing is written without --output",
          hint: "Add -o DIR, or leave --force away",
        });
      }
      const code = await core.runCode(stores, run);
      const written =
        output === undefined ? undefined : await write(core, code, output, stores.folder, invocation, context);
      const left = leftOut(core, code);
      if (invocation.isOn("json")) {
        const sources = code.sources.map(({ text, ...source }) => ({
          ...source,
          isKept: text !== undefined,
          ...(text === undefined || written !== undefined ? {} : { text }),
          ...(written === undefined ? {} : { isWritten: written.includes(source.path) }),
        }));
        context.stdout.write(`${JSON.stringify({ ...code, sources })}\n`);
      } else if (written === undefined) list(code, context);
      for (const { path, why } of left)
        context.stderr.write(`${context.stderr.paint.yellow("!")} ${plain(path)}: ${why}\n`);
      if (written !== undefined && output !== undefined)
        context.stderr.write(
          `${context.stderr.paint.green("✓")} ${count(written.length, "source")} of ${code.run} in ${plain(output)}\n`,
        );
      // Whoever wants the sources back must not take a part of them for all.
      return written !== undefined && left.length > 0 ? EXIT.failed : EXIT.done;
    }),
};

async function write(
  core: Core,
  code: RunCode,
  output: string,
  store: string,
  invocation: { isOn(flag: string): boolean },
  context: Context,
): Promise<readonly string[]> {
  const folder = resolve(context.cwd, output);
  // Asked of a file in it: a folder that is there is the usual case.
  const why = core.whyNoOutput(resolve(folder, "source"), store);
  if (why === "it lies in the store") {
    throw new core.FlowError("FLOW_CLI_OUTPUT_NOT_WRITABLE", {
      message: `Cannot write to "${output}": ${why}`,
      hint: "Name a folder of your own",
    });
  }
  try {
    return await core.writeSources(code.sources, folder, { force: invocation.isOn("force") });
  } catch (cause) {
    if (core.isFlowError(cause)) throw cause;
    throw new core.FlowError("FLOW_CLI_OUTPUT_NOT_WRITABLE", {
      message: `Cannot write to "${output}"`,
      hint: "Name a folder that can be written",
      cause,
    });
  }
}

/** Sources that cannot be given back, and why. */
function leftOut(core: Core, { sources }: RunCode): readonly { readonly path: string; readonly why: string }[] {
  return sources.flatMap(({ path, text }) => {
    const why = text === undefined ? "the package does not hold it" : core.whyNoPlace(path);
    return why === undefined ? [] : [{ path, why }];
  });
}

function list({ run, digest, entry, sources, externals }: RunCode, { stdout }: Context): void {
  const { paint } = stdout;
  stdout.write(`${paint.bold(run)} ${plain(entry)}  ${paint.dim(`sha256 ${digest}`)}\n\n`);
  stdout.write(
    renderTable(
      [{ title: "SOURCE", shrinkTo: 20 }, { title: "SIZE", align: "right" }, { title: "SHA-256" }],
      sources.map(({ path, digest: own, text }) => [
        plain(path),
        text === undefined ? "not kept" : byteSize(Buffer.byteLength(text)),
        own.slice(0, 16),
      ]),
      { paint, width: stdout.columns() },
    ),
  );
  const packages = [...new Set(externals.map(({ name, version }) => `${name}@${version ?? "(not installed)"}`))];
  if (packages.length > 0) stdout.write(`\nwith ${plain(packages.sort().join(", "))}\n`);
}
