import v8 from "node:v8";

/** A timer that has not fired yet. */
export interface PendingTimer {
  /** When it fires, on the clock of `performance.now()`, give or take the time that the thread took to start. */
  readonly atMs: number;
  readonly isRepeating: boolean;
  /** Whether it keeps the event loop alive. */
  readonly isRefed: boolean;
}

/**
 * All timers of this thread. Node has no list of them, so they are looked for in the heap, which takes as long as a
 * garbage collection: for what happens seldom.
 */
export function pendingTimers(): readonly PendingTimer[] {
  const sample = setTimeout(() => {}, 0);
  clearTimeout(sample);
  return shownTimers(sample.constructor as new () => unknown).flatMap((shown) => {
    const field = (name: string): string | undefined => new RegExp(`\\b${name}\\)?: ([^,\\n]+)`).exec(shown)?.[1];
    if (field("_destroyed") !== "false") return [];
    const atMs = Number(field("_idleStart")) + Number(field("_idleTimeout"));
    if (!Number.isFinite(atMs)) return [];
    return [{ atMs, isRepeating: field("_repeat") !== "null", isRefed: field("refed") === "true" }];
  });
}

/**
 * Counts the timers of this thread that are unref'ed from now on: Node lists those that keep the event loop alive, and who has unref'ed none
 * need not look for others. Promises of `node:timers/promises` with `ref: false` are not seen.
 */
export function countUnrefs(): () => number {
  const sample = setTimeout(() => {}, 0);
  clearTimeout(sample);
  const prototype = Object.getPrototypeOf(sample) as NodeJS.Timeout;
  const own = Object.getOwnPropertyDescriptor(prototype, "unref")!;
  let count = 0;
  const { unref } = {
    unref(this: NodeJS.Timeout): NodeJS.Timeout {
      count++;
      return own.value.call(this);
    },
  };
  Object.defineProperty(prototype, "unref", { ...own, value: unref });
  return () => count;
}

/** As `util.inspect` shows them. */
function shownTimers(timer: new () => unknown): readonly string[] {
  const { emitWarning } = process;
  process.emitWarning = () => {}; // That the look into the heap is experimental is no news for the user of a flow.
  try {
    return v8.queryObjects(timer as never, { format: "summary" }) as unknown as readonly string[];
  } finally {
    process.emitWarning = emitWarning;
  }
}
