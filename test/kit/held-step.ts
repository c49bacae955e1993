/**
 * Steps that the test holds and releases by hand, wherever they run: in a thread, in a process, in another program. A
 * task says by a file that it is there, and goes on when the test has made another file; nobody guesses times.
 *
 *     const held = new HeldSteps(project);              // the flow: import { hold } from "./held-step.ts"
 *     await held.reached("work/1");                     // the step: await hold(this.signal)
 *     held.release("work/1");
 */
import fs from "node:fs";
import path from "node:path";
import type { Project } from "./project.ts";

const ends = { reached: ".reached", released: ".released" } as const;

export class HeldSteps {
  readonly #folder: string;

  constructor(project: Project) {
    this.#folder = project.file("held");
    fs.mkdirSync(this.#folder, { recursive: true });
    project.write({ "held-step.ts": stepSide(this.#folder) });
  }

  /** Resolves as soon as a task is held: `work/1`; a later attempt at it is `work/1#2`. */
  reached(task: string): Promise<void> {
    const file = this.#file(task, "reached");
    return new Promise((resolve) => {
      const watcher = fs.watch(this.#folder, () => look());
      const look = (): void => {
        if (!fs.existsSync(file)) return;
        watcher.close();
        resolve();
      };
      look();
    });
  }

  /** Whether a task is held, or was. */
  hasReached(task: string): boolean {
    return fs.existsSync(this.#file(task, "reached"));
  }

  /** Lets a task go on; one that is not there yet will not be held. */
  release(...tasks: readonly string[]): void {
    for (const task of tasks) fs.writeFileSync(this.#file(task, "released"), "");
  }

  /** Forgets all tasks: for the next run. */
  reset(): void {
    for (const name of fs.readdirSync(this.#folder)) fs.rmSync(path.join(this.#folder, name));
  }

  #file(task: string, end: keyof typeof ends): string {
    return path.join(this.#folder, encodeURIComponent(task) + ends[end]);
  }
}

/** A module of the user's own, for it becomes a part of the flow's package. */
function stepSide(folder: string): string {
  return `import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { current } from "@millrace/core";

/** Holds the task that runs here until the test releases it, or the signal says to stop. */
export async function hold(signal?: AbortSignal): Promise<void> {
  const task = current.step + (current.path === "" ? "" : "/" + current.path) + (current.attempt === 1 ? "" : "#" + current.attempt);
  const file = join(${JSON.stringify(folder)}, encodeURIComponent(task));
  writeFileSync(file + "${ends.reached}", "");
  while (!existsSync(file + "${ends.released}")) {
    signal?.throwIfAborted();
    await wait(3);
  }
}
`;
}
