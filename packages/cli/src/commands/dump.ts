/** `flow dump SELECTOR [ARTIFACT …]`: stored values, readable, as JSON, or as the very bytes that were stored. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { ArtifactRow, OpenStores, RunRow, Selector, TaskRow } from "@millrace/core/internal";
import type { Core } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { figureText } from "../render/figure.ts";
import { byteSize, harmless, plain } from "../render/text.ts";
import { jsonSafe, renderValue } from "../render/value.ts";
import { type Command, type Context, DEBUG_FLAG, JSON_FLAG, STORE_FLAG } from "./command.ts";
import { selectRun, withStores } from "./with-stores.ts";

/** Larger payloads are not turned into JSON text, which would be several times as large in memory. */
const MAX_JSON_BYTES = 64 * 1024 * 1024;

export const dumpCommand: Command = {
  usage: "dump SELECTOR [ARTIFACT …] [-o FILE]",
  positionals: [
    {
      name: "SELECTOR",
      help: "A run (Train/17, Train@prod:v1), a task (Train/17/fold/1.2), or either with .artifact behind it",
      required: true,
    },
    { name: "ARTIFACT", help: "Only these (default: all)", required: false, many: true },
  ],
  flags: [
    {
      name: "output",
      type: "text",
      short: "o",
      placeholder: "FILE",
      help: "Write the stored bytes of one artifact to a file; - is stdout",
    },
    { ...JSON_FLAG, help: "Print one JSON object an artifact, with notes on what JSON cannot hold" },
    STORE_FLAG,
    DEBUG_FLAG,
  ],
  examples: [
    ["dump Train@prod:v1 score", ""],
    ["dump Train/17.modeler -o modeler.cbor", "the stored bytes, which sha256sum can check"],
  ],
  run: (invocation, context) =>
    withStores(invocation, context, async (stores, core) => {
      const { run, selector } = await selectRun(core, stores, invocation.positionals[0]!, context, {
        command: "flow dump",
        most: "artifact",
      });
      const owner = await readOwner(core, stores, run, selector);
      const names = [
        ...(selector.artifact === undefined ? [] : [selector.artifact]),
        ...invocation.positionals.slice(1),
      ];
      const wanted = choose(core, owner, names);
      const output = invocation.text("output");
      if (output !== undefined) return await save(core, stores, owner, wanted, output, context);
      if (invocation.isOn("json")) return await printJson(core, stores, owner, wanted, names, context);
      return await print(core, stores, owner, wanted, names, context);
    }),
};

/** A run's end result or a task, with the artifacts that are to be had. */
export interface Owner {
  readonly name: string;
  readonly status: string;
  readonly run: RunRow;
  readonly artifacts: readonly (ArtifactRow & { readonly kind: string })[];
}

export async function readOwner(core: Core, { metadata }: OpenStores, run: RunRow, selector: Selector): Promise<Owner> {
  const values = await metadata.runValues(run.sequence);
  const withValues = (rows: readonly ArtifactRow[]): Owner["artifacts"] => [
    ...rows.map((row) => ({ ...row, kind: "artifact" })),
    ...values,
  ];
  const doing = `Cannot read ${core.runName(run)}`;
  if (selector.step === undefined) {
    await core.refuseChangedRecords(metadata, run, run.endTask, doing);
    const visible = run.endTask === undefined ? [] : await metadata.visibleArtifacts(run.endTask);
    return { name: core.runName(run), status: run.status, run, artifacts: withValues(visible) };
  }
  const tasks: TaskRow[] = [];
  for await (const task of core.listTasks(metadata, run, {
    step: selector.step,
    ...(selector.path === undefined ? {} : { path: selector.path }),
  })) {
    tasks.push(task);
    if (tasks.length > 1) break;
  }
  const [task, second] = tasks;
  if (task === undefined) throw await core.noTask(metadata, run, selector.step, selector.path);
  if (second !== undefined) {
    throw new core.FlowError("FLOW_CLIENT_BAD_SELECTOR", {
      message: `Cannot tell which task of ${core.runName(run)}/${selector.step} is meant: there are several`,
      hint: `Name one, such as ${core.taskName(run, task)}; flow show ${core.runName(run)}/${selector.step} lists them`,
    });
  }
  await core.refuseChangedRecords(metadata, run, task.sequence, doing);
  return {
    name: core.taskName(run, task),
    status: task.status,
    run,
    artifacts: withValues(await metadata.visibleArtifacts(task.sequence)),
  };
}

