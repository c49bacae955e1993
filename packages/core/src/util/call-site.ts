import { findSourceMap } from "node:module";
import { fileURLToPath } from "node:url";
import type { SourceLocation } from "../errors/flow-error.ts";

/** Where a decorator or a definition was written; file and line are worked out only when somebody asks. */
export interface CallSite {
  readonly stack?: string;
}

let isCapturing = true;

/**
 * Runs a function whose definitions nobody will ask for their place: the construction of a flow for a task. Capturing a
 * stack costs more there than all else that a parameter does.
 */
export function withoutCallSites<R>(run: () => R): R {
  isCapturing = false;
  try {
    return run();
  } finally {
    isCapturing = true;
  }
}

// One frame would do. The second one is for engines that count the frame of the function that is left out.
const FRAMES = 2;

/**
 * Remembers the place that called `callee`, cheaply: V8 keeps raw frames and formats them (through source maps) when
 * `stack` is read, which most runs never do.
 */
// biome-ignore lint/complexity/noBannedTypes: any function can be the callee
export function captureCallSite(callee: Function): CallSite {
  if (!isCapturing) return {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES;
  try {
    const site: CallSite = {};
    Error.captureStackTrace(site, callee);
    return site;
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** File, line and column of a call site, or undefined when the stack names no file. */
export function locate(site: CallSite | undefined): SourceLocation | undefined {
  for (const frame of site?.stack?.split("\n") ?? []) {
    const match = /^\s+at (?:.*\()?((?:file:\/\/|\/|[A-Za-z]:[\\/]).*?):(\d+):(\d+)\)?$/.exec(frame);
    if (match === null) continue;
    const [line, column] = [Number(match[2]), Number(match[3])];
    return sourceOf(match[1]!, line, column) ?? { file: toPath(match[1]!), line, column };
  }
  return undefined;
}

/**
 * The place in the sources of a place in a code package's bundle. Node maps stacks itself, but not for programs that
 * format them in their own way (`Error.prepareStackTrace`, as vitest does).
 */
function sourceOf(address: string, line: number, column: number): SourceLocation | undefined {
  if (!/[\\/]packages[\\/][0-9a-f]{64}[\\/]flow\.mjs(?:[?#].*)?$/.test(address)) return undefined;
  const origin = findSourceMap(address)?.findOrigin(line, column);
  return origin === undefined || !("fileName" in origin)
    ? undefined
    : { file: toPath(origin.fileName), line: origin.lineNumber, column: origin.columnNumber };
}

function toPath(file: string): string {
  if (!file.startsWith("file://")) return file;
  try {
    return fileURLToPath(file.replace(/[?#].*$/, ""));
  } catch {
    return file; // a URL with a host is shown as it is
  }
}
