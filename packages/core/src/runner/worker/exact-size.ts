import type { NewBlob } from "../../artifact/artifact.ts";

/** Cloning a view clones all of its memory, so bytes that travel own theirs. */
export function exactSize(blob: NewBlob): NewBlob {
  const { stored } = blob;
  return stored === undefined || stored.byteLength === stored.buffer.byteLength
    ? blob
    : { ...blob, stored: new Uint8Array(stored) };
}
