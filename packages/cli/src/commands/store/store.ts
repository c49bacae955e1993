import type { CommandEntry } from "../command.ts";

/** `flow store …`: what looks after a store as a whole. */
export const storeCommands: readonly CommandEntry[] = [
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
