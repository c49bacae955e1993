/**
 * What ended the command when nothing is left that could wake it and it still waits. All that it waits for itself comes or
 * fails; so it is code of the user, which is loaded here: an await at the top level of a module.
 */
export function neverSettled(): Error {
  return Object.assign(new Error("Cannot go on: what is waited for never comes"), {
    [Symbol.for("millrace.FlowError")]: true,
    code: "FLOW_CLI_NEVER_SETTLED",
    hint: "Look for an await at the top level of the flow file, or of a module that it loads, whose promise nothing resolves",
    problems: [],
    context: {},
  });
}
