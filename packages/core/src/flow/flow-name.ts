import type { Problem } from "../errors/flow-error.ts";
import { isName } from "../ids/names.ts";

/** The name of a flow: its own `static flowName`, or the class's name. One inherited from a base class does not count. */
export function flowNameOf(flowClass: object): string {
  const given = Object.hasOwn(flowClass, "flowName")
    ? (flowClass as { readonly flowName?: unknown }).flowName
    : undefined;
  return typeof given === "string" ? given : String((flowClass as { readonly name?: unknown }).name ?? "");
}

/** Why a class cannot be a flow by its name, or by the names it had before. */
export function flowNameProblem(flowClass: object): Problem | undefined {
  const name = flowNameOf(flowClass);
  const hasOwnName =
    Object.hasOwn(flowClass, "flowName") && (flowClass as { readonly flowName?: unknown }).flowName !== undefined;
  if (!hasOwnName && (name === "" || name === "default")) {
    return {
      code: "FLOW_DEFINITION_ANONYMOUS",
      message: "The flow class has no name, so its runs could not be found again",
      hint: "Name the class: export default class Train extends Flow",
    };
  }
  if (!isName(name)) {
    return {
      code: "FLOW_DEFINITION_ANONYMOUS",
      message: `${JSON.stringify(name)} cannot be the name of a flow: it is not an identifier of at most 128 ASCII characters`,
      hint: 'Give the class a static flowName = "Train"',
    };
  }
  const formerly: unknown = Object.hasOwn(flowClass, "formerly")
    ? (flowClass as { readonly formerly?: unknown }).formerly
    : [];
  if (Array.isArray(formerly) && formerly.every((old) => typeof old === "string" && isName(old) && old !== name))
    return undefined;
  return {
    code: "FLOW_DEFINITION_BAD_NAME",
    message: "static formerly is not a list of earlier names of the flow",
    hint: 'Write static formerly = ["OldName"]',
  };
}
