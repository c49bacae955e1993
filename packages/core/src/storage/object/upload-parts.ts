/** Parts of one value that are under way at once: with 8 MiB each, 40 MiB of memory a value with the one that is gathered. */
export const PARALLEL_PARTS = 4;

/**
 * Uploads parts, a few at once; memory is bounded, since the next part is asked for only when there is room for it. When
 * one fails, no further one is begun, and those under way are waited for.
 */
export async function uploadParts(
  parts: AsyncIterable<Uint8Array>,
  upload: (part: Uint8Array, index: number) => Promise<void>,
): Promise<number> {
  const underWay = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  let count = 0;
  try {
    for await (const part of parts) {
      const index = count++;
      const done: Promise<void> = upload(part, index)
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => underWay.delete(done));
      underWay.add(done);
      if (underWay.size >= PARALLEL_PARTS) await Promise.race(underWay);
      if (failure !== undefined) break;
    }
  } finally {
    await Promise.all(underWay);
  }
  if (failure !== undefined) throw (failure as { readonly error: unknown }).error;
  return count;
}