export function choose(core: Core, owner: Owner, names: readonly string[], verb = "dump"): Owner["artifacts"] {
  if (names.length === 0) return owner.artifacts;
  const known = owner.artifacts.map((artifact) => artifact.name);
  const problems = names
    .filter((name) => !known.includes(name))
    .map((name) => {
      const nearest = core.nearestName(name, known);
      const list =
        known.length === 0
          ? `It ${owner.status === "succeeded" ? "left" : `${owner.status} and left`} none`
          : `There are ${known.slice(0, 20).join(", ")}${known.length > 20 ? ", …" : ""}`;
      return {
        code: "FLOW_CLIENT_NO_ARTIFACT" as const,
        message: `"${name}" is no artifact of ${owner.name}`,
        hint: nearest === undefined ? list : `Did you mean "${nearest}"?`,
      };
    });
  if (problems.length > 0) throw core.problemsError(`Cannot ${verb} from ${owner.name}`, problems);
  return names.map((name) => owner.artifacts.find((artifact) => artifact.name === name)!);
}

/** The payload, checked against its digest. */
async function payloadOf(stores: OpenStores, owner: Owner, artifact: ArtifactRow): Promise<Uint8Array> {
  const subject = `"${artifact.name}" of ${owner.name}`;
  return await stores.artifacts.payload(artifact, await stores.metadata.blob(artifact.digest), { subject });
}

async function readValue(core: Core, stores: OpenStores, owner: Owner, artifact: ArtifactRow): Promise<unknown> {
  return await core.readArtifact(stores, owner.run, owner.name, artifact);
}

async function save(
  core: Core,
  stores: OpenStores,
  owner: Owner,
  wanted: Owner["artifacts"],
  output: string,
  context: Context,
): Promise<number> {
  const [artifact, second] = wanted;
  if (artifact === undefined || second !== undefined) {
    throw new core.FlowError("FLOW_CLI_MISSING_ARGUMENT", {
      message: `--output writes one artifact, ${owner.name} has ${wanted.length}`,
      hint: "Name the artifact behind the selector",
    });
  }
  const payload = await payloadOf(stores, owner, artifact);
  if (output === "-") {
    context.stdout.write(payload);
    return EXIT.done;
  }
  const file = resolve(context.cwd, output);
  const why = core.whyNoOutput(file, stores.folder);
  if (why !== undefined) {
    throw new core.FlowError("FLOW_CLI_OUTPUT_NOT_WRITABLE", {
      message: `Cannot write "${output}": ${why}`,
      hint: "Name a file of your own, or write to standard output with -o -",
    });
  }
  try {
    await writeFile(file, payload);
  } catch (cause) {
    throw new core.FlowError("FLOW_CLI_OUTPUT_NOT_WRITABLE", {
      message: `Cannot write "${output}"`,
      hint: "Name a file in a folder that can be written",
      cause,
    });
  }
  context.stderr.write(
    `${context.stderr.paint.green("✓")} ${artifact.name} of ${owner.name}: ${byteSize(payload.byteLength)} of ${artifact.codec} in ${output}\n`,
  );
  return EXIT.done;
}

