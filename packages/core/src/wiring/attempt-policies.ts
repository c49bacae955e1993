import type { Digest } from "../artifact/artifact.ts";
import type { Problem } from "../errors/flow-error.ts";
import type { FlowDefinition, SecretSource, StepBehaviour } from "../flow/definition.ts";
import type { LateBehaviour } from "../flow/late-behaviour.ts";
import type { AttemptPolicy } from "../runner/attempt-policy.ts";
import { cachePlan, type Machine } from "../runner/cache-basis.ts";
import type { Placement } from "../runner/protocol.ts";

export interface SecretReader {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => Promise<Uint8Array>;
}

const MACHINE: Machine = {
  major: process.versions.node.split(".", 1)[0]!,
  platform: process.platform,
  architecture: process.arch,
};

/**
 * How each step of a run is carried out: its behaviour with functions and secrets resolved. The values of secrets are in
 * the policies alone: in the memory of this process, and in that of the workers that run the step.
 *
 * @param packages digest of the installed packages, where they are not those that the digests of the steps were taken with
 * @returns the policies of the steps that ask for something, and FLOW_RUNNER_NO_SECRET for each secret that is not there
 */
export async function attemptPolicies(
  flow: FlowDefinition,
  late: ReadonlyMap<string, LateBehaviour>,
  secrets: SecretReader,
  packages?: Digest,
): Promise<{ readonly policies: ReadonlyMap<string, AttemptPolicy>; readonly problems: readonly Problem[] }> {
  const policies = new Map<string, AttemptPolicy>();
  const problems: Problem[] = [];
  for (const step of flow.steps) {
    const { name, behaviour } = step;
    if (Object.keys(behaviour).length === 0) continue;
    const placement = await placementOf(name, behaviour, secrets, problems);
    const cache = cachePlan(step, MACHINE, packages);
    policies.set(name, {
      ...limitsOf(behaviour, late.get(name)),
      ...(placement === undefined ? {} : { placement }),
      ...(cache === undefined ? {} : { cache }),
    });
  }
  return { policies, problems };
}

function limitsOf(behaviour: StepBehaviour, late: LateBehaviour | undefined): AttemptPolicy {
  const { retry, timeoutMs, catch: caught, maxParallel } = behaviour;
  const times = late?.retries ?? retry?.times ?? 0;
  const isWorthRetry = late?.isWorthRetry;
  return {
    ...(retry === undefined ? {} : { retry: { ...retry, times, ...(isWorthRetry && { isWorthRetry }) } }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(caught === undefined ? {} : { catch: caught }),
    ...(maxParallel === undefined ? {} : { maxParallel }),
  };
}

async function placementOf(
  step: string,
  behaviour: StepBehaviour,
  reader: SecretReader,
  problems: Problem[],
): Promise<Placement | undefined> {
  const { isolate = "thread", resources, environment } = behaviour;
  const secrets: Record<string, string> = {};
  for (const [variable, source] of Object.entries(behaviour.secrets ?? {})) {
    try {
      secrets[variable] = await readSecret(source, reader);
    } catch (error) {
      problems.push({
        code: "FLOW_RUNNER_NO_SECRET",
        message: `Cannot give step "${step}" its secret ${variable}: ${(error as Error).message}`,
        hint: "env" in source ? `Set the environment variable ${source.env}` : `Put it into "${source.file}"`,
      });
    }
  }
  const hasSecrets = Object.keys(secrets).length > 0;
  const hasEnvironment = environment !== undefined && Object.keys(environment).length > 0;
  if (isolate === "thread" && !hasSecrets && !hasEnvironment) return undefined;
  const memoryBytes = isolate === "process" ? resources?.memoryBytes : undefined;
  return {
    isolate,
    ...(memoryBytes === undefined ? {} : { memoryMb: Math.ceil(memoryBytes / 1e6) }),
    ...(hasEnvironment ? { environment } : {}),
    ...(hasSecrets ? { secrets } : {}),
  };
}

async function readSecret(source: SecretSource, reader: SecretReader): Promise<string> {
  if ("env" in source) {
    const value = reader.environment[source.env];
    if (value === undefined || value === "") throw new Error(`the environment variable ${source.env} is not set`);
    return value;
  }
  // Editors and `echo` end a file with a line break that is no part of a secret.
  return Buffer.from(await reader.readFile(source.file))
    .toString("utf8")
    .replace(/\r?\n$/, "");
}
