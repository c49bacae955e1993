/** Flags that say how a run is executed, the same for `flow run` and `flow resume`. */
import type { LaunchRequest } from "@millrace/core/internal";
import type { Flag } from "../arguments/flag.ts";
import type { Invocation } from "./command.ts";

export const CONDUCT_FLAGS: readonly Flag[] = [
  {
    name: "with",
    type: "list",
    placeholder: "WORDS",
    notEmpty: "a behaviour, such as retry=3",
    help: "Behaviour for every step that does not state it itself, such as retry=3 or timeout=5m",
  },
  { name: "finish-siblings", type: "boolean", help: "After a failure, let the tasks that can still run go on" },
  {
    name: "cache",
    type: "boolean",
    negatable: true,
    help: "Take tasks over from earlier runs that had the same code and inputs; --no-cache takes none",
  },
  { name: "max-rounds", type: "number", min: 1, placeholder: "N", help: "How often a loop may come back to a step" },
  {
    name: "max-depth",
    type: "number",
    min: 1,
    placeholder: "N",
    help: "Levels of runs that steps may start inside each other (default: 8)",
  },
];

/** Only what was given: what was not is as each step has it, or as the resumed run had it. */
export function conductOf(
  own: Invocation,
): Pick<LaunchRequest, "with" | "finishSiblings" | "cache" | "maxRounds" | "maxDepth"> {
  return {
    ...(own.list("with").length === 0 ? {} : { with: own.list("with") }),
    ...(own.isOn("finish-siblings") ? { finishSiblings: true } : {}),
    ...optional("cache", cacheOf(own)),
    ...optional("maxRounds", own.number("max-rounds")),
    ...optional("maxDepth", own.number("max-depth")),
  };
}

/** `--cache`, `--no-cache`, or neither: then each step decides. */
function cacheOf(own: Invocation): "on" | "off" | undefined {
  const value = own.values.get("cache");
  return value === undefined ? undefined : value === true ? "on" : "off";
}

/** A property that is there only when it has a value. */
export function optional<Key extends string, Value>(
  key: Key,
  value: Value | undefined,
): { readonly [K in Key]?: Value } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [K in Key]?: Value });
}
