/** What is said aloud of a task that did not simply succeed, in the same words on a terminal and in plain lines. */
import type { RunEvent } from "@millrace/core/internal";
import { harmless } from "./text.ts";

/** One line: `Train/17/train/7  retry  attempt 2 of 4 in 2 s`. */
export interface TaskNews {
  readonly state: "failed" | "retry" | "caught" | "skipped" | "lost" | "runs" | "ran";
  readonly more: string;
}

/** Lines of one step that are told singly: the first ones say what is wrong, the thousandth does not. */
const TOLD_OF_STEP = 20;

/** How a step came to its run, where it did not begin it anew. */
const HOW_TOLD = {
  new: "",
  finished: ", done before",
  running: ", begun before",
  continued: ", which goes on",
} as const;

/** Gives what an event is worth saying, and nothing where enough was said of its step. */
export function createTaskNews(formatDuration: (ms: number) => string): (event: RunEvent) => readonly TaskNews[] {
  const told = new Map<string, number>();
  return (event) => {
    const news = newsOf(event, formatDuration);
    if (news.length === 0 || !("step" in event)) return [];
    const before = told.get(event.step) ?? 0;
    told.set(event.step, before + 1);
    return before < TOLD_OF_STEP ? news : [];
  };
}

function newsOf(event: RunEvent, formatDuration: (ms: number) => string): readonly TaskNews[] {
  switch (event.kind) {
    case "task.retrying": {
      const of = event.attempts === undefined ? "" : ` of ${event.attempts}`;
      const when = event.delayMs > 0 ? `in ${formatDuration(event.delayMs)}` : "now";
      return [
        { state: "failed", more: firstLine(event.error.message) },
        { state: "retry", more: `attempt ${event.nextAttempt}${of} ${when}` },
      ];
    }
    case "task.failed":
      return [{ state: "failed", more: firstLine(event.error.message) }];
    case "task.caught":
      return [{ state: "caught", more: `${firstLine(event.error.message)} (in this.${event.field})` }];
    case "task.skipped":
      return [{ state: "skipped", more: firstLine(event.reason) }];
    case "task.lost":
      return [{ state: "lost", more: "what ran it ended without a result" }];
    case "run.child":
      return [{ state: "runs", more: `${event.run}${HOW_TOLD[event.how]}` }];
    case "run.child.finished":
      return [{ state: "ran", more: `${event.run}: ${event.status} after ${formatDuration(event.durationMs)}` }];
    default:
      return [];
  }
}

function firstLine(text: string): string {
  return harmless(text.split("\n", 1)[0]!, { colours: false });
}
