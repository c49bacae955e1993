import { readFile } from "node:fs/promises";
import path from "node:path";
import { readProcess } from "../../config/config.ts";
import { FlowError } from "../../errors/flow-error.ts";
import type { RunEvent } from "../../events/run-event.ts";
import { isInTask } from "../../flow/current.ts";
import type { Flow } from "../../flow/flow.ts";
import type { ResumeOptions, Run } from "../../flow/public-types.ts";
import { type UpstreamChoice, upstreamRequests } from "../../lineage/upstream-choice.ts";
import { clientOf, openDefaultStores, planDefaultStores } from "../default-store.ts";
import { refuseUnfinished } from "../refuse-unfinished.ts";
import type { RunSignals } from "../running.ts";
import { findResumable } from "./find-resumable.ts";
import { resumeSubject } from "./resume-package.ts";
import { resumeRun } from "./resume-run.ts";

/**
 * The work behind `resume()`: finds the run in the default store and goes on with it.
 *
 * @returns what gives the finished run, or throws FLOW_RUN_FAILED or FLOW_RUN_CANCELLED
 */
export async function resumeFromCode<T extends Flow>(
  run: string | Run<T> | undefined,
  o: ResumeOptions<T>,
  emit: (event: RunEvent) => void,
  signals: RunSignals,
): Promise<() => Promise<Run<T>>> {
  if (isInTask()) {
    throw new FlowError("FLOW_RESUME_IN_STEP", {
      message: "Cannot resume a run inside a step",
      hint: "Resume it from a program, or with flow resume",
    });
  }
  const { cwd, environment, command } = readProcess();
  const stores = await openDefaultStores(false);
  const found = await findResumable(stores.metadata, typeof run === "object" ? run.id : run);
  const subject = await resumeSubject(stores, found, {
    cwd,
    sameCode: o.sameCode === true,
    changed: o.changed === true,
  });
  const row = await resumeRun(
    {
      subject,
      stores: planDefaultStores(),
      fields: { flags: {}, values: (o.params ?? {}) as Readonly<Record<string, unknown>> },
      tags: o.tags ?? [],
      ...(o.tagReason === undefined ? {} : { tagReason: o.tagReason }),
      upstreams: upstreamRequests((o.upstreams ?? {}) as Readonly<Record<string, UpstreamChoice | undefined>>),
      ...(o.from === undefined ? {} : { from: String(o.from) }),
      ...(o.changed === undefined ? {} : { changed: o.changed }),
      cwd,
      environment,
      command,
      readFile: (file: string) => readFile(path.resolve(cwd, file)),
    },
    emit,
    signals,
  );
  return async () => {
    refuseUnfinished(row, signals.stop);
    return clientOf(await openDefaultStores(true)).handle<T>(row);
  };
}