async function printJson(
  core: Core,
  stores: OpenStores,
  owner: Owner,
  wanted: Owner["artifacts"],
  names: readonly string[],
  context: Context,
): Promise<number> {
  for (const artifact of wanted) {
    if (artifact.sizeBytes > MAX_JSON_BYTES) {
      throw new core.FlowError("FLOW_CLI_BAD_VALUE", {
        message: `Cannot print "${artifact.name}" of ${owner.name} as JSON: it has ${byteSize(artifact.sizeBytes)}, the limit is ${byteSize(MAX_JSON_BYTES)}`,
        hint: `Type flow dump ${owner.name} ${artifact.name} -o FILE`,
      });
    }
    if (artifact.gone !== undefined && names.length === 0) {
      const { name, kind, codec, digest, sizeBytes, gone } = artifact;
      const record = { of: owner.name, runId: owner.run.id, name, kind, codec, digest, sizeBytes, gone };
      context.stdout.write(`${JSON.stringify(record)}\n`);
      continue;
    }
    const { value, notes, isExact } = jsonSafe(await readValue(core, stores, owner, artifact));
    const figure = await core.readFigure(stores, artifact);
    const { name, kind, codec, digest, sizeBytes } = artifact;
    context.stdout.write(
      `${JSON.stringify({ of: owner.name, runId: owner.run.id, name, kind, codec, digest, sizeBytes, value, ...(figure && { figure }), ...(isExact ? {} : { notInJson: notes }) })}\n`,
    );
  }
  return exitCode(wanted);
}

async function print(
  core: Core,
  stores: OpenStores,
  owner: Owner,
  wanted: Owner["artifacts"],
  names: readonly string[],
  context: Context,
): Promise<number> {
  const { stdout } = context;
  const { paint } = stdout;
  const style = { colours: paint.isColorSupported, width: stdout.columns() };
  let failed: unknown;
  for (const artifact of wanted) {
    let text: string;
    try {
      const value = await readValue(core, stores, owner, artifact);
      const figure = await core.readFigure(stores, artifact);
      // One text that was asked for by name is printed as it is: it is what a pipe wants.
      text =
        names.length === 1 && typeof value === "string"
          ? stdout.isTerminal
            ? harmless(value, { colours: false })
            : value
          : renderValue(value, style) + (figure === undefined ? "" : `\n${figureText(figure)}`);
    } catch (error) {
      if (names.length > 0 || !core.isFlowError(error) || error.code === "FLOW_INTERNAL") throw error;
      // Given up on purpose is no failure of a dump of everything.
      if (error.code !== "FLOW_ARTIFACT_GONE") failed ??= error;
      text = (error.code === "FLOW_ARTIFACT_GONE" ? paint.dim : paint.red)(
        `✗ ${harmless(error.message, { colours: false })}`,
      );
    }
    if (names.length === 1) stdout.write(text.endsWith("\n") ? text : `${text}\n`);
    else
      stdout.write(
        `${paint.bold(plain(artifact.name))} ${paint.dim(`${artifact.kind}, ${plain(artifact.codec)}, ${byteSize(artifact.sizeBytes)}`)}\n${text.replace(/^/gm, "  ")}\n`,
      );
  }
  if (wanted.length === 0)
    context.stderr.write(
      `${owner.name} left no artifacts${owner.status === "succeeded" ? "" : `: it ${owner.status}`}\n`,
    );
  if (failed !== undefined) throw failed;
  const { left, gone } = goneOf(wanted);
  if (gone.length > 0) {
    const which = gone.length === left.length ? "All" : `${gone.length} of the ${left.length}`;
    const names = gone.map(({ name }) => plain(name)).join(", ");
    context.stderr.write(`${which} artifacts of ${owner.name} are not kept any more: ${names}\n`);
  }
  return exitCode(wanted);
}

/** What was given up on purpose is no failure of a dump of everything, unless it is all that was left. */
function exitCode(wanted: Owner["artifacts"]): number {
  const { left, gone } = goneOf(wanted);
  return gone.length > 0 && gone.length === left.length ? EXIT.failed : EXIT.done;
}

function goneOf(wanted: Owner["artifacts"]): { readonly left: Owner["artifacts"]; readonly gone: Owner["artifacts"] } {
  const left = wanted.filter(({ kind }) => kind === "artifact");
  return { left, gone: left.filter(({ gone }) => gone !== undefined) };
}
