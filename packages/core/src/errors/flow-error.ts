/**
 * The one error class of Millrace.
 *
 * Purpose: every failure that a user can meet carries a stable `code`, a sentence that says what went wrong and,
 * where there is one, the next thing to do. Invariants: the code is the contract and never changes its meaning;
 * message, hint and context are plain data (safe to store and to send) and never hold secrets. Not here: the list of
 * codes (see `code-table.ts`) and the printing of errors (the CLI does that).
 */
import type { ErrorCode } from "./code-table.ts";

/** What goes with an error besides its code. */
export interface FlowErrorDetails {
  /** What failed, in one sentence: the action first, values quoted, no full stop. */
  readonly message: string;
  /** The next thing to do, as an order. */
  readonly hint?: string;
  /** Plain data for programs: names, paths, digests. */
  readonly context?: Readonly<Record<string, unknown>>;
  /** Several problems found at once: each is shown under the message. */
  readonly problems?: readonly Problem[];
  readonly cause?: unknown;
}

/** One of several problems that are reported together. */
export interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly location?: SourceLocation;
}

/** A place in a file that the user wrote. Line and column count from 1. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column?: number;
}

/** An error as plain data, as it crosses threads and as it is stored. */
export interface SerializedError {
  readonly code: string;
  readonly name: string;
  readonly message: string;
  readonly hint?: string;
  readonly context?: Readonly<Record<string, unknown>>;
  readonly problems?: readonly Problem[];
  readonly stack?: string;
  readonly cause?: SerializedError;
}

const MARK = Symbol.for("millrace.FlowError");

/**
 * An error with a code, a message and a hint.
 *
 * Compare `code`, not classes: two copies of core may live in one process.
 *
 * @example
 * throw new FlowError("FLOW_GRAPH_UNKNOWN_STEP", { message: 'Cannot find step "trian"', hint: 'Did you mean "train"?' });
 */
export class FlowError extends Error {
  override readonly name = "FlowError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly context: Readonly<Record<string, unknown>>;
  readonly problems: readonly Problem[];
  readonly [MARK] = true;

  constructor(code: ErrorCode, details: FlowErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.context = details.context ?? {};
    this.problems = details.problems ?? [];
  }

  toJSON(): SerializedError {
    return serializeError(this);
  }
}

/** Whether a thrown value is a FlowError, of this or another copy of core. */
export function isFlowError(value: unknown, code?: ErrorCode): value is FlowError {
  return value instanceof Error && MARK in value && (code === undefined || (value as FlowError).code === code);
}

/**
 * Turns several problems into one error: alone it speaks for itself, together they stand under a heading.
 *
 * @param options.hint what to do where the problems do not say it: for several, or for one without a hint of its own
 */
export function problemsError(
  heading: string,
  problems: readonly Problem[],
  options: { readonly hint?: string } = {},
): FlowError {
  const first = problems[0];
  if (first === undefined)
    throw new FlowError("FLOW_INTERNAL", { message: "problemsError() was called without a problem" });
  const chosen = (problems.length === 1 ? first.hint : undefined) ?? options.hint;
  const hint = chosen === undefined ? {} : { hint: chosen };
  const message = problems.length === 1 ? `${heading}: ${first.message}` : `${heading}: ${problems.length} problems`;
  return new FlowError(first.code, { message, problems, ...hint });
}

const MAX_CAUSES = 8;
const MAX_TEXT = 64 * 1024; // an error's text is shown and stored: a 50 MB message must not take the store with it

/** Any thrown value as plain data; never throws itself, whatever getters the value has. */
export function serializeError(thrown: unknown, depth = 0): SerializedError {
  try {
    if (thrown instanceof Error) {
      const flow = isFlowError(thrown) ? thrown : undefined;
      const cause =
        thrown.cause !== undefined && depth < MAX_CAUSES ? serializeError(thrown.cause, depth + 1) : undefined;
      return {
        code: flow?.code ?? "FLOW_STEP_FAILED",
        name: clip(String(thrown.name)),
        message: clip(String(thrown.message)),
        ...(flow?.hint === undefined ? {} : { hint: flow.hint }),
        ...(flow === undefined || Object.keys(flow.context).length === 0 ? {} : { context: flow.context }),
        ...(flow === undefined || flow.problems.length === 0 ? {} : { problems: flow.problems }),
        ...(thrown.stack === undefined ? {} : { stack: clip(String(thrown.stack)) }),
        ...(cause === undefined ? {} : { cause }),
      };
    }
    return {
      code: "FLOW_STEP_FAILED",
      name: "Error",
      message: clip(`a step threw ${describe(thrown)} instead of an Error`),
    };
  } catch {
    return { code: "FLOW_STEP_FAILED", name: "Error", message: "a step threw a value that cannot be read" };
  }
}

/** The error that `serializeError` wrote, as an Error again. */
export function deserializeError(data: SerializedError): Error {
  const cause = data.cause === undefined ? undefined : deserializeError(data.cause);
  const error =
    data.name === "FlowError"
      ? new FlowError(data.code as ErrorCode, {
          message: data.message,
          ...(data.hint === undefined ? {} : { hint: data.hint }),
          ...(data.context === undefined ? {} : { context: data.context }),
          ...(data.problems === undefined ? {} : { problems: data.problems }),
          ...(cause === undefined ? {} : { cause }),
        })
      : Object.assign(new Error(data.message, cause === undefined ? undefined : { cause }), { name: data.name });
  if (data.stack !== undefined)
    Object.defineProperty(error, "stack", { value: data.stack, configurable: true, writable: true });
  return error;
}

function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 1000));
  if (typeof value === "object" && value !== null) return "an object";
  return String(value);
}

function clip(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}… (${text.length} characters, cut)`;
}
