/**
 * A folder as one payload: a plain tar of its files, of which every byte follows from their paths and contents, so that equal
 * folders have equal digests. `tar xf` reads it.
 */
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { tarPadding } from "../../util/tar.ts";
import { entryBytes, entryHead, TAIL_BYTES } from "../../util/tar-entries.ts";
import { fileNameProblem } from "../codec-id.ts";
import { diskPieces, type FileContent, quoted } from "./file-content.ts";
import { badFile, fileError } from "./file-error.ts";

interface FoundFile {
  /** From the folder, with `/` between the parts. */
  readonly path: string;
  readonly file: string;
  readonly sizeBytes: number;
}

/** A folder of the machine, read when the step has ended. */
export class FolderContent implements FileContent {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  size(): number {
    return this.#files().reduce((sum, file) => sum + entryBytes(file.path, file.sizeBytes), TAIL_BYTES);
  }

  async *pieces(): AsyncGenerator<Uint8Array, void> {
    yield* this.#bytes();
  }

  whole(): Uint8Array {
    return Buffer.concat([...this.#bytes()]);
  }

  *#bytes(): Generator<Uint8Array, void> {
    for (const { path: name, file, sizeBytes } of this.#files()) {
      yield entryHead(name, sizeBytes);
      let read = 0;
      for (const piece of diskPieces(file)) {
        read += piece.byteLength;
        yield piece;
      }
      if (read !== sizeBytes) throw badFile(quoted(file), "it changed while it was read");
      const padding = tarPadding(sizeBytes);
      if (padding > 0) yield new Uint8Array(padding);
    }
    yield new Uint8Array(TAIL_BYTES);
  }

  /** In the order of their paths' bytes. */
  #files(): readonly FoundFile[] {
    const found: FoundFile[] = [];
    const look = (folder: string, prefix: string): void => {
      for (const entry of fileError(folder, () => readdirSync(folder, { withFileTypes: true }))) {
        const file = path.join(folder, entry.name);
        const problem = fileNameProblem(entry.name);
        if (problem !== undefined) throw badFile(quoted(file), problem);
        if (entry.isDirectory()) look(file, `${prefix}${entry.name}/`);
        else if (entry.isFile())
          found.push({ path: prefix + entry.name, file, sizeBytes: fileError(file, () => statSync(file)).size });
        else throw badFile(quoted(file), entry.isSymbolicLink() ? "it is a link" : "it is no plain file");
      }
    };
    look(this.#folder, "");
    return found.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  }
}
