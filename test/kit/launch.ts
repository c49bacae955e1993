/** A run as the command starts it, inside the test's process: with flags as words and with the step cache on or off. */
import { planStores, preparePackage, type RunEvent, selectFlow, startRun } from "@millrace/core/internal";
import type { Project } from "./project.ts";

export interface LaunchOptions {
  /** Flags of parameters, configs and files. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Which flow of the file. */
  readonly flow?: string;
  readonly tags?: readonly string[];
  readonly upstreams?: Parameters<typeof startRun>[0]["upstreams"];
  readonly cache?: "on" | "off";
  readonly environment?: Readonly<Record<string, string>>;
  readonly maxWorkers?: number;
}

export interface Launched {
  readonly events: readonly RunEvent[];
  /** `Train/17` */
  readonly name: string;
  readonly record: any;
  /** Tasks that ran, as `step` or `step/path`, in alphabetical order. */
  readonly ran: readonly string[];
  /** Tasks that the step cache had, with the names of those that they come from. */
  readonly taken: Readonly<Record<string, string>>;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
}

/** Runs a flow file of a project to its end. */
export async function launch(project: Project, file: string, options: LaunchOptions = {}): Promise<Launched> {
  const { flags = {}, tags = [], upstreams = {}, cache, environment = {}, maxWorkers = 1 } = options;
  const pack = await preparePackage(project.file(file));
  const stores = planStores({ store: project.store, cwd: project.folder, environment, create: true });
  try {
    const running = startRun({
      package: pack,
      flow: selectFlow(pack, options.flow),
      stores,
      flags,
      tags,
      upstreams,
      environment,
      maxWorkers,
      cwd: project.folder,
      command: ["flow", "run", file],
      ...(cache === undefined ? {} : { cache }),
    });
    const events: RunEvent[] = [];
    for await (const event of running) events.push(event);
    return { ...summary(events), events };
  } finally {
    await stores.close();
  }
}

function summary(events: readonly RunEvent[]): Omit<Launched, "events"> {
  const last = events.at(-1);
  if (last?.kind !== "run.finished") throw new Error("the run has not finished");
  const ran: string[] = [];
  const taken: Record<string, string> = {};
  for (const event of events) {
    if (event.kind !== "task.succeeded") continue;
    const name = event.path === "" ? event.step : `${event.step}/${event.path}`;
    if (event.takenFrom === undefined) ran.push(name);
    else taken[name] = event.takenFrom;
  }
  return {
    name: last.record.run,
    record: JSON.parse(JSON.stringify(last.record)),
    ran: ran.sort(),
    taken,
    warnings: events.filter((event) => event.kind === "run.warning"),
  };
}
