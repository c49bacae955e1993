/** `flow build FILE`: the code package of a flow file as one file, which runs anywhere without sources and bundler. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { type Core, loadCore } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { count } from "../render/text.ts";
import { type Command, DEBUG_FLAG, JSON_FLAG } from "./command.ts";

export const buildCommand: Command = {
  usage: "build FILE [--output FILE.flow]",
  positionals: [{ name: "FILE", help: "The flow file: a .ts module that exports a flow", required: true }],
  flags: [
    {
      name: "output",
      short: "o",
      type: "text",
      placeholder: "FILE",
      notEmpty: "a file",
      help: "Where to write it (default: the flow file's name with .flow, here)",
    },
    JSON_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["build train.ts -o dist/train.flow", "one file with all code of the workspace in it"],
    ["run dist/train.flow --tag prod:v1", "runs it, without its sources"],
  ],
  notes:
    'A program runs it with run("./train.flow", …). Installed packages are not in it: they are looked for from the folder that it lies in, upwards.',
  async run(invocation, { stdout, cwd }) {
    const core = await loadCore();
    const pack = await core.preparePackage(invocation.positionals[0]!);
    for (const { definition } of pack.flows) core.checkGraph(definition);
    const file = outputFile(core, invocation.positionals[0]!, invocation.text("output"));
    const bytes = await core.packFlow(pack);
    await writeFile(path.resolve(cwd, file), bytes).catch((cause: unknown) => {
      throw notWritten(core, file, cause);
    });
    const packages = installedPackages(pack.manifest.externals);
    if (invocation.isOn("json")) {
      const flows = pack.flows.map(({ definition }) => ({ project: definition.project, name: definition.name }));
      stdout.write(`${JSON.stringify({ file, sizeBytes: bytes.byteLength, package: pack.digest, flows, packages })}\n`);
      return EXIT.done;
    }
    const { paint } = stdout;
    const names = pack.flows.map(({ definition }) => paint.bold(definition.name)).join(", ");
    stdout.write(`${paint.green("✓")} ${names}: ${file}, ${Math.ceil(bytes.byteLength / 1024)} KB\n`);
    if (packages.length > 0)
      stdout.write(`  ${count(packages.length, "package")} to install where it runs: ${packages.join(" ")}\n`);
    stdout.write(`  flow run ${core.shellWord(file)}\n`);
    return EXIT.done;
  },
};

function outputFile(core: Core, entry: string, output: string | undefined): string {
  const file = output ?? `${path.basename(entry).replace(/\.[^.]+$/, "")}${core.ARCHIVE_ENDING}`;
  return file.endsWith(core.ARCHIVE_ENDING) ? file : `${file}${core.ARCHIVE_ENDING}`;
}

/** `name@version` of what stays outside, once each; core is brought along by whoever runs the flow. */
function installedPackages(
  externals: readonly { readonly name: string; readonly version?: string }[],
): readonly string[] {
  const names = externals
    .filter(({ name, version }) => version !== undefined && name !== "@millrace/core")
    .map(({ name, version }) => `${name}@${version}`);
  return [...new Set(names)].sort();
}

function notWritten(core: Core, file: string, cause: unknown): Error {
  return new core.FlowError("FLOW_CLI_OUTPUT_NOT_WRITABLE", {
    message: `Cannot write "${file}": ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: "Name a file in a folder that exists and can be written: --output FILE",
    cause,
  });
}
