/**
 * The large arrays that one task has: private copies, which are compared at its end with what is stored, and those that it
 * shares with other tasks, which it may only read.
 */
import type { Digest, EncodedArtifact } from "../../artifact/artifact.ts";
import { digestOf } from "../../artifact/digest.ts";
import { isMemoryCodec } from "../../artifact/value-codec.ts";
import { FlowError } from "../../errors/flow-error.ts";
import type { ArtifactRow } from "../../metadata/metadata-store.ts";
import type { StepContract } from "../protocol.ts";
import { isLarge, type LentArray, type ValueLoader } from "./value-loader.ts";
import type { ArtifactTable } from "./visible-artifacts.ts";

export class TaskArrays {
  readonly #loader: ValueLoader;
  readonly #step: StepContract;
  readonly #stored = new Map<Digest, Uint8Array>();
  /** By identity: arrays of two types may have the same bytes. */
  readonly #lent = new Map<string, { readonly row: ArtifactRow; readonly array: LentArray }>();

  constructor(loader: ValueLoader, step: StepContract) {
    this.#loader = loader;
    this.#step = step;
  }

  /** The value of an artifact for this task: shared where the step asked for that, else its own. */
  load(row: ArtifactRow, owner: string): unknown {
    if (this.#step.shared?.own.includes(row.name) === true) return this.#share(row, owner).value;
    const { value, stored } = this.#loader.loadCompared(row, owner);
    if (stored !== undefined) this.#stored.set(row.digest, stored);
    return value;
  }

  /** Reads what the step shares, before it begins. */
  async readAhead(inherited: ArtifactTable): Promise<void> {
    for (const name of this.#step.shared?.own ?? []) {
      const row = inherited.get(name);
      if (row === undefined || this.#lent.has(identityOf(row))) continue;
      const array = await this.#loader.lendAhead(row);
      if (array !== undefined) this.#lent.set(identityOf(row), { row, array });
    }
  }

  /** The stored bytes of an array of which the task has a copy, where they are in memory. */
  storedBytes(digest: Digest): Uint8Array | undefined {
    return this.#stored.get(digest);
  }

  /** The artifact that a value is, if it is one that the task shares. */
  sharedRow(value: unknown): ArtifactRow | undefined {
    for (const { row, array } of this.#lent.values()) if (array.value === value) return row;
    return undefined;
  }

  /**
   * What keeps an array in memory for the steps that follow, to be called at least once while it is stored; undefined for what is
   * not kept. A field that a step of the flow shares is not, so that there is one copy of it and no more.
   */
  keeper(name: string, { codec, digest, sizeBytes, chunks }: EncodedArtifact): (() => void) | undefined {
    const ref = { codec, digest, sizeBytes };
    const isWanted = this.#step.isLast !== true && this.#step.shared?.all.includes(name) !== true;
    if (!isWanted || !isLarge(ref) || chunks.length !== 1) return undefined;
    let isKept = false;
    return () => {
      if (!isKept) this.#loader.keep(ref, chunks[0]!);
      isKept = true;
    };
  }

  /**
   * Looks at what the task shared, now that its step has ended.
   *
   * @throws FlowError FLOW_RUNNER_SHARED_CHANGED
   */
  check(): void {
    const changed: string[] = [];
    for (const { row, array } of this.#lent.values()) {
      const isUnchanged = digestOf([array.memory]) === row.digest;
      array.giveBack?.(isUnchanged);
      if (!isUnchanged) changed.push(row.name);
    }
    if (changed.length > 0) throw sharedChanged(this.#step.name, changed);
  }

  /** Gives up what the task shared: nobody has looked at it. */
  giveUp(): void {
    for (const { array } of this.#lent.values()) array.giveBack?.(false);
  }

  #share(row: ArtifactRow, owner: string): LentArray {
    const known = this.#lent.get(identityOf(row));
    if (known !== undefined) return known.array;
    if (!isMemoryCodec(row.codec)) throw notShareable(this.#step.name, row);
    const array = this.#loader.lend(row, owner);
    this.#lent.set(identityOf(row), { row, array });
    return array;
  }
}

function identityOf({ codec, digest }: ArtifactRow): string {
  return `${codec} ${digest}`;
}

function sharedChanged(step: string, names: readonly string[]): FlowError {
  const listed = names.map((name) => `"${name}"`).join(", ");
  return new FlowError("FLOW_RUNNER_SHARED_CHANGED", {
    message: `Cannot keep what "${step}" left: the shared ${names.length === 1 ? "array" : "arrays"} ${listed} changed while it ran`,
    hint: `Change a copy (this.${names[0]}.slice()), or take the field out of "shared": then each task has a copy of its own`,
    context: { step, names },
  });
}

function notShareable(step: string, { name, codec }: ArtifactRow): FlowError {
  return new FlowError("FLOW_RUNNER_NOT_SHAREABLE", {
    message: `Cannot share "${name}" with "${step}": its value is kept as "${codec}", and only typed arrays and Buffers can be shared`,
    hint: `Keep a typed array in "${name}", or take it out of "shared"`,
    context: { step, name, codec },
  });
}
