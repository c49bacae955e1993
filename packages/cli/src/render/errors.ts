/**
 * Errors for people and for programs. A FlowError shows its message, every problem with its place, what to do next and its
 * code; our own stack only with --debug. An error of the user's step shows the user's own stack. Anything else is our bug.
 */
import { relative } from "node:path";
import type { FlowError, Problem, SerializedError } from "@millrace/core/internal";
import type { Paint } from "./output.ts";
import { harmless } from "./text.ts";

export interface ErrorStyle {
  readonly paint: Paint;
  readonly debug: boolean;
  /** Files below it are shown relative. */
  readonly cwd: string;
  /** As it was named with --store: commands in hints, typed as they stand, would act on another one. */
  readonly store?: string;
}

/** Problems shown of one error; the rest is counted. */
const MAX_PROBLEMS = 100;
const MAX_CAUSES = 8;

/** The error as lines for stderr, ending with a newline. */
export function renderError(thrown: unknown, style: ErrorStyle): string {
  const { paint } = style;
  const lines = [`${paint.red("✗")} ${paint.bold(clean(errorMessage(thrown)))}`];
  if (isFlowErrorLike(thrown)) {
    const problems = thrown.problems.length > 1 || thrown.problems[0]?.location !== undefined ? thrown.problems : [];
    for (const problem of problems.slice(0, MAX_PROBLEMS))
      lines.push(...problemLines(problem, problems.length > 1, style));
    if (problems.length > MAX_PROBLEMS) lines.push(paint.dim(`  … ${problems.length - MAX_PROBLEMS} more`));
    if (thrown.hint !== undefined) lines.push(hintLine(thrown.hint, "  ", paint));
    lines.push(...causeLines(thrown, style));
    if (style.store !== undefined && lines.some((line) => /\bflow [a-z]/.test(line)))
      lines.push(paint.dim(`  (with --store ${clean(style.store)})`));
    lines.push(`  ${paint.dim(thrown.code)}`);
  } else {
    lines.push(
      hintLine("This is a defect of Millrace: please report it; --debug shows where it happened", "  ", paint),
      `  ${paint.dim("FLOW_INTERNAL")}`,
    );
  }
  if (style.debug) lines.push(paint.dim(indent(clean(stackOf(thrown)), "  ")));
  return `${lines.join("\n")}\n`;
}

/**
 * The error of a task as lines: what the user's code threw, with the user's own frames, and its causes.
 *
 * @param how.verb what became of the task; default "failed"
 */
export function renderTaskError(
  task: string,
  error: SerializedError,
  style: ErrorStyle,
  how: { readonly verb?: string } = {},
): string {
  const { paint } = style;
  const isOurs = error.code !== "FLOW_STEP_FAILED";
  const lines = [
    `${paint.red("✗")} ${paint.bold(task)} ${how.verb ?? "failed"}: ${clean(isOurs || error.name === "Error" ? error.message : `${error.name}: ${error.message}`)}`,
  ];
  lines.push(...stackLines(error, style));
  for (const problem of error.problems ?? []) lines.push(...problemLines(problem, true, style));
  const inner = innermost(error);
  const hint = inner?.hint ?? error.hint;
  if (hint !== undefined) lines.push(hintLine(hint, "  ", paint));
  const codes = [...new Set([...(isOurs ? [error.code] : []), ...(inner === undefined ? [] : [inner.code])])];
  if (codes.length > 0) lines.push(`  ${paint.dim(codes.join(" because of "))}`);
  return `${lines.join("\n")}\n`;
}

/** Of errors of Millrace that have led to one another, the first: what to do is said there. */
function innermost(error: SerializedError): SerializedError | undefined {
  let found: SerializedError | undefined;
  for (let each: SerializedError | undefined = error; each !== undefined; each = each.cause)
    if (each.code.startsWith("FLOW_") && each.code !== "FLOW_STEP_FAILED") found = each;
  return found;
}

/** A warning as lines: what it says, and what to do. */
export function renderWarning(
  { message, hint }: { readonly message: string; readonly hint?: string | undefined },
  paint: Paint,
): string {
  return `${paint.yellow("!")} ${clean(message)}${hint === undefined ? "" : `\n${hintLine(hint, "  ", paint)}`}`;
}

