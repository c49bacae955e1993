import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

let collect: (() => void) | undefined;

/**
 * Has V8 give back now what nobody holds any more, in this thread.
 *
 * It collects when its own heap grows, and hardly counts the memory behind arrays: a thread that has nothing to do would keep
 * arrays of gigabytes that it cannot even reach. Takes some 10 ms.
 */
export function collectGarbage(): void {
  collect ??= exposedCollector();
  collect();
}

/** V8 gives the function to new contexts alone, and only while the flag is set; other code is not to see it. */
function exposedCollector(): () => void {
  setFlagsFromString("--expose-gc");
  try {
    return runInNewContext("gc") as () => void;
  } finally {
    setFlagsFromString("--no-expose-gc");
  }
}
