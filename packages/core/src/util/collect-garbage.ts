import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

type Collector = (options: { readonly type: "major"; readonly execution: "async" }) => Promise<void>;

let collect: Collector | undefined;

/**
 * Has V8 give back soon what nobody holds any more, in this thread.
 *
 * It collects when its own heap grows, and hardly counts the memory behind arrays: a thread that has nothing to do would keep
 * arrays of gigabytes that it cannot even reach. Takes some 10 ms.
 */
export function collectGarbage(): void {
  collect ??= exposedCollector();
  // In a turn of its own: called from a function, V8 keeps whatever may still stand on the stack.
  collect?.({ type: "major", execution: "async" }).catch(() => {});
}

/**
 * V8 gives the function to new contexts alone, and only while the flag is set; other code is not to see it. The flag is one for
 * all threads: where another one has just taken it back, this one has to try again another time.
 */
function exposedCollector(): Collector | undefined {
  const { gc } = globalThis as { readonly gc?: Collector };
  if (gc !== undefined) return gc; // Node was started with the flag, which is to stay.
  setFlagsFromString("--expose-gc");
  try {
    return runInNewContext("globalThis.gc") as Collector | undefined;
  } finally {
    setFlagsFromString("--no-expose-gc");
  }
}
