import { setTimeout as wait } from "node:timers/promises";
import { FlowError } from "../../packages/core/src/errors/flow-error.ts";
import type { MetadataStore } from "../../packages/core/src/metadata/metadata-store.ts";
import { type PlannedFaults, STALL_MS } from "./planned-faults.ts";

/** What a write that is not done is said to have done. */
const LIES: Readonly<Record<string, unknown>> = { commitTick: [], putPackage: undefined, heartbeat: undefined };

/**
 * A store of records that does what another one does, but for the calls that are planned to go wrong. A lie is told of
 * writes that answer nothing, and half an answer given where the answer is a list; elsewhere both are failures.
 */
export function faultyMetadataStore(store: MetadataStore, faults: PlannedFaults): MetadataStore {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function" || typeof name !== "string" || name === "close") {
        return typeof value === "function" ? value.bind(target) : value;
      }
      return async (...args: unknown[]) => {
        const kind = faults.next(name);
        if (kind === "fail") throw failure(name);
        if (kind === "lie") {
          if (name in LIES) return LIES[name];
          throw failure(name);
        }
        if (kind === "stall") await wait(STALL_MS);
        const answer: unknown = await Reflect.apply(value, target, args);
        if (kind === "lose") throw failure(name);
        if (kind !== "truncate") return answer;
        if (Array.isArray(answer)) return answer.slice(0, answer.length / 2);
        throw failure(name);
      };
    },
  });
}

function failure(verb: string): FlowError {
  return new FlowError("FLOW_METADATA_UNAVAILABLE", { message: `Cannot do "${verb}": it was planned to fail` });
}
