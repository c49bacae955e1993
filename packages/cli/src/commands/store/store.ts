import type { CommandEntry } from "../command.ts";

/** `flow store …`: what looks after a store as a whole. */
export const storeCommands: readonly CommandEntry[] = [
  {
    name: "store init",
    summary: "Make a store, and check that it can be used",
    load: async () => (await import("./init.ts")).storeInitCommand,
  },
  {
    name: "store info",
    summary: "Say where the store is, what it can and what it has",
    load: async () => (await import("./info.ts")).storeInfoCommand,
  },
  {
    name: "store copy",
    summary: "Copy a store to another folder or bucket",
    load: async () => (await import("./copy.ts")).storeCopyCommand,
  },
  {
    name: "store rebuild",
    summary: "Make the records of a store anew from its bucket",
    load: async () => (await import("./rebuild.ts")).storeRebuildCommand,
  },
  {
    name: "store verify",
    summary: "Check that a store is whole",
    load: async () => (await import("./verify.ts")).storeVerifyCommand,
  },
  {
    name: "store repair",
    summary: "Mend what can be mended in a store without guessing",
    load: async () => (await import("./repair.ts")).storeRepairCommand,
  },
];
