/** One cell of the matrix: a shape that is run with a behaviour, and what the client and the records then show. */
import fs from "node:fs";
import path from "node:path";
import { resume } from "@millrace/core";
import {
  type FlowPackage,
  isFlowError,
  planStores,
  preparePackage,
  type RunEvent,
  type RunRow,
  runName,
  selectFlow,
  startRun,
  type TaskRow,
} from "@millrace/core/internal";
import { HeldSteps } from "../../kit/held-step.ts";
import { Project } from "../../kit/project.ts";
import { taskOf, tasksOf } from "../observe.ts";
import type { Behaviour } from "./behaviours.ts";
import { EXECUTED, flowFile, MENDED } from "./flow-file.ts";
import { type Fate, shortName } from "./model.ts";
import { SHAPES, type Shape } from "./shapes.ts";

export type Place = "thread" | "process";

/** What one observer sees of a run. */
export interface Seen {
  readonly run: string;
  readonly id: string;
  readonly status: string;
  readonly tags: readonly string[];
  /** How each attempt at a task ended, by task. */
  readonly tasks: ReadonlyMap<string, readonly Fate[]>;
  readonly rows: readonly TaskRow[];
  /** What the end left; undefined when the run did not come so far. */
  readonly end: { readonly trail?: unknown; readonly common?: unknown; readonly failure?: unknown } | undefined;
  readonly events: readonly RunEvent[];
  readonly durationMs: number;
}

export class Matrix {
  readonly project = new Project();
  readonly #held = new HeldSteps(this.project);
  readonly #locks = this.project.file("locks");
  readonly #packages = new Map<string, Promise<FlowPackage>>();

  readonly #shuffle: string;

  /** @param shuffle the seed of the order in which independent tasks begin */
  constructor(shuffle: string) {
    this.#shuffle = shuffle;
    fs.mkdirSync(this.#locks, { recursive: true });
    for (const shape of SHAPES) this.project.write({ [`${shape.name}.ts`]: flowFile(shape, this.#locks) });
  }

  async run(shape: Shape, behaviour: Behaviour, place: Place, target: string): Promise<Seen> {
    for (const name of fs.readdirSync(this.#locks)) fs.rmSync(path.join(this.#locks, name), { recursive: true });
    this.#held.reset();
    const begin = performance.now();
    const { row, events } = await this.#launch(shape, behaviour, place, target);
    if (behaviour.isResumed) await this.#resume(row, target);
    return { ...(await this.#look(row.id)), events, durationMs: performance.now() - begin };
  }

  async #launch(
    { name }: Shape,
    behaviour: Behaviour,
    place: Place,
    target: string,
  ): Promise<{ readonly row: RunRow; readonly events: readonly RunEvent[] }> {
    const { folder, store } = this.project;
    let pack = this.#packages.get(name);
    if (pack === undefined) {
      pack = preparePackage(this.project.file(`${name}.ts`));
      this.#packages.set(name, pack);
    }
    const { mode = "plain", tags = [], maxWorkers = 2, finishSiblings = false } = behaviour;
    const isolate = place === "process" && !behaviour.isInProcess ? ["isolate=process"] : [];
    const stores = planStores({ store, cwd: folder, environment: {}, create: true });
    const events: RunEvent[] = [];
    try {
      const running = startRun({
        package: await pack,
        flow: selectFlow(await pack),
        stores,
        flags: { mode, target },
        environment: { ...process.env, MILLRACE_SHUFFLE: this.#shuffle, ...behaviour.environment },
        tags,
        upstreams: {},
        with: [...(behaviour.with ?? []), ...isolate],
        maxWorkers,
        finishSiblings,
        cwd: folder,
        command: ["flow", "run", `${name}.ts`],
      });
      const watching = (async () => {
        for await (const event of running) events.push(event);
      })();
      if (behaviour.held !== undefined) {
        await Promise.race([this.#held.reached(shortName(target)), watching]);
        if (behaviour.held === "cancel") running.cancel("the test cancels it");
        else this.#held.release(shortName(target));
      }
      await watching;
      return { row: await running, events };
    } finally {
      await stores.close();
    }
  }

  /** Takes away what kept the run from its end, and goes on with it. */
  async #resume(row: RunRow, target: string): Promise<void> {
    this.project.write({ [`locks/${MENDED}`]: "" });
    this.#held.release(shortName(target), `${shortName(target)}#2`);
    const resumed = await resume(runName(row));
    if (resumed.id !== row.id) throw new Error(`${runName(row)} was resumed as ${resumed.name}`);
  }

  /** Tasks in the order in which a flow with the mode "mend" has executed them. */
  executed(): readonly string[] {
    return fs.readFileSync(path.join(this.#locks, EXECUTED), "utf8").trimEnd().split("\n");
  }

  /** What the records and the client of this process show, which must be the same. */
  async #look(id: RunRow["id"]): Promise<Omit<Seen, "events" | "durationMs">> {
    const client = await this.project.client();
    const run = client.handle<any>((await (await this.project.stores()).metadata.runById(id))!);
    const rows = await tasksOf(this.project, run.id);
    const tasks = new Map<string, Fate[]>();
    for (const each of rows) {
      const attempts = tasks.get(taskOf(each)) ?? [];
      if (each.attempt !== attempts.length + 1)
        throw new Error(`${taskOf(each)} has no attempt before ${each.attempt}`);
      tasks.set(taskOf(each), [...attempts, each.status as Fate]);
    }
    for (const step of new Set(rows.map((each) => each.step)))
      for await (const task of run.step(step).tasks) {
        const name = task.path === "" ? step : `${step}/${task.path}`;
        if (task.id !== `${run.name}/${name}` || task.status !== tasks.get(name)?.at(-1))
          throw new Error(`The client shows ${task.id} ${task.status}, the records ${tasks.get(name)}`);
      }
    const { status, tags, name } = run;
    const value = async (artifact: string): Promise<unknown> =>
      run.data[artifact]!.catch((error: unknown) => {
        if (isFlowError(error, "FLOW_CLIENT_NO_ARTIFACT")) return undefined;
        throw error;
      });
    const end =
      status === "succeeded"
        ? { trail: await value("trail"), common: await value("common"), failure: await value("failure") }
        : undefined;
    return { run: name, id, status, tags, tasks, rows, end };
  }
}
