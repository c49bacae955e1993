import type { ArtifactRow } from "../../metadata/metadata-store.ts";

/**
 * Told what a task looks at besides the fields of its flow object, where somebody wants to know it exactly. Reads have the
 * names that docs/formats/cache-key.md gives them.
 */
export interface ReadWatch {
  read(name: string): void;
  /** A name of an input of a join was asked for, by position; `row` is what the input has under it. */
  inputRead(index: number, name: string, row: ArtifactRow | undefined): void;
  /** What cannot be compared with what another task reads; completes "it read …". */
  unknownRead(what: string): void;
}
