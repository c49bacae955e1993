/**
 * zod, for users and for core itself. The build puts something else in place of this module (scripts/late-zod.mjs), which
 * loads zod when something of it is asked for: a program that only reads runs, or a flow without parameters, needs none of it.
 */
export * as z from "zod";

/** Loads it now, where nobody waits for it: in the build; here it is loaded. */
export function loadZod(): void {}
