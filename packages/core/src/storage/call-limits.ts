/** How long calls of a store behind a network may take. A call that takes longer is FLOW_STORAGE_TIMEOUT and may pass. */
export interface CallLimits {
  /** For a connection to come about; milliseconds. Default 5,000. */
  readonly connectMs: number;
  /** Without a byte in either direction; milliseconds. Default 20,000. */
  readonly idleMs: number;
  /** For the whole call but the bytes of its value; milliseconds. Default 120,000. */
  readonly callMs: number;
  /** What is added for the bytes of a value: they may come this slowly; bytes a second. Default 1 MiB. */
  readonly bytesPerSecond: number;
}

export const DEFAULT_CALL_LIMITS: CallLimits = Object.freeze({
  connectMs: 5_000,
  idleMs: 20_000,
  callMs: 120_000,
  bytesPerSecond: 1024 * 1024,
});

/** The time that a call with a value of this size may take; milliseconds. */
export function callLimitMs(limits: CallLimits, sizeBytes: number): number {
  return limits.callMs + Math.ceil((sizeBytes / limits.bytesPerSecond) * 1_000);
}
