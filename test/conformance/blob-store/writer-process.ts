/** A process that writes values, for processes.test.ts: `node writer-process.ts FOLDER NOTES SEED [COUNT]`. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import { openFsBlobStore } from "../../../packages/core/src/storage/fs/fs-blob-store.ts";

const [folder, notes, seed, count] = process.argv.slice(2) as [string, string, string, string | undefined];
const store = openFsBlobStore(folder);
const noted = fs.openSync(notes, "a");
for (let index = 0; index < Number(count ?? Number.POSITIVE_INFINITY); index++) {
  const line = Buffer.from(`${seed} ${index} `);
  // From a few bytes to several MB, so that a kill falls into writing as well as into the calls around it.
  const chunks = [line, Buffer.alloc(index % 4 === 3 ? 3_000_000 : index * 37, line)];
  const digest = createHash("sha256").update(Buffer.concat(chunks)).digest("hex");
  const key = `sha256/${digest.slice(0, 2)}/${digest}`;
  const answer = index % 2 === 0 ? store.putSync(key, chunks) : await store.put(key, chunks);
  if (answer === "created") fs.writeSync(noted, `${key}\n`);
}
