/**
 * How bytes are known to be those of their key. Storage knows keys and bytes; what a digest in a key covers, and how a value
 * is compressed, is told by whoever opens the store.
 */
export interface ValueCheck {
  /** The next bytes of the value, in their order. They are not kept. */
  add(piece: Uint8Array): void;
  /** What is wrong with the value, in words; undefined when it is what its key says. */
  end(): string | undefined;
}

/** Begins to check the value of a key; undefined for keys that say nothing of their bytes: those are never kept nearby. */
export type CheckOf = (key: string) => ValueCheck | undefined;
