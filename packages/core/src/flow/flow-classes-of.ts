import { FLOW_MARK, isFlowClass } from "./flow.ts";
import type { FlowClass } from "./public-types.ts";
import { stepFactsOf } from "./step-facts.ts";

/** A flow that a module exports. */
export interface ExportedFlow {
  readonly exportName: string;
  readonly flow: FlowClass;
}

/**
 * The flows that a module exports, the default export first, each once.
 *
 * Abstract bases cannot be told from other classes once types are gone, except that they usually have no complete set
 * of steps; classes without any step are left out.
 */
export function flowClassesOf(moduleNamespace: object): readonly ExportedFlow[] {
  const names = Object.keys(moduleNamespace).sort(
    (left, right) => Number(right === "default") - Number(left === "default"),
  );
  const found = new Map<unknown, ExportedFlow>();
  for (const exportName of names) {
    const value: unknown = (moduleNamespace as Record<string, unknown>)[exportName];
    if (!isFlowClass(value) || found.has(value) || stepFactsOf(value).steps.length === 0) continue;
    found.set(value, { exportName, flow: value as FlowClass });
  }
  return [...found.values()];
}

/** Names of the exported classes that extend Flow and have no step, by class or export name. */
export function steplessFlowsOf(moduleNamespace: object): readonly string[] {
  const names = Object.entries(moduleNamespace).flatMap(([exportName, value]: [string, unknown]) => {
    // Flow itself, exported once more, carries the mark as its own.
    if (!isFlowClass(value) || Object.hasOwn(value, FLOW_MARK) || stepFactsOf(value).steps.length > 0) return [];
    return [value.name === "" ? exportName : value.name];
  });
  return [...new Set(names)];
}
