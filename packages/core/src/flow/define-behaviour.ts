/**
 * What a step asks for besides its transitions, from the options of a decorator or the words of `--with`: checked here,
 * in one place, so that both are told the same.
 */
import { isName } from "../ids/names.ts";
import { parseByteSize } from "../util/byte-size.ts";
import { parseDurationMs } from "../util/duration.ts";
import { showOption } from "../util/show-option.ts";
import type { RetryBehaviour, SecretSource, StepBehaviour, StepResources } from "./definition.ts";

/** The options that are behaviour. */
export const BEHAVIOURS = [
  "retry",
  "timeout",
  "catch",
  "isolate",
  "maxParallel",
  "resources",
  "environment",
  "secrets",
  "cache",
  "shared",
] as const;

/** Takes what is wrong with an option: `"timeout" … is "5" instead of …`. */
export type Report = (option: string, what: string, hint?: string) => void;

type Options = Readonly<Record<string, unknown>>;

/** More attempts than this are a mistake: with the default wait the last one would come after days. */
const MOST_RETRIES = 1_000;
const DEFAULT_RETRY = { delayMs: 1_000, factor: 2, maxDelayMs: 300_000, jitter: 0.25 } as const;
/** setTimeout takes no more: some 24 days. */
const LONGEST_MS = 2 ** 31 - 1;

/** The behaviour in the options of a step. What is wrong goes to `report` and is left out. */
export function readBehaviour(options: Options, report: Report): StepBehaviour {
  const retry = readRetry(options.retry, report);
  const timeoutMs = readTimeout(options.timeout, report);
  const caught = readCatch(options.catch, report);
  const isolate = readIsolate(options.isolate, report);
  const maxParallel = readCount("maxParallel", options.maxParallel, 1, report);
  const resources = readResources(options.resources, report);
  const environment = readEnvironment(options.environment, report);
  const secrets = readSecrets(options.secrets, report);
  const cache = readFlag("cache", options.cache, report);
  const shared = readShared(options.shared, report);
  for (const name of Object.keys(secrets ?? {}))
    if (environment !== undefined && Object.hasOwn(environment, name))
      report("secrets", `names "${name}", which "environment" sets too`, "Keep one of them");
  return {
    ...(maxParallel === undefined ? {} : { maxParallel }),
    ...(retry === undefined ? {} : { retry }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(caught === undefined ? {} : { catch: caught }),
    ...(isolate === undefined ? {} : { isolate }),
    ...(resources === undefined ? {} : { resources }),
    ...(environment === undefined ? {} : { environment }),
    ...(secrets === undefined ? {} : { secrets }),
    ...(cache === undefined ? {} : { cache }),
    ...(shared === undefined || shared.length === 0 ? {} : { shared }),
  };
}

function readShared(value: unknown, report: Report): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((name): name is string => typeof name === "string" && isName(name)))
    return [...new Set(value)];
  report("shared", `is ${showOption(value)} instead of a list of fields`, 'Write shared: ["data"]');
  return undefined;
}

function readRetry(value: unknown, report: Report): RetryBehaviour | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "function") return { ...DEFAULT_RETRY, times: 0, isLate: true, hasCondition: false };
  if (!isRecord(value)) {
    const times = readCount("retry", value, 0, report, MOST_RETRIES);
    return times === undefined ? undefined : { ...DEFAULT_RETRY, times, isLate: false, hasCondition: false };
  }
  refuseUnknown("retry", value, ["times", "delay", "factor", "maxDelay", "jitter", "when"], report);
  if (value.times === undefined) report("retry", "does not say how many times", "Write retry: { times: 3 }");
  const times = readCount("retry.times", value.times, 0, report, MOST_RETRIES) ?? 0;
  const delayMs = readDuration("retry.delay", value.delay, report) ?? DEFAULT_RETRY.delayMs;
  const maxDelayMs =
    readDuration("retry.maxDelay", value.maxDelay, report) ?? Math.max(DEFAULT_RETRY.maxDelayMs, delayMs);
  const factor = readNumber("retry.factor", value.factor, 1, 100, report) ?? DEFAULT_RETRY.factor;
  const jitter = readNumber("retry.jitter", value.jitter, 0, 1, report) ?? DEFAULT_RETRY.jitter;
  if (value.when !== undefined && typeof value.when !== "function")
    report("retry.when", `is ${showOption(value.when)} instead of a function of the failure`);
  return { times, isLate: false, delayMs, factor, maxDelayMs, jitter, hasCondition: typeof value.when === "function" };
}

function readTimeout(value: unknown, report: Report): number | undefined {
  const ms = readDuration("timeout", value, report);
  if (ms !== 0) return ms;
  report("timeout", "is no time at all", 'Write a duration such as "10m", or leave it out');
  return undefined;
}

