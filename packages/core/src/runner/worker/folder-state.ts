import { isMainThread } from "node:worker_threads";
import type { Change, WorkerState } from "./fingerprint.ts";

/** The working folder. It is put back rather than told: a process of its own is where a step may change it. */
export class FolderState implements WorkerState {
  readonly #folder = currentFolder();

  glance(): boolean {
    // A thread cannot change it; what it sees change is the program's own doing.
    return isMainThread && currentFolder() !== this.#folder;
  }

  look(): readonly Change[] {
    if (!this.glance()) return [];
    try {
      process.chdir(this.#folder);
      return [];
    } catch {
      return [{ what: "the working folder", isTolerable: false, isContagious: true }];
    }
  }

  accept(): void {}
}

function currentFolder(): string {
  try {
    return process.cwd();
  } catch {
    return ""; // It was deleted.
  }
}
