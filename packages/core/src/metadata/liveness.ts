/**
 * Whether the runner of an execution lives. Nothing is written when it dies: a killed process writes nothing any more, so
 * every reader judges for itself, from the record and from what it sees of this machine.
 */
import type { RunnerIdentity } from "../events/run-record.ts";

/** How often a runner says that it lives. */
export const HEARTBEAT_INTERVAL_MS = 5_000;
/** A runner that said nothing for as long is taken for dead: three beats may be late, the fourth may not. */
export const HEARTBEAT_LIMIT_MS = 20_000;

/** What can be known here and now about the processes that execute runs. */
export interface Liveness {
  readonly self: RunnerIdentity;
  /** Milliseconds since 1970. */
  now(): number;
  /** Whether a process of this machine lives; undefined when the system does not tell. */
  isAlive(pid: number, startedAt: string | undefined): boolean | undefined;
}

/**
 * Judges the runner of an execution that has not ended.
 *
 * One that can be seen from here (same host, same boot, same numbering of processes) is judged by its process alone, so
 * that neither a jump of the clock nor a machine that slept makes a living run lost, and a killed one is lost at once.
 * All others are judged by the age of their heartbeat, in either direction: one from the future says as little.
 */
export function livenessOf(
  execution: { readonly runner: RunnerIdentity; readonly heartbeatAt: Date },
  here: Liveness,
): "running" | "lost" {
  const { runner, heartbeatAt } = execution;
  if (isVisibleFrom(here.self, runner)) {
    const isAlive = here.isAlive(runner.pid, runner.startedAt);
    if (isAlive === false) return "lost";
    // Without the time of its start, a process of this number may be another one: then the heartbeat must agree.
    if (isAlive === true && runner.startedAt !== undefined) return "running";
  }
  // Asked this way round, a time that is none is no sign of life.
  return Math.abs(here.now() - heartbeatAt.getTime()) <= HEARTBEAT_LIMIT_MS ? "running" : "lost";
}

function isVisibleFrom(self: RunnerIdentity, runner: RunnerIdentity): boolean {
  return (
    runner.pid > 0 &&
    runner.host === self.host &&
    runner.bootId === self.bootId &&
    runner.pidNamespace === self.pidNamespace
  );
}
