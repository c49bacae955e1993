import { FlowError } from "../../errors/flow-error.ts";

/** Ends the reading of a value whose type the running Node.js lacks. */
export function unsupportedType(name: string): never {
  throw new FlowError("FLOW_ARTIFACT_UNSUPPORTED", {
    message: `Cannot read a ${name}: Node.js ${process.versions.node} has no such type`,
    hint: "Use Node.js 24 or newer",
    context: { type: name },
  });
}
