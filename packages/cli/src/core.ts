/**
 * The one door to the framework. It is loaded when a command needs it and not before: `flow --help` and a mistyped flag
 * must not pay for SQLite, and `flow graph` must not pay for the worker pool.
 */
export type Core = typeof import("@millrace/core/internal");

export function loadCore(): Promise<Core> {
  return import("@millrace/core/internal");
}
