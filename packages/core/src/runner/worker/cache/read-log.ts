/**
 * What one task reads while it runs, by name. A join over 10,000 inputs that looks at one field of each has one read, not
 * 10,000: positions are gathered into ranges and their identities into one digest.
 */
import type { FieldWatch } from "../../../flow/field-watch.ts";
import { isName } from "../../../ids/names.ts";
import type { ArtifactRow } from "../../../metadata/metadata-store.ts";
import type { ReadWatch } from "../read-watch.ts";
import { type InputRange, inputsName } from "./read-names.ts";
import type { TaskFacts } from "./task-facts.ts";

/** Different things that a task may read and still be offered: far more than steps that are worth it have names for. */
const MOST_READS = 2_000;
/** Gaps in what was read of the inputs; with more of them all inputs count as read. */
const MOST_RANGES = 32;

export class ReadLog implements FieldWatch, ReadWatch {
  isOn = false;
  readonly #names = new Set<string>();
  readonly #inputs = new Map<string, Set<number>>();
  readonly #set = new Set<string>();
  readonly #facts: Pick<TaskFacts, "learnInput">;
  #unknown: string | undefined;

  constructor(facts: Pick<TaskFacts, "learnInput">) {
    this.#facts = facts;
  }

  /** Why the task cannot stand for another one; undefined when it can. */
  get unknown(): string | undefined {
    if (this.#unknown !== undefined) return `it read ${this.#unknown}`;
    return this.#names.size > MOST_READS ? `it read more than ${MOST_READS} different things` : undefined;
  }

  /** Fields that were set before they were read, if they were read at all. */
  get setFields(): Iterable<string> {
    return this.#set;
  }

  /** Fields that were set, first or after they were read. */
  get touchedFields(): readonly string[] {
    return [...this.#set, ...[...this.#names].filter((name) => FIELD.test(name)).map((name) => name.slice(5))];
  }

  fieldRead(name: string): void {
    if (isName(name)) this.read(`this.${name}`);
    else this.unknownRead("a field whose name is no identifier");
  }

  fieldSet(name: string): void {
    if (!isName(name)) return; // Refused when the fields are collected.
    this.#set.add(name);
    this.read(`set this.${name}`);
  }

  classRead(): void {
    this.read("current.run.project");
    this.read("current.run.flow");
  }

  read(name: string): void {
    // In the text that becomes a key each read is a line.
    if (name.includes("\n")) this.unknownRead("a field whose name is no identifier");
    else if (this.#names.size <= MOST_READS) this.#names.add(name);
  }

  inputRead(index: number, name: string, row: ArtifactRow | undefined): void {
    if (!isName(name)) {
      this.unknownRead("a field of an input whose name is no identifier");
      return;
    }
    this.#facts.learnInput(index, name, row);
    const known = this.#inputs.get(name);
    if (known === undefined) this.#inputs.set(name, new Set([index]));
    else known.add(index);
  }

  unknownRead(what: string): void {
    this.#unknown ??= what;
  }

  /** The names of all reads, in a fixed order. */
  names(inputCount: number): readonly string[] {
    const inputs = [...this.#inputs].map(([name, indices]) => inputsName(rangeOf(indices, inputCount), name));
    return [...this.#names, ...inputs].sort();
  }
}

const FIELD = /^this\.[^.]+$/;

function rangeOf(indices: ReadonlySet<number>, count: number): InputRange {
  if (indices.size === count) return "*";
  const ranges: [number, number][] = [];
  for (const index of [...indices].sort((left, right) => left - right)) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === index - 1) last[1] = index;
    else ranges.push([index, index]);
  }
  return ranges.length > MOST_RANGES ? "*" : ranges;
}
