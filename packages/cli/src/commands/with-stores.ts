import type { OpenStores } from "@millrace/core/internal";
import { type Core, loadCore } from "../core.ts";
import { renderWarning } from "../render/run-lines.ts";
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

/** The run, with step, path and artifact, that a selector names; that several runs fit is said on stderr. */
export async function selectRun(
  core: Core,
  stores: OpenStores,
  text: string,
  context: Context,
  options: { readonly successfulOnly?: boolean } = {},
) {
  const selected = await core.findRun(stores.metadata, text, options);
  for (const { code, message, hint } of selected.warnings) {
    context.stderr.write(
      `${renderWarning({ code, message, ...(hint === undefined ? {} : { hint }) }, context.stderr.paint)}\n`,
    );
  }
  return selected;
}
