import type { OpenStores, Selector } from "@millrace/core/internal";
import { type Core, loadCore } from "../core.ts";
import { renderWarning } from "../render/errors.ts";
import type { Context, Invocation } from "./command.ts";

/** Opens the store that the words and the environment name, for reading, and closes it whatever happens. */
export async function withStores(
  invocation: Invocation,
  context: Context,
  work: (stores: OpenStores, core: Core) => Promise<number>,
): Promise<number> {
  const core = await loadCore();
  const store = invocation.text("store");
  const stores = await core.openStores({
    ...(store === undefined ? {} : { store }),
    cwd: context.cwd,
    environment: context.environment,
    create: false,
  });
  try {
    return await work(stores, core);
  } finally {
    await stores.close();
  }
}

/** What a command makes of a selector's tail; `dump` alone takes all of it. */
interface Takes {
  /** How the command is called: `flow show`. */
  readonly command: string;
  readonly most: "run" | "task" | "artifact";
}

/** Refuses a selector that says more than the command would look at: it must not act on the whole run instead. */
export function refuseTail(core: Core, selector: Selector, { command, most }: Takes): void {
  const tail =
    selector.artifact !== undefined && most !== "artifact"
      ? `the artifact "${selector.artifact}"`
      : selector.step !== undefined && most === "run"
        ? `the step "${selector.step}"`
        : undefined;
  if (tail === undefined) return;
  const hint =
    most === "run"
      ? "Name a run alone, such as Train/17 or Train@prod:v1"
      : `Leave the artifact away, or type flow dump ${selector.text} for its value`;
  throw new core.FlowError("FLOW_CLIENT_BAD_SELECTOR", {
    message: `${command} takes a run${most === "run" ? "" : ", a step or a task"}: "${selector.text}" names ${tail}`,
    hint,
    context: { selector: selector.text },
  });
}

/** The run, with step, path and artifact, that a selector names; that several runs fit is said on stderr. */
export async function selectRun(
  core: Core,
  stores: OpenStores,
  text: string,
  context: Context,
  { successfulOnly = false, ...takes }: Takes & { readonly successfulOnly?: boolean },
) {
  refuseTail(core, core.parseSelector(text), takes);
  const selected = await core.findRun(stores.metadata, text, { successfulOnly }).catch((error: unknown) => {
    throw successfulOnly ? error : anyState(core, text, error);
  });
  for (const warning of selected.warnings) context.stderr.write(`${renderWarning(warning, context.stderr.paint)}\n`);
  return selected;
}

/** "No successful run of Hell" says too much where any run would have done: there is none at all. */
function anyState(core: Core, text: string, error: unknown): unknown {
  if (!core.isFlowError(error, "FLOW_LINEAGE_NO_RUN")) return error;
  const { flow, number, tags, runId } = core.parseSelector(text);
  if (flow === undefined || number !== undefined || tags !== undefined || runId !== undefined) return error;
  return new core.FlowError("FLOW_LINEAGE_NO_RUN", {
    message: `Cannot find "${text}": there is no run of ${flow}`,
    context: error.context,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}
