/**
 * Finds out what tasks leave changed in their worker. Tasks of a worker share one JavaScript world, and what one of them
 * does to `process.env`, to `Object.prototype` or to a module's variable, the next one sees; a worker in which that has
 * happened must not run another task.
 *
 * A glance, after each task, costs about a microsecond and sees what is changed most often; a look, after each batch and
 * after each task of a step that has changed a worker before, costs about a hundred and sees all that is known here.
 * Not seen: what a task hides on purpose, state of installed packages, and the insides of objects.
 */
import type { Pollution } from "../worker-host.ts";
import { BuiltinState } from "./builtin-state.ts";
import { EnvironmentState } from "./environment-state.ts";
import { FolderState } from "./folder-state.ts";
import { GlobalState } from "./global-state.ts";
import { HandleState } from "./handle-state.ts";
import { ListenerState } from "./listener-state.ts";
import { ModuleState, type ModuleVariables } from "./module-state.ts";

/** A part of a worker that tasks may change. Made when the worker is as it should be. */
export interface WorkerState {
  /** Whether something is certainly changed; false says nothing. */
  glance?(): boolean;
  look(): readonly Change[] | Promise<readonly Change[]>;
  /** Takes what is there now for what should be. */
  accept(): void;
}

/** A change that was found, and whether it may show in the results of tasks that ran after it. */
export interface Change extends Pollution {
  readonly isContagious: boolean;
}

export class Fingerprint {
  readonly #states: readonly WorkerState[];
  readonly #handles = new HandleState();

  /**
   * @param environment the environment variables that steps of this worker see
   * @param variables those of the user's modules, where the code package tells them
   */
  constructor(environment: () => Readonly<Record<string, string | undefined>>, variables?: ModuleVariables) {
    this.#states = [
      new BuiltinState(),
      new ModuleState(variables),
      new FolderState(),
      new GlobalState(),
      new EnvironmentState(environment),
      new ListenerState(),
      this.#handles,
    ];
  }

  glance(): boolean {
    for (const state of this.#states) if (state.glance?.() === true) return true;
    return false;
  }

  /**
   * All that is changed; from now on that is how the worker should be.
   *
   * @param options.isTolerated whether changes that may be meant are passed over
   */
  async look({ isTolerated }: { readonly isTolerated: boolean }): Promise<readonly Change[]> {
    const changes: Change[] = [];
    for (const state of this.#states) {
      const look = state.look();
      // Without a change nothing is waited for: a turn of the event loop costs more than the look.
      const found = look instanceof Promise ? await look : look;
      if (found.length === 0) continue;
      state.accept();
      for (const change of found) if (!(isTolerated && change.isTolerable)) changes.push(change);
    }
    return changes;
  }

  /** Whether only a deep look can tell; it takes as long as a garbage collection. */
  get isUnsure(): boolean {
    return this.#handles.isUnsure;
  }

  lookDeeply(): readonly Change[] {
    return this.#handles.lookDeeply();
  }
}
