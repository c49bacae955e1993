import { FlowError } from "../errors/flow-error.ts";
import type { MetadataStore, TaskSequence } from "../metadata/metadata-store.ts";

/** Numbers reserved beyond what is needed at once, so that few ticks must ask for more. */
const RESERVE = 1_024;

/**
 * Task numbers of one run, taken from the store in blocks. Reserving waits for the store; taking does not, because the
 * scheduler takes in the middle of a transition. Numbers that are left over are never used, which costs nothing.
 */
export class TaskNumbers {
  readonly #metadata: Pick<MetadataStore, "reserveTasks">;
  #next = 0;
  #end = 0;

  constructor(metadata: Pick<MetadataStore, "reserveTasks">) {
    this.#metadata = metadata;
  }

  /** Makes sure that `count` consecutive numbers can be taken. */
  async reserve(count: number): Promise<void> {
    if (this.#end - this.#next >= count) return;
    this.#next = await this.#metadata.reserveTasks(count + RESERVE);
    this.#end = this.#next + count + RESERVE;
  }

  /** The first of `count` consecutive numbers. */
  take(count: number): TaskSequence {
    const first = this.#next;
    if (first + count > this.#end) {
      throw new FlowError("FLOW_INTERNAL", {
        message: `Only ${this.#end - first} of ${count} task numbers were reserved`,
      });
    }
    this.#next += count;
    return first as TaskSequence;
  }
}
