/** Artifacts as files outside of the store: where each of them goes, and how it gets there whole and checked. */
import { readdirSync, type Stats, statSync } from "node:fs";
import { mkdir, rmdir } from "node:fs/promises";
import path from "node:path";
import { fileCodec } from "../artifact/codec-id.ts";
import { writeWhole } from "../artifact/files/stored-file.ts";
import { FlowError, isFlowError, type Problem, problemsError } from "../errors/flow-error.ts";
import type { ArtifactRow } from "../metadata/metadata-store.ts";
import { isInside } from "../package/package-root.ts";
import { whyNoOutput } from "../util/output-place.ts";
import type { OpenStores } from "./open-stores.ts";

export interface PullOptions {
  /** Whose artifacts they are: `Train/17`. */
  readonly owner: string;
  readonly cwd: string;
  /** A folder when it is one, ends with a separator, or several artifacts go there; else the path of the one artifact. */
  readonly output?: string;
  /** SHA-256 that the one artifact must have. */
  readonly digest?: string;
  /** Whether files that are there are written over. */
  readonly isForced?: boolean;
  /** The store's folder, where nothing is written. */
  readonly store: string;
}

export interface Pull {
  readonly artifact: ArtifactRow;
  /** Absolute. */
  readonly target: string;
}

/**
 * Says where artifacts go. Nothing is written yet.
 *
 * @throws FlowError with all problems at once: FLOW_CLIENT_OTHER_DIGEST, FLOW_CLI_OUTPUT_NOT_WRITABLE, FLOW_CLI_BAD_VALUE
 */
export function planPull(artifacts: readonly ArtifactRow[], options: PullOptions): readonly Pull[] {
  const { owner, cwd, output = ".", digest, store } = options;
  const problems: Problem[] = [];
  const place = path.resolve(cwd, output);
  const isFolder = artifacts.length > 1 || /[/\\]$/.test(output) || looked(place)?.isDirectory() === true;
  const pulls = artifacts.map((artifact) => ({
    artifact,
    target: isFolder ? path.join(place, outsideName(artifact)) : place,
  }));
  if (digest !== undefined) {
    const [only, second] = artifacts;
    if (second !== undefined)
      problems.push({
        code: "FLOW_CLI_BAD_VALUE",
        message: `--digest says what one artifact must be, and ${artifacts.length} are pulled`,
        hint: "Name the artifact",
      });
    else if (only!.digest !== digest.toLowerCase().replace(/^sha256:/, ""))
      problems.push({
        code: "FLOW_CLIENT_OTHER_DIGEST",
        message: `"${only!.name}" of ${owner} has the digest ${only!.digest}, and not ${digest}`,
        hint: "Name the run that you mean by its number or id: a tag may have moved since",
      });
  }
  const taken = new Map<string, string>();
  for (const { artifact, target } of pulls) {
    const other = taken.get(target.toLowerCase());
    const why =
      other === undefined ? whyNotThere(artifact, target, options) : `"${other}" would be written to the same place`;
    taken.set(target.toLowerCase(), artifact.name);
    const inStore = why ?? (target === path.resolve(store) ? "it is the store" : undefined);
    if (inStore !== undefined)
      problems.push({
        code: "FLOW_CLI_OUTPUT_NOT_WRITABLE",
        message: `Cannot write "${artifact.name}" to "${target}": ${inStore}`,
        hint: other === undefined ? "Choose another place with -o PATH" : "Pull one after the other",
      });
  }
  if (problems.length > 0) throw problemsError(`Cannot pull from ${owner}`, problems);
  return pulls;
}

function whyNotThere(artifact: ArtifactRow, target: string, { isForced, store }: PullOptions): string | undefined {
  const facts = looked(target);
  const why = whyNoOutput(target, store);
  if (fileCodec(artifact.codec)?.kind === "folder") {
    if (facts === undefined) return why;
    if (!facts.isDirectory()) return "it is there, and no folder";
    if (readdirSync(target).length > 0) return "it is there, and not empty";
    return isInside(target, store) ? "it lies in the store" : undefined;
  }
  if (why !== undefined) return why;
  return facts !== undefined && isForced !== true ? "it is there already (--force writes over it)" : undefined;
}

/** What is there; a path that no system takes is refused here, and not in the middle of a pull. */
function looked(file: string): Stats | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false });
  } catch (cause) {
    throw notWritable(file, cause);
  }
}

function notWritable(file: string, cause: unknown): FlowError {
  return new FlowError("FLOW_CLI_OUTPUT_NOT_WRITABLE", {
    message: `Cannot write "${file}": ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: "Name a place that can be written, with -o PATH",
    cause,
  });
}

/** What an artifact is called outside: files and folders by their own names, other values after themselves. */
function outsideName({ name, codec }: ArtifactRow): string {
  const endings: Readonly<Record<string, string>> = { text: "txt", bytes: "bin" };
  return fileCodec(codec)?.name ?? `${name}.${endings[codec] ?? codec.replaceAll("/", "-")}`;
}

/**
 * Writes one artifact where it was planned.
 *
 * @throws FlowError FLOW_ARTIFACT_MISSING, FLOW_ARTIFACT_DAMAGED, FLOW_ARTIFACT_GONE, FLOW_CLI_OUTPUT_NOT_WRITABLE
 */
export async function pullArtifact(
  { metadata, artifacts }: Pick<OpenStores, "metadata" | "artifacts">,
  owner: string,
  { artifact, target }: Pull,
): Promise<void> {
  const options = { subject: `"${artifact.name}" of ${owner}` };
  const row = await metadata.blob(artifact.digest);
  let made: string | undefined;
  try {
    made = await mkdir(path.dirname(target), { recursive: true });
    const file = artifacts.file(artifact, row, options);
    if (file === undefined) await writeWhole(target, artifacts.pieces(artifact, row, options));
    else await file.copyTo(target);
  } catch (cause) {
    if (made !== undefined) await removeEmpty(path.dirname(target), made);
    if (isFlowError(cause)) throw cause;
    throw notWritable(target, cause);
  }
}

/** Takes folders away again that were made for nothing: up to the first that was made, as long as nothing is in them. */
async function removeEmpty(folder: string, first: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch {
    return; // Something is in it: what was pulled before, or of somebody else.
  }
  if (folder !== first && folder !== path.dirname(folder)) await removeEmpty(path.dirname(folder), first);
}
