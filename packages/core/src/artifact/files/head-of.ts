/** The first bytes of something that is read in pieces: enough to see what it is, and not checked against a digest. */
export async function headOf(pieces: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const head: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    head.push(piece.slice(0, maxBytes - bytes));
    bytes += piece.byteLength;
    if (bytes >= maxBytes) break;
  }
  return Buffer.concat(head);
}
