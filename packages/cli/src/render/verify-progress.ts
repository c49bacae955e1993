/** How far a verification is, on stderr: one line that is redrawn on a terminal, elsewhere a line now and then. */
import type { VerifyProgress } from "@millrace/core/internal";
import type { Context } from "../commands/command.ts";
import { byteSize } from "./text.ts";

/** Milliseconds between two lines on a terminal, where each takes the place of the last. */
const REDRAW_MS = 100;
/** Milliseconds between two lines elsewhere: short checks print none. */
const LINE_MS = 5_000;

export interface ProgressLine {
  readonly show: (progress: VerifyProgress) => void;
  /** Takes the line away: something else is printed. */
  clear(): void;
}

export function createVerifyProgress({ stderr, now }: Pick<Context, "stderr" | "now">): ProgressLine {
  const gapMs = stderr.isTerminal ? REDRAW_MS : LINE_MS;
  let last = now();
  let isShown = false;
  return {
    show(progress) {
      const at = now();
      if (at - last < gapMs) return;
      last = at;
      stderr.write(stderr.isTerminal ? `\r\x1b[K${lineOf(progress)}` : `${lineOf(progress)}\n`);
      isShown = stderr.isTerminal;
    },
    clear() {
      if (isShown) stderr.write("\r\x1b[K");
      isShown = false;
    },
  };
}

function lineOf({ phase, done, total, bytes }: VerifyProgress): string {
  if (phase !== "values") return `checking the ${phase}`;
  return `checking values: ${done} of ${Math.max(done, total)}${bytes === 0 ? "" : `, ${byteSize(bytes)} read`}`;
}
