import type { Flow } from "../flow/flow.ts";
import type { FlowClass } from "../flow/public-types.ts";
import type { RunId } from "../ids/run-id.ts";
import type { HookName } from "../runner/protocol.ts";
import { clientOf, openDefaultStores } from "./default-store.ts";

type Hooks = { readonly [Name in HookName]?: (run: unknown) => unknown };

/** Calls a static method of a flow with one of its runs, which it can read as any program can. */
export async function callHook(flowClass: FlowClass<Flow>, hook: HookName, id: RunId): Promise<void> {
  const run = await clientOf(await openDefaultStores(false)).run(id);
  await (flowClass as unknown as Hooks)[hook]?.(run);
}
