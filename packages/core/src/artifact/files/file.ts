import path from "node:path";
import { FlowError } from "../../errors/flow-error.ts";
import { fileNameProblem } from "../codec-id.ts";
import { DiskContent, MemoryContent } from "./file-content.ts";
import { FolderContent } from "./folder-content.ts";
import { StoredFile, StoredFolder } from "./stored-file.ts";

export interface FileOptions {
  /** What it is called when it is written somewhere; default the last part of the path. */
  readonly name?: string;
}

/**
 * A file to keep in a field. It is read when the step has ended, streamed, and stored as it is: its digest is what
 * `sha256sum` gives.
 *
 * @param source a path, from the working directory of the run; or bytes, with a name
 * @throws FlowError FLOW_ARTIFACT_BAD_FILE for a source without a usable name; when the step ends, for one that is no file
 * @example this.network = file("out/network.onnx");
 */
export function file(source: string, options?: FileOptions): StoredFile;
export function file(source: Uint8Array, options: FileOptions & { readonly name: string }): StoredFile;
export function file(source: string | Uint8Array, options: FileOptions = {}): StoredFile {
  if (typeof source === "string")
    return new StoredFile(nameOf(options.name ?? path.basename(source)), new DiskContent(path.resolve(source)));
  if (source instanceof Uint8Array) return new StoredFile(nameOf(options.name), new MemoryContent(source));
  throw badSource(`${typeof source} is neither a path nor bytes`);
}

/**
 * A folder of files to keep in a field, as one value. It is read when the step has ended.
 *
 * @param source a path, from the working directory of the run
 * @throws FlowError as `file`, and for links and whatever is no plain file
 * @example this.checkpoint = folder("out/checkpoint");
 */
export function folder(source: string, options: FileOptions = {}): StoredFolder {
  if (typeof source !== "string") throw badSource(`${typeof source} is no path`);
  const absolute = path.resolve(source);
  return new StoredFolder(nameOf(options.name ?? path.basename(absolute)), new FolderContent(absolute));
}

function nameOf(name: string | undefined): string {
  if (name === undefined) throw badSource("bytes have no name of their own");
  const normal = name.normalize("NFC");
  const problem = fileNameProblem(normal);
  if (problem !== undefined) throw badSource(problem);
  return normal;
}

function badSource(reason: string): FlowError {
  return new FlowError("FLOW_ARTIFACT_BAD_FILE", {
    message: `Cannot keep a file: ${reason}`,
    hint: 'Write file("out/model.onnx"), folder("out/model"), or file(bytes, { name: "model.onnx" })',
  });
}
