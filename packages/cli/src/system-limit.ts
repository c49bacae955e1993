/**
 * What the system refuses to any program is no defect of ours: that no more files may be open can meet each file that is
 * opened, those of the command and of Node included. Made without the framework, which could not be loaded any more.
 */
export function asSystemLimit(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || !("code" in thrown) || !NO_FILES_LEFT.has(String(thrown.code))) return thrown;
  const error = new Error(`Cannot go on: ${thrown.message.replace(/^\w+: /, "")} (${String(thrown.code)})`, {
    cause: thrown,
  });
  return Object.assign(error, {
    [Symbol.for("millrace.FlowError")]: true,
    code: "FLOW_CLI_TOO_MANY_FILES",
    hint: "Raise the limit of open files (ulimit -n)",
    problems: [],
    context: {},
  });
}

/** EMFILE: of this process; ENFILE: of the whole machine. */
const NO_FILES_LEFT = new Set(["EMFILE", "ENFILE"]);
