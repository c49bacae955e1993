/**
 * What the process was started with, as one frozen object.
 *
 * Purpose: every setting has one place where option, environment and default meet. Invariants: this room alone reads
 * `process.env` (through `readProcess`); all others are handed what they need, so a test can run a store beside another
 * without touching the process. Not here: parameters of flows (the CLI and the flow room), opening of stores (wiring).
 */
import { hostname, userInfo } from "node:os";
import { cacheBytesOf } from "./cache-bytes.ts";
import { checkStoreOwner, findStore, type StoreChoice } from "./find-store.ts";

/** Variables of a process, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface Config {
  readonly cwd: string;
  readonly store: StoreChoice;
  /** Who acts: recorded with runs and tag moves. */
  readonly actor: string;
  /** Name of this machine. */
  readonly host: string;
  /** The seed by which independent tasks start in shuffled order; without one they start in declared order. */
  readonly shuffle?: string;
}

/** What the process itself says: for entry points; everything below them gets it as an argument. */
export function readProcess(): {
  readonly cwd: string;
  readonly environment: Environment;
  readonly command: readonly string[];
} {
  return { cwd: process.cwd(), environment: process.env, command: process.argv.slice(1) };
}

/**
 * Resolves the settings of a process.
 *
 * @param input.store  the `--store` option: a folder, relative to `cwd`, or a URL
 * @param input.setting  what messages call it, when it comes from elsewhere than `--store`
 * @param input.chosen  a store that was chosen before
 * @param input.environment  `MILLRACE_STORE` names the store, `MILLRACE_USER` (else `USER`, `LOGNAME`, the system's own
 *   name for the user) the actor,
 *   `MILLRACE_SHUFFLE` the seed of the order of independent tasks, `MILLRACE_CACHE_BYTES` what is kept here of a bucket's values
 * @throws FlowError FLOW_CONFIG_BAD_STORE, FLOW_CONFIG_BAD_FILE, FLOW_CONFIG_BAD_CACHE
 */
export function resolveConfig(input: {
  readonly store?: string;
  readonly setting?: string;
  readonly chosen?: StoreChoice;
  readonly cwd: string;
  readonly environment: Environment;
}): Config {
  const { MILLRACE_STORE: variable, MILLRACE_SHUFFLE: shuffle } = input.environment;
  const found =
    input.chosen ??
    findStore({
      cwd: input.cwd,
      ...(input.store === undefined ? {} : { option: input.store }),
      ...(input.setting === undefined ? {} : { setting: input.setting }),
      ...(variable === undefined ? {} : { variable }),
    });
  const cacheBytes = found.bucket === undefined ? undefined : cacheBytesOf(input.environment);
  const store = cacheBytes === undefined ? found : { ...found, cacheBytes };
  return Object.freeze({
    cwd: input.cwd,
    store: Object.freeze(store),
    actor: findActor(input.environment),
    host: hostname() || "unknown",
    ...(shuffle === undefined || shuffle === "" ? {} : { shuffle }),
  });
}

/**
 * The settings, for what is about to open their store: one that was found and belongs to a stranger is refused.
 *
 * @throws FlowError FLOW_CLIENT_FOREIGN_STORE, FLOW_CONFIG_BAD_STORE, FLOW_CONFIG_BAD_FILE
 */
export function resolveTrustedConfig(input: Parameters<typeof resolveConfig>[0]): Config {
  const config = resolveConfig(input);
  checkStoreOwner(config.store, { cwd: input.cwd, user: process.geteuid?.() });
  return config;
}

function findActor(environment: Environment): string {
  for (const name of ["MILLRACE_USER", "USER", "LOGNAME"]) {
    const value = environment[name]?.trim();
    if (value !== undefined && value !== "") return value;
  }
  try {
    return userInfo().username || "unknown";
  } catch {
    return "unknown"; // A container may run under a user id that has no entry in the system's list of users.
  }
}
