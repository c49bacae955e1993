import type { CommandEntry } from "./command.ts";
import { storeCommands } from "./store/store.ts";

/** The commands in the order of `flow --help`: what a user meets first comes first. */
export const commandTable: readonly CommandEntry[] = [
  { name: "run", summary: "Run a flow", load: async () => (await import("./run.ts")).runCommand },
  {
    name: "resume",
    summary: "Go on with a run that stopped, or run a part of it again",
    load: async () => (await import("./resume.ts")).resumeCommand,
  },
  {
    name: "check",
    summary: "Check a flow without running it",
    load: async () => (await import("./check.ts")).checkCommand,
  },
  { name: "graph", summary: "Draw the steps of a flow", load: async () => (await import("./graph.ts")).graphCommand },
  {
    name: "build",
    summary: "Build a flow into one file that runs without its sources",
    load: async () => (await import("./build.ts")).buildCommand,
  },
  { name: "runs", summary: "List runs, newest first", load: async () => (await import("./runs.ts")).runsCommand },
  {
    name: "show",
    summary: "Show a run, step or task with what it read and left",
    load: async () => (await import("./show.ts")).showCommand,
  },
  {
    name: "compare",
    summary: "Put runs side by side: parameters, metrics, what they read",
    load: async () => (await import("./compare.ts")).compareCommand,
  },
  { name: "logs", summary: "Print what tasks wrote", load: async () => (await import("./logs.ts")).logsCommand },
  { name: "dump", summary: "Print or save artifacts", load: async () => (await import("./dump.ts")).dumpCommand },
  {
    name: "step",
    summary: "Run one step again on what it began with",
    load: async () => (await import("./step.ts")).stepCommand,
  },
  {
    name: "lineage",
    summary: "Show what a run was made from, or what was made from it",
    load: async () => (await import("./lineage.ts")).lineageCommand,
  },
  {
    name: "diff",
    summary: "Show how two runs differ",
    load: async () => (await import("./diff.ts")).diffCommand,
  },
  {
    name: "code",
    summary: "Give the sources back that a run was made with",
    load: async () => (await import("./code.ts")).codeCommand,
  },
  {
    name: "validate",
    summary: "Check that what runs read is what was stored, and still current",
    load: async () => (await import("./validate.ts")).validateCommand,
  },
  {
    name: "sign",
    summary: "Sign what a run left, with a key of your own",
    load: async () => (await import("./sign.ts")).signCommand,
  },
  {
    name: "sign keygen",
    summary: "Make a pair of keys for signing",
    load: async () => (await import("./sign.ts")).signKeygenCommand,
  },
  {
    name: "signatures",
    summary: "Show who has signed a run",
    load: async () => (await import("./sign.ts")).signaturesCommand,
  },
  {
    name: "runs delete",
    summary: "Delete runs by name",
    load: async () => (await import("./runs-delete.ts")).runsDeleteCommand,
  },
  {
    name: "store gc",
    summary: "Delete old runs and the values that nothing names",
    load: async () => (await import("./store/gc.ts")).storeGcCommand,
  },
  {
    name: "export",
    summary: "Write runs with all that belongs to them into one file",
    load: async () => (await import("./export.ts")).exportCommand,
  },
  {
    name: "import",
    summary: "Take over the runs of such a file",
    load: async () => (await import("./import.ts")).importCommand,
  },
  {
    name: "put",
    summary: "Record files from elsewhere as a run",
    load: async () => (await import("./put.ts")).putCommand,
  },
  { name: "pull", summary: "Write artifacts out as files", load: async () => (await import("./pull.ts")).pullCommand },
  { name: "tag add", summary: "Put tags on a run", load: async () => (await import("./tag.ts")).tagAddCommand },
  { name: "tag remove", summary: "Take tags off a run", load: async () => (await import("./tag.ts")).tagRemoveCommand },
  {
    name: "tag replace",
    summary: "Take one tag off a run and put another on it",
    load: async () => (await import("./tag.ts")).tagReplaceCommand,
  },
  {
    name: "tag list",
    summary: "List tags and the runs that they name",
    load: async () => (await import("./tag.ts")).tagListCommand,
  },
  {
    name: "tag log",
    summary: "Say who moved tags, and what held them at a time",
    load: async () => (await import("./tag-log.ts")).tagLogCommand,
  },
  {
    name: "promote",
    summary: "Make a run the one of its flow that holds a tag",
    load: async () => (await import("./promote.ts")).promoteCommand,
  },
  {
    name: "rollback",
    summary: "Give a tag back to the run that held it before",
    load: async () => (await import("./promote.ts")).rollbackCommand,
  },
  {
    name: "tag policy set",
    summary: "Say what a tag asks for before it moves",
    load: async () => (await import("./tag-policy.ts")).tagPolicySetCommand,
  },
  {
    name: "tag policy list",
    summary: "List the policies of tags",
    load: async () => (await import("./tag-policy.ts")).tagPolicyListCommand,
  },
  {
    name: "tag policy remove",
    summary: "Remove a policy of tags",
    load: async () => (await import("./tag-policy.ts")).tagPolicyRemoveCommand,
  },
  {
    name: "webhook add",
    summary: "Have a URL told when tags move",
    load: async () => (await import("./webhook.ts")).webhookAddCommand,
  },
  {
    name: "webhook list",
    summary: "List webhooks and what they are still to be told",
    load: async () => (await import("./webhook.ts")).webhookListCommand,
  },
  {
    name: "webhook remove",
    summary: "Remove a webhook",
    load: async () => (await import("./webhook.ts")).webhookRemoveCommand,
  },
  {
    name: "webhook test",
    summary: "Send a test to a webhook",
    load: async () => (await import("./webhook.ts")).webhookTestCommand,
  },
  {
    name: "webhook deliver",
    summary: "Tell webhooks now what they are still to be told",
    load: async () => (await import("./webhook.ts")).webhookDeliverCommand,
  },
  ...storeCommands,
  {
    name: "doctor",
    summary: "Say what is wrong with the installation, the project and the store",
    load: async () => (await import("./doctor.ts")).doctorCommand,
  },
];