/** The body of `{"error": …}`: without stacks and causes' stacks unless asked for. */
export function errorJson(
  thrown: unknown,
  options: { readonly debug: boolean },
): { readonly error: Record<string, unknown> } {
  const stack = options.debug ? { stack: stackOf(thrown) } : {};
  if (!isFlowErrorLike(thrown)) return { error: { code: "FLOW_INTERNAL", message: errorMessage(thrown), ...stack } };
  return {
    error: {
      code: thrown.code,
      message: thrown.message,
      ...(thrown.hint === undefined ? {} : { hint: thrown.hint }),
      ...(Object.keys(thrown.context).length === 0 ? {} : { context: thrown.context }),
      ...(thrown.problems.length === 0 ? {} : { problems: thrown.problems }),
      ...(thrown.cause === undefined ? {} : { cause: errorMessage(thrown.cause) }),
      ...stack,
    },
  };
}

/** As core's `isFlowError`, by the same mark: this module must not load core in order to say that core cannot be loaded. */
export function isFlowErrorLike(thrown: unknown): thrown is FlowError {
  return thrown instanceof Error && Symbol.for("millrace.FlowError") in thrown;
}

function problemLines(problem: Problem, withHint: boolean, style: ErrorStyle): readonly string[] {
  const { paint } = style;
  const location = problem.location;
  const place =
    location === undefined
      ? ""
      : `${paint.cyan(`${shortPath(location.file, style.cwd)}:${location.line}${location.column === undefined ? "" : `:${location.column}`}`)}  `;
  const lines = [`  ${place}${clean(problem.message)}`];
  if (withHint && problem.hint !== undefined) lines.push(hintLine(problem.hint, "    ", paint));
  return lines;
}

/**
 * The frames of the user's code, then each cause under its heading; without any, nothing: a stack of ours helps nobody
 * but us. Of each error that an AggregateError holds: what it says and where it happened.
 */
function stackLines(error: SerializedError, style: ErrorStyle): readonly string[] {
  const lines: string[] = [];
  const frameLine = (frame: string): string => style.paint.dim(`    ${frame}`);
  let current: SerializedError | undefined = error;
  for (let depth = 0; current !== undefined && depth < MAX_CAUSES; depth++) {
    if (depth > 0) lines.push(`  caused by ${headingOf(current)}`);
    lines.push(...framesOf(current.stack ?? "", style).map(frameLine));
    for (const inner of current.errors ?? []) {
      const first = framesOf(inner.stack ?? "", style)[0];
      lines.push(`  holds ${headingOf(inner)}`, ...(first === undefined ? [] : [frameLine(first)]));
    }
    if (current.moreErrors !== undefined) lines.push(style.paint.dim(`  … ${current.moreErrors} more`));
    current = current.cause;
  }
  return lines;
}

/** `RangeError: message`; what was thrown without being an Error stands alone. */
function headingOf({ name, message, stack }: SerializedError): string {
  if (stack === undefined && name === "Error") return clean(message);
  return clean(message === "" ? name : `${name}: ${message}`);
}

function framesOf(stack: string, style: ErrorStyle): readonly string[] {
  const frames = stack
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .map((line) => clean(line.trim()).replaceAll("file://", "").replaceAll(`${style.cwd}/`, ""));
  return style.debug ? frames : frames.filter((frame) => !/\bnode:internal\b|\(node:/.test(frame));
}

function causeLines(error: FlowError, style: ErrorStyle): readonly string[] {
  const lines: string[] = [];
  let cause: unknown = error.cause;
  let said = error.message;
  for (let depth = 0; cause instanceof Error && depth < MAX_CAUSES; depth++) {
    // Many messages already end with what the cause says; the system's own words repeat their code (ENOENT).
    const errno = "code" in cause && typeof cause.code === "string" ? cause.code : undefined;
    if (!said.includes(cause.message) && !(errno !== undefined && said.includes(`(${errno})`)))
      lines.push(`  because: ${clean(cause.message)}`);
    said += cause.message;
    cause = cause.cause;
  }
  return lines.map((line) => style.paint.dim(line));
}

function errorMessage(thrown: unknown): string {
  if (isFlowErrorLike(thrown)) return thrown.message;
  if (thrown instanceof Error) return `${thrown.name}: ${thrown.message}`;
  return `${typeof thrown === "string" ? thrown : JSON.stringify(thrown)}`;
}

function stackOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const cause = thrown.cause === undefined ? "" : `\ncaused by ${stackOf(thrown.cause)}`;
  return `${thrown.stack ?? thrown.message}${cause}`;
}

function hintLine(hint: string, blanks: string, paint: Paint): string {
  return `${blanks}${paint.yellow("→")} ${clean(hint)}`;
}

/** A file below the folder relative to it, any other as it is. */
export function shortPath(file: string, cwd: string): string {
  const short = relative(cwd, file);
  return short !== "" && !short.startsWith("..") ? short : file;
}

function indent(text: string, blanks: string): string {
  return text
    .split("\n")
    .map((line) => blanks + line)
    .join("\n");
}

function clean(text: string): string {
  return harmless(text, { colours: false });
}
