/** `flow lineage … --openlineage FILE|URL`: the runs of a lineage as events, in a file or sent to an endpoint. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Lineage, OpenLineageEvent, OpenStores } from "@millrace/core/internal";
import type { Core } from "../core.ts";
import { EXIT } from "../exit-code.ts";
import { count, plain } from "../render/text.ts";
import type { Context, Invocation } from "./command.ts";

/** What clients of OpenLineage call it. */
const KEY_VARIABLE = "OPENLINEAGE_API_KEY";

export async function exportOpenLineage(
  core: Core,
  { metadata, artifacts, folder }: OpenStores,
  { lineage, target }: { readonly lineage: Lineage; readonly target: string },
  invocation: Invocation,
  context: Context,
): Promise<number> {
  const named = invocation.text("key-env");
  const events = core.openLineageEvents(metadata, lineage, artifacts);
  const isUrl = /^https?:\/\//i.test(target);
  if (named !== undefined && !isUrl) {
    throw new core.FlowError("FLOW_CLI_BAD_VALUE", {
      message: "--key-env names the key of an endpoint, and a file needs none",
      hint: "Leave it away, or give the address of an endpoint",
    });
  }
  const done = isUrl
    ? await core.sendEvents(urlOf(core, target), events, keyOf(core, named, context))
    : await writeEvents(core, events, target, folder, context);
  if (target !== "-")
    context.stderr.write(
      `${context.stderr.paint.green("✓")} ${count(done, "event")} to ${plain(withoutQuery(target))}\n`,
    );
  if (!lineage.isWhole)
    context.stderr.write(
      context.stderr.paint.dim(`These are ${count(lineage.runs.length, "run")}, cut by --depth or --limit\n`),
    );
  return EXIT.done;
}

function urlOf(core: Core, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && url.username === "" && url.password === "") return url;
  throw new core.FlowError("FLOW_CLI_BAD_VALUE", {
    message:
      url === undefined
        ? `--openlineage: "${text}" is no address`
        : "--openlineage: an address must not hold a user or a password",
    hint: `Put the key into an environment variable: ${KEY_VARIABLE}, or another one with --key-env NAME`,
  });
}

/** Never a part of the command line, which is recorded by shells and shown by the system. */
function keyOf(core: Core, named: string | undefined, { environment }: Context): { readonly key?: string } {
  const key = environment[named ?? KEY_VARIABLE];
  if (key !== undefined && key !== "") return { key };
  if (named === undefined) return {};
  throw new core.FlowError("FLOW_CLI_BAD_VALUE", {
    message: `--key-env: the environment variable "${named}" holds nothing`,
    hint: "Set it to the key of the endpoint",
  });
}

async function writeEvents(
  core: Core,
  events: AsyncIterable<OpenLineageEvent>,
  target: string,
  store: string,
  context: Context,
): Promise<number> {
  const lines: string[] = [];
  for await (const event of events) lines.push(`${JSON.stringify(event)}\n`);
  if (target === "-") {
    context.stdout.write(lines.join(""));
    return lines.length;
  }
  const file = resolve(context.cwd, target);
  const why = core.whyNoOutput(file, store);
  try {
    if (why === undefined) await writeFile(file, lines.join(""));
  } catch (cause) {
    throw new core.FlowError("FLOW_CLI_OUTPUT_NOT_WRITABLE", {
      message: `Cannot write "${target}"`,
      hint: "Name a file in a folder that can be written",
      cause,
    });
  }
  if (why !== undefined) {
    throw new core.FlowError("FLOW_CLI_OUTPUT_NOT_WRITABLE", {
      message: `Cannot write "${target}": ${why}`,
      hint: "Name a file of your own, or write to standard output with --openlineage -",
    });
  }
  return lines.length;
}

function withoutQuery(target: string): string {
  return target.replace(/\?.*$/, "");
}
