/** Lines of `flow run` that are no progress: which upstream runs were taken, warnings, and how the run ended. */
import type { RunEvent, RunRecord } from "@millrace/core/internal";
import type { Paint } from "./output.ts";
import { harmless } from "./text.ts";

type EventOf<Kind extends RunEvent["kind"]> = Extract<RunEvent, { readonly kind: Kind }>;

/** Where records go is said aloud when the store is made, and when it is not the project's own. */
export function renderStore(
  event: Pick<EventOf<"run.created">, "store" | "storeIsNew" | "storeIsAbove">,
  paint: Paint,
): string | undefined {
  if (event.storeIsNew) return paint.dim(`Made a new store in ${event.store}`);
  return event.storeIsAbove ? paint.dim(`Uses the store in ${event.store}, above this project`) : undefined;
}

/** `model ← Train/17 (prod:v1), the newest of 3` */
export function renderUpstream(event: EventOf<"run.upstream">, paint: Paint): string {
  const others = event.candidates.filter((name) => name !== event.run);
  return `${paint.dim("reads")} ${event.name} ${paint.dim("←")} ${paint.bold(event.run)} ${paint.dim(`(${event.selector}${others.length > 0 ? `; also ${others.slice(0, 3).join(", ")}${others.length > 3 ? ", …" : ""}` : ""})`)}`;
}

/** `Train/18 goes on from Train/17`: a fork names the run that it takes over from. */
export function resumedText({ run, origin }: Pick<EventOf<"run.resumed">, "run" | "origin">): string {
  return origin === undefined ? `${run} goes on` : `${run} goes on from ${origin}`;
}

/** What a resumed run keeps, and what runs again and why. */
export function renderResumed(event: EventOf<"run.resumed">, paint: Paint): readonly string[] {
  const { kept, again, changedParameters } = event;
  const shown = kept.map(({ step, tasks, of }) =>
    tasks < of ? `${step} (${tasks} of ${of})` : tasks === 1 ? step : `${step} (${tasks})`,
  );
  const reasons = again.map(({ step, reason }) => `${step} (${reason})`);
  const line = (title: string, names: readonly string[]): string =>
    `  ${paint.dim(title.padEnd(10))} ${names.join(", ")}`;
  return [
    line("keeps", shown.length === 0 ? [reasons.length === 0 ? "nothing: no task had finished" : "nothing"] : shown),
    ...(reasons.length === 0 ? [] : [line("runs again", reasons)]),
    ...(changedParameters.length === 0
      ? []
      : [
          line(
            "changed",
            changedParameters.map((name) => `--${name}`),
          ),
        ]),
  ];
}

export interface Outcome {
  readonly status: "succeeded" | "failed" | "cancelled";
  readonly record: RunRecord;
  /** `9.1 s` */
  readonly duration: string;
  /** `4 tasks done, 1 failed, 2 not started` */
  readonly summary: string;
}

/** The last lines: what happened, and what to type next. */
export function renderOutcome({ status, record, duration, summary }: Outcome, paint: Paint): string {
  const mark = status === "succeeded" ? paint.green("✓") : status === "failed" ? paint.red("✗") : paint.yellow("■");
  const how =
    status === "succeeded"
      ? paint.green("succeeded")
      : status === "failed"
        ? paint.red("failed")
        : paint.yellow("cancelled");
  const tags = status === "succeeded" && record.tags.length > 0 ? ` [${record.tags.join(", ")}]` : "";
  const next = [
    ...(record.failure?.task === undefined ? [] : [`flow logs ${record.failure.task}`]),
    ...(status === "succeeded" ? [] : [`flow resume ${record.run}`]),
    `flow show ${record.run}`,
    ...(status === "succeeded" ? [`flow dump ${record.run}`] : []),
  ];
  const requests = renderRequests(record, paint).map((line) => `  ${line}\n`);
  return `${mark} ${paint.bold(record.run)} ${how} after ${duration}: ${summary}${tags}\n${requests.join("")}  ${paint.dim(next.join("     "))}\n`;
}

/** Tags that a run was asked to take: whom it took them from, or why it did not get them. */
export function renderRequests(
  record: Pick<RunRecord, "tagRequests" | "run" | "status">,
  paint: Paint,
): readonly string[] {
  return (record.tagRequests ?? [])
    .filter(({ status, from }) => status !== "moved" || from !== undefined)
    .map(({ tag, status, why = "", from }) => {
      if (from !== undefined) return `${harmless(tag, { colours: false })} ${paint.dim(`${from} →`)} ${record.run}`;
      const because = status === "refused" ? why : `the run ${NOT_YET[record.status] ?? "has not succeeded"}`;
      return `${paint.yellow("!")} ${harmless(tag, { colours: false })} ${status === "refused" ? "was not given" : "is not given"}: ${harmless(because, { colours: false })}`;
    });
}

const NOT_YET: Readonly<Record<string, string>> = {
  failed: "failed",
  cancelled: "was cancelled",
  lost: "was lost",
  running: "has not ended",
};
