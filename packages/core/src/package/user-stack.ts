import path from "node:path";
import { fileURLToPath } from "node:url";
import type { SourceLocation } from "../errors/flow-error.ts";
import { type SerializedError, serializeError } from "../errors/flow-error.ts";
import { coreFolder } from "./core-package.ts";

const MAX_CAUSES = 8;

/** Frames of the packages that run a step, in whatever copy. */
const MACHINERY = /[\\/]node_modules[\\/]@millrace[\\/](?:core|cli)[\\/]/;
/** The bundler's own helpers: the rest of a bundle is mapped to its sources. */
const BUNDLED = /[\\/]packages[\\/][0-9a-f]{64}[\\/]flow\.mjs/;

/**
 * Anything that was thrown as plain data, each error of the chain with its own heading and the user's own frames; causes
 * and the errors of an AggregateError are in `cause` and `errors`, not in the text of `stack`.
 *
 * @param folder paths in stacks are shown relative to it; default: the working directory
 */
export function describeUserError(thrown: unknown, folder: string = path.resolve()): SerializedError {
  return serializeError(thrown, (error) => ownStack(error, folder));
}

/**
 * An error's stack with the user's own frames only: those of Node, of Millrace, of the worker pool and of the bundler's
 * helpers are left out, paths are relative, and a decorated class is called by its name. Causes follow.
 *
 * @param error anything that was thrown
 * @param folder paths in it are shown relative to it; default: the working directory
 */
export function userStack(error: unknown, folder: string = path.resolve()): string {
  return describe(error, folder, 0);
}

/** The place of the first frame in one of these files; undefined without any. */
export function placeIn(error: unknown, isOneOf: (file: string) => boolean): SourceLocation | undefined {
  if (!(error instanceof Error)) return undefined;
  for (const frame of split(error).frames) {
    const found = ownPlace(frame);
    if (found !== undefined && isOneOf(found.file))
      return { file: found.file, line: Number(found.line), column: Number(found.column) };
  }
  return undefined;
}

function describe(error: unknown, folder: string, depth: number): string {
  if (!(error instanceof Error)) return String(error);
  const parts = [ownStack(error, folder)];
  if (depth < MAX_CAUSES) {
    const aggregated = error instanceof AggregateError ? error.errors.slice(0, MAX_CAUSES) : [];
    for (const cause of [...(error.cause === undefined || error.cause === null ? [] : [error.cause]), ...aggregated]) {
      parts.push(`Caused by: ${describe(cause, folder, depth + 1)}`);
    }
  }
  return parts.join("\n");
}

function ownStack(error: Error, folder: string): string {
  const { header, frames } = split(error);
  return [header, ...frames.flatMap((frame) => ownFrame(frame, folder) ?? [])].join("\n");
}

/** A message can have lines that look like frames, so the header is taken from the message where the stack begins with it. */
function split(error: Error): { readonly header: string; readonly frames: readonly string[] } {
  const stack = typeof error.stack === "string" ? error.stack : String(error);
  const heading = [
    `${error.name}: ${error.message}`,
    `${error.constructor.name}: ${error.message}`,
    error.message,
  ].find((text) => text !== "" && stack.startsWith(text));
  if (heading !== undefined)
    return {
      header: heading,
      frames: stack
        .slice(heading.length)
        .split("\n")
        .filter((line) => line !== ""),
    };
  const lines = stack.split("\n");
  const first = lines.findIndex((line) => /^\s+at /.test(line));
  return first === -1
    ? { header: stack, frames: [] }
    : { header: lines.slice(0, first).join("\n"), frames: lines.slice(first) };
}

function ownFrame(frame: string, folder: string): string | undefined {
  const found = ownPlace(frame);
  if (found === undefined) return isDescribed(frame) ? frame : undefined;
  const { caller, file, line, column } = found;
  const relative = path.relative(folder, file);
  const place = `${relative.startsWith("..") || path.isAbsolute(relative) ? file : relative}:${line}:${column}`;
  return caller === undefined ? `    at ${place}` : `    at ${readable(caller)} (${place})`;
}

const FRAME = /^\s+at (?:(.*) \()?(.+?):(\d+):(\d+)\)?$/;

/** Whether a stack with this frame was described before, of a run inside a step: Node itself names no relative file. */
function isDescribed(frame: string): boolean {
  const file = FRAME.exec(frame)?.[2]?.replace(/^async /, "") ?? "";
  return !path.isAbsolute(file) && /^[^:<>[\]]+\.[cm]?[jt]sx?$/.test(file);
}

interface OwnPlace {
  readonly caller: string | undefined;
  readonly file: string;
  readonly line: string;
  readonly column: string;
}

function ownPlace(frame: string): OwnPlace | undefined {
  const parsed = FRAME.exec(frame);
  if (parsed === null) return undefined;
  const [, caller, address, line, column] = parsed;
  const file = toPath(address!);
  return file === undefined || isMachinery(file) ? undefined : { caller, file, line: line!, column: column! };
}

/** Absolute path of a frame; undefined for what is no file (`node:fs`, `<anonymous>`, `data:`, `[eval1]`). */
function toPath(address: string): string | undefined {
  const plain = address.replace(/^async /, "");
  const file = plain.startsWith("file://") ? fileURLToPath(plain.replace(/[?#].*$/, "")) : plain;
  return path.isAbsolute(file) && !/[\\/]\[eval\d*\]$/.test(file) ? file : undefined;
}

function isMachinery(file: string): boolean {
  return (
    MACHINERY.test(file) ||
    BUNDLED.test(file) ||
    file.startsWith(path.join(coreFolder(), "dist", path.sep)) ||
    file.startsWith(path.join(coreFolder(), "src", path.sep))
  );
}

/** Lowered decorators leave a class called `_Train` inside. */
function readable(caller: string): string {
  return caller.replace(/^((?:async |new )*)_(?=[A-Z])/, "$1");
}
