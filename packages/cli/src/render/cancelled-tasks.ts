/** Tasks that were stopped, by what stopped them: there is one cause, and its collateral is counted. */
import type { RunEvent } from "@millrace/core/internal";
import { count, harmless } from "./text.ts";

export interface CancelledTasks {
  apply(event: RunEvent): void;
  /** `Train/17/fold/3  cancelled  Ctrl-C` or `Train/17  cancelled  7 tasks: Train/17/train/7 failed`; then forgets them. */
  take(): readonly { readonly what: string; readonly more: string; readonly at: Date }[];
}

export function createCancelledTasks(): CancelledTasks {
  let run = "";
  const byReason = new Map<string, { count: number; readonly task: string; at: Date }>();
  return {
    apply(event) {
      if (event.kind === "run.created" || event.kind === "run.resumed") run = event.run;
      if (event.kind !== "task.cancelled") return;
      const entry = byReason.get(event.reason);
      if (entry === undefined) byReason.set(event.reason, { count: 1, task: event.task, at: event.at });
      else {
        entry.count++;
        entry.at = event.at;
      }
    },
    take() {
      const lines = [...byReason].map(([reason, { count: number, task, at }]) => {
        const why = harmless(reason, { colours: false });
        return number === 1
          ? { what: task, more: why, at }
          : { what: run, more: `${count(number, "task")}: ${why}`, at };
      });
      byReason.clear();
      return lines;
    },
  };
}
