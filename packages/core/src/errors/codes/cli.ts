import type { CodeEntry } from "../code-table.ts";

export const cliCodes = {
  FLOW_CLI_UNKNOWN_COMMAND: {
    meaning: "The flow command has no such verb",
    cause: "A typing error, or the verb was left out before a flow file",
    remedy: "Type flow --help for the list of commands",
  },
  FLOW_CLI_UNKNOWN_FLAG: {
    meaning: "A flag is known neither to the command nor to the flow",
    cause: "A typing error, a flag of another command, or a parameter that the flow does not declare",
    remedy: "Take the flag that the message suggests, or type the command with --help for the list",
  },
  FLOW_CLI_NEVER_SETTLED: {
    meaning: "A command waits for something that never comes",
    cause: "An await at the top level of a flow file, or of a module that it loads, whose promise nothing resolves",
    remedy: "Resolve it, or wait inside of a step",
  },
  FLOW_CLI_MISSING_VALUE: {
    meaning: "A flag that needs a value stands without one",
    cause: "The value was left out, or the next word begins with a dash",
    remedy: "Write --flag VALUE, or --flag=VALUE when the value begins with a dash",
  },
  FLOW_CLI_BAD_VALUE: {
    meaning: "The value of a flag of the command itself is not allowed",
    cause: "Not a number, out of range, or not one of the choices",
    remedy: "Give one of the values that the message names",
  },
  FLOW_CLI_REPEATED_FLAG: {
    meaning: "A flag that takes one value is given more than once",
    cause: "The same flag stands twice, perhaps in its long and its short form",
    remedy: "Keep one of them",
  },
  FLOW_CLI_MISSING_ARGUMENT: {
    meaning: "An argument that the command needs is missing",
    cause: "The file or selector was left out",
    remedy: "Type the command with --help to see its arguments",
  },
  FLOW_CLI_UNEXPECTED_ARGUMENT: {
    meaning: "The command got more arguments than it takes",
    cause: "A value with spaces without quotes, or a value whose flag was left out",
    remedy: "Quote values with spaces, or put the flag in front of its value",
  },
  FLOW_CLI_FLAG_CLASH: {
    meaning:
      "A parameter, file or upstream of the flow would have a flag that flow run itself uses, or that another one has",
    cause: "A field named like a flag of the command (tag, store, json, …), or two fields with one flag",
    remedy: "Rename the field",
  },
  FLOW_CLI_OUTPUT_NOT_WRITABLE: {
    meaning: "The file named by --output cannot be written",
    cause: "The folder does not exist, is not writable, or the disk is full",
    remedy: "Name a file in a folder that can be written",
  },
  FLOW_CLI_TOO_MANY_FILES: {
    meaning: "The system lets the command open no more files",
    cause: "A low limit of open files (ulimit -n), or a machine on which all programs together have too many open",
    remedy: "Raise the limit, or run with fewer workers (--max-workers)",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