function readDuration(option: string, value: unknown, report: Report): number | undefined {
  if (value === undefined) return undefined;
  const ms = typeof value === "string" ? parseDurationMs(value) : undefined;
  if (ms !== undefined && ms <= LONGEST_MS) return ms;
  report(
    option,
    ms === undefined ? `is ${showOption(value)} instead of a duration` : `is ${showOption(value)}, longer than 24 days`,
    'Write a number and a unit: "500ms", "30s", "10m", "2h"',
  );
  return undefined;
}

function readCatch(value: unknown, report: Report): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" && isName(value)) return value;
  report("catch", `is ${showOption(value)} instead of a field's name`, "Declare failure?: TaskFailure and name it");
  return undefined;
}

function readIsolate(value: unknown, report: Report): "thread" | "process" | undefined {
  if (value === undefined || value === "thread" || value === "process") return value;
  report("isolate", `is ${showOption(value)} instead of "thread" or "process"`);
  return undefined;
}

function readResources(value: unknown, report: Report): StepResources | undefined {
  if (value === undefined) return undefined;
  if (!isRecord(value)) {
    report("resources", `is ${showOption(value)} instead of an object`, 'Write resources: { memory: "2GB" }');
    return undefined;
  }
  refuseUnknown("resources", value, ["cpu", "memory", "gpu"], report);
  const cpu = readNumber("resources.cpu", value.cpu, 0.01, 100_000, report);
  const gpu = readNumber("resources.gpu", value.gpu, 0, 100_000, report);
  const memoryBytes = typeof value.memory === "string" ? parseByteSize(value.memory) : undefined;
  if (value.memory !== undefined && memoryBytes === undefined)
    report("resources.memory", `is ${showOption(value.memory)} instead of a size`, 'Write "256MB" or "2GiB"');
  return {
    ...(cpu === undefined ? {} : { cpu }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(gpu === undefined ? {} : { gpu }),
  };
}

/** What POSIX lets a variable be called. */
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

function readEnvironment(value: unknown, report: Report): Readonly<Record<string, string>> | undefined {
  if (value === undefined) return undefined;
  if (!isRecord(value)) {
    report("environment", `is ${showOption(value)} instead of an object`, 'Write environment: { TZ: "UTC" }');
    return undefined;
  }
  for (const [name, text] of Object.entries(value)) {
    if (!VARIABLE.test(name)) report("environment", `has the name ${showOption(name)}, which no variable can have`);
    else if (typeof text !== "string" || text.includes("\0"))
      report(`environment.${name}`, `is ${showOption(text)} instead of a text`);
  }
  return value as Readonly<Record<string, string>>;
}

function readSecrets(value: unknown, report: Report): Readonly<Record<string, SecretSource>> | undefined {
  if (value === undefined) return undefined;
  const hint = 'Write secrets: ["API_KEY"] or { API_KEY: { file: "/run/secrets/key" } }';
  if (typeof value !== "object" || value === null) {
    report("secrets", `is ${showOption(value)} instead of a list or an object`, hint);
    return undefined;
  }
  const entries: readonly (readonly [string, unknown])[] = Array.isArray(value)
    ? value.map((name: unknown) => [String(name), { env: name }] as const)
    : Object.entries(value);
  for (const [name, source] of entries) {
    if (!VARIABLE.test(name)) report("secrets", `has the name ${showOption(name)}, which no variable can have`);
    else if (!isSecretSource(source)) report(`secrets.${name}`, "does not say where it comes from", hint);
  }
  return Object.fromEntries(entries) as Record<string, SecretSource>;
}

function isSecretSource(value: unknown): value is SecretSource {
  if (!isRecord(value) || Object.keys(value).length !== 1) return false;
  return (
    (typeof value.env === "string" && VARIABLE.test(value.env)) || (typeof value.file === "string" && value.file !== "")
  );
}

function readFlag(option: string, value: unknown, report: Report): boolean | undefined {
  if (value === undefined || typeof value === "boolean") return value;
  report(option, `is ${showOption(value)} instead of true or false`);
  return undefined;
}

function readCount(option: string, value: unknown, least: number, report: Report, most?: number): number | undefined {
  if (value === undefined) return undefined;
  const isCount = typeof value === "number" && Number.isSafeInteger(value) && value >= least;
  if (isCount && (most === undefined || value <= most)) return value;
  const range = most === undefined ? `from ${least}` : `from ${least} to ${most}`;
  report(option, `is ${showOption(value)} instead of a whole number ${range}`);
  return undefined;
}

function readNumber(option: string, value: unknown, least: number, most: number, report: Report): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && value >= least && value <= most) return value;
  report(option, `is ${showOption(value)} instead of a number from ${least} to ${most}`);
  return undefined;
}

function refuseUnknown(option: string, value: Options, known: readonly string[], report: Report): void {
  for (const name of Object.keys(value))
    if (!known.includes(name)) report(option, `has the unknown setting "${name}"`, `It takes ${known.join(", ")}`);
}

function isRecord(value: unknown): value is Options {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
