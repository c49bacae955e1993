import path from "node:path";
import type { BuildFailure, Message } from "esbuild";
import type { ErrorCode } from "../errors/code-table.ts";
import { FlowError, type Problem, problemsError, type SourceLocation } from "../errors/flow-error.ts";
import { displayPath } from "./display-path.ts";
import type { UnresolvedDetail } from "./externals-plugin.ts";

/** What esbuild says about sources that it cannot bundle, as one coded error with all problems and their places. */
export function bundleError(entry: string, root: string, failure: unknown): FlowError {
  const messages = isBuildFailure(failure) ? failure.errors : [];
  const heading = `Cannot bundle "${displayPath(entry)}"`;
  if (messages.length === 0) {
    return new FlowError("FLOW_PACKAGE_BUNDLE_FAILED", {
      message: `${heading}: ${failure instanceof Error ? failure.message : String(failure)}`,
      cause: failure,
    });
  }
  return problemsError(
    heading,
    messages.map((message) => problemOf(message, root)),
  );
}

function problemOf(message: Message, root: string): Problem {
  const location = locationOf(message, root);
  const where = location === undefined ? "" : ` at ${location.file}:${location.line}:${location.column}`;
  const line = message.location?.lineText.trim();
  const at = location === undefined ? {} : { location };
  const unresolved = unresolvedOf(message);
  if (unresolved !== undefined) {
    const hint = unresolvedHint(unresolved);
    return {
      code: "FLOW_PACKAGE_UNRESOLVED",
      message: `"${unresolved.specifier}" was not found${where}`,
      ...at,
      ...(hint === undefined ? {} : { hint }),
    };
  }
  if (message.text.startsWith("No loader is configured")) {
    return {
      code: "FLOW_PACKAGE_UNSUPPORTED_FILE",
      message: `${message.text.replaceAll('"', "'")}${where}`,
      hint: "Read the file with includeFile(), or with node:fs and import.meta.dirname",
      ...at,
    };
  }
  const code: ErrorCode = isSyntaxError(message.text) ? "FLOW_PACKAGE_SYNTAX" : "FLOW_PACKAGE_BUNDLE_FAILED";
  return { code, message: `${message.text}${where}${line === undefined || line === "" ? "" : `: ${line}`}`, ...at };
}

function unresolvedOf(message: Message): UnresolvedDetail | undefined {
  const detail = message.detail as Partial<UnresolvedDetail> | undefined;
  if (detail?.kind === "unresolved") return detail as UnresolvedDetail;
  const specifier = /^Could not resolve "(.+)"/.exec(message.text)?.[1];
  return specifier === undefined
    ? undefined
    : { kind: "unresolved", specifier, packageName: undefined, isInstalled: false };
}

function unresolvedHint(detail: UnresolvedDetail): string | undefined {
  if (detail.packageName === undefined)
    return detail.specifier.startsWith("#") ? undefined : "Check the path and the ending of the file";
  if (detail.isInstalled)
    return `Build "${detail.packageName}": it is there, but not the file that its package.json names for this import`;
  return `npm install ${detail.packageName}`;
}

/** esbuild numbers no messages: what speaks of expected, unexpected or unterminated text is about syntax. */
function isSyntaxError(text: string): boolean {
  return /expected|unterminated|syntax error|invalid|cannot assign|cannot use|already been declared|must be/i.test(
    text,
  );
}

function locationOf(message: Message, root: string): Required<SourceLocation> | undefined {
  if (message.location === null) return undefined;
  const file =
    message.location.namespace === "" || message.location.namespace === "file"
      ? displayPath(path.resolve(root, message.location.file))
      : message.location.file;
  return { file, line: message.location.line, column: message.location.column + 1 };
}

function isBuildFailure(failure: unknown): failure is BuildFailure {
  return failure instanceof Error && Array.isArray((failure as Partial<BuildFailure>).errors);
}
