import { arch, platform, release } from "node:os";
import type { EnvironmentRecord } from "../events/run-record.ts";
import type { Config, Environment } from "./config.ts";
import { readGitState } from "./git-state.ts";
import { hideSecrets } from "./hide-secrets.ts";
import { readLibc } from "./libc.ts";
import { MILLRACE_VERSION } from "./version.ts";

/**
 * What is kept about the machine, the user and the code with each run. Starts asking git at once and never fails: call it
 * early and await it when the run is created, so that git's milliseconds pass beside the loading of the flow.
 *
 * @param input.command  the arguments of the process; values of secret flags are left out
 * @param input.secretFlags  flags (without dashes) that the flow declares as secret
 * @param input.gitFolder  where git is asked, by default the working directory
 * @param input.root  folder that the paths of the run's code package start from
 */
export async function readEnvironmentRecord(input: {
  readonly config: Config;
  readonly environment: Environment;
  readonly command: readonly string[];
  readonly secretFlags?: readonly string[];
  readonly gitFolder?: string;
  readonly root?: string;
  /** What is installed where the flow comes from. */
  readonly installed?: Pick<EnvironmentRecord, "packageManager" | "lockfile" | "packages">;
}): Promise<EnvironmentRecord> {
  const asked = readGitState(input.gitFolder ?? input.config.cwd, input.environment);
  const libc = readLibc(); // beside git
  const git = await asked;
  return {
    millrace: MILLRACE_VERSION,
    node: process.version,
    v8: process.versions.v8,
    os: `${platform()} ${release()}`,
    arch: arch(),
    ...(libc === undefined ? {} : { libc }),
    ...input.installed,
    host: input.config.host,
    actor: input.config.actor,
    cwd: input.config.cwd,
    ...(input.root === undefined ? {} : { root: input.root }),
    command: hideSecrets(input.command, input.secretFlags),
    ...(git === undefined ? {} : { git }),
  };
}
