/**
 * The one error class of Millrace.
 *
 * Purpose: every failure that a user can meet carries a stable `code`, a sentence that says what went wrong and,
 * where there is one, the next thing to do. Invariants: the code is the contract and never changes its meaning;
 * message, hint and context are plain data (safe to store and to send) and never hold secrets. Not here: the list of
 * codes (see `code-table.ts`) and the printing of errors (the CLI does that).
 */
import type { ErrorCode } from "./code-table.ts";
import { clip, describeValue, plainData } from "./plain-data.ts";

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
  /** The first errors of an AggregateError. */
  readonly errors?: readonly SerializedError[];
  /** How many more an AggregateError has. */
  readonly moreErrors?: number;
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
/** Errors told of one AggregateError; the rest is counted. */
const MAX_ERRORS = 8;
/** Errors told in all: AggregateErrors can hold each other. */
const MAX_IN_ALL = 32;

/**
 * Any thrown value as plain data; never throws itself, whatever getters the value has. Each error of a chain is told once.
 *
 * @param stackOf the stack to keep of an error; default: the whole one
 */
export function serializeError(
  thrown: unknown,
  stackOf: (error: Error) => string | undefined = (error) => error.stack,
): SerializedError {
  return serialize(thrown, { stackOf, seen: new Set() }, 0);
}

interface Pass {
  readonly stackOf: (error: Error) => string | undefined;
  readonly seen: Set<unknown>;
}

function serialize(thrown: unknown, pass: Pass, depth: number): SerializedError {
  try {
    if (!(thrown instanceof Error)) {
      const value = describeValue(thrown);
      const message = depth === 0 ? `a step threw ${value} instead of an Error` : value;
      return { code: "FLOW_STEP_FAILED", name: "Error", message };
    }
    pass.seen.add(thrown);
    const flow = isFlowError(thrown) ? thrown : undefined;
    const stack = attempt(() => pass.stackOf(thrown));
    const context = plainData(flow?.context);
    const problems = Array.isArray(flow?.problems)
      ? flow.problems.flatMap((problem) => plainProblem(problem) ?? [])
      : [];
    return {
      code: flow === undefined ? "FLOW_STEP_FAILED" : clip(String(flow.code)),
      name: clip(String(thrown.name)),
      message: clip(String(thrown.message)),
      ...(flow?.hint === undefined ? {} : { hint: clip(String(flow.hint)) }),
      ...(isRecord(context) && Object.keys(context).length > 0 ? { context } : {}),
      ...(problems.length === 0 ? {} : { problems }),
      ...(stack === undefined ? {} : { stack: clip(String(stack)) }),
      ...causeOf(thrown, pass, depth),
      ...errorsOf(thrown, pass, depth),
    };
  } catch {
    return { code: "FLOW_STEP_FAILED", name: "Error", message: "a step threw a value that cannot be read" };
  }
}

function causeOf(error: Error, pass: Pass, depth: number): Pick<SerializedError, "cause"> {
  const cause = attempt(() => error.cause);
  if (cause === undefined || cause === null || depth >= MAX_CAUSES || !isNew(cause, pass)) return {};
  return { cause: serialize(cause, pass, depth + 1) };
}

/** AggregateError keeps what it stands for in `errors`. */
function errorsOf(error: Error, pass: Pass, depth: number): Pick<SerializedError, "errors" | "moreErrors"> {
  const all = error instanceof AggregateError ? attempt(() => error.errors as readonly unknown[]) : undefined;
  if (!Array.isArray(all) || depth >= MAX_CAUSES) return {};
  const errors: SerializedError[] = [];
  for (const inner of all.slice(0, MAX_ERRORS)) if (isNew(inner, pass)) errors.push(serialize(inner, pass, depth + 1));
  if (errors.length === 0) return {};
  return { errors, ...(all.length > MAX_ERRORS ? { moreErrors: all.length - MAX_ERRORS } : {}) };
}

function isNew(thrown: unknown, { seen }: Pass): boolean {
  return !seen.has(thrown) && seen.size < MAX_IN_ALL;
}

/** A user's own FlowError may hold anything where a problem should stand. */
function plainProblem(problem: unknown): Problem | undefined {
  const plain = plainData(problem);
  if (!isRecord(plain) || plain.message === undefined) return undefined;
  const { code, message, hint, location } = plain;
  const isPlace = isRecord(location) && typeof location.file === "string" && typeof location.line === "number";
  return {
    code: String(code) as ErrorCode,
    message: typeof message === "string" ? message : describeValue(message),
    ...(hint === undefined ? {} : { hint: typeof hint === "string" ? hint : describeValue(hint) }),
    ...(isPlace ? { location: location as unknown as SourceLocation } : {}),
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What a getter of the user's error gives; undefined when it throws. */
function attempt<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch {
    return undefined;
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
      : Object.assign(plainError(data, cause), { name: data.name });
  if (data.stack !== undefined)
    Object.defineProperty(error, "stack", { value: data.stack, configurable: true, writable: true });
  return error;
}

function plainError({ message, errors }: SerializedError, cause: Error | undefined): Error {
  const options = cause === undefined ? undefined : { cause };
  return errors === undefined
    ? new Error(message, options)
    : new AggregateError(errors.map(deserializeError), message, options);
}
