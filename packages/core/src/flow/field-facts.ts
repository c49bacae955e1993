/**
 * Definition objects: what `param`, `upstream`, `artifact`, `config` and `includeFile` leave in a field until a value
 * is bound to it by the field's name. A definition is a proxy that throws a coded error when a field initialiser
 * computes with it, because the value is not known while the class is built. (`this.x === "a"` and truthiness cannot be
 * trapped; `flow check` finds those.)
 */

import type * as z from "zod";
import { FlowError } from "../errors/flow-error.ts";
import { type CallSite, locate } from "../util/call-site.ts";

export type FieldFact = ParamFact | ArtifactFact | UpstreamFact | UpstreamOfFact | ConfigFact | FileFact;

interface Sited {
  readonly site: CallSite;
}

export interface ParamFact extends Sited {
  readonly kind: "param";
  readonly schema: z.ZodType;
  readonly options: {
    readonly short?: unknown;
    readonly env?: unknown;
    readonly hidden?: unknown;
    readonly secret?: unknown;
    readonly default?: unknown;
  };
}

export interface ArtifactFact extends Sited {
  readonly kind: "artifact";
  readonly schema: z.ZodType;
  readonly options: { readonly transient?: unknown; readonly ttl?: unknown };
}

export interface UpstreamFact extends Sited {
  readonly kind: "upstream";
  readonly flow: unknown;
  readonly options: {
    readonly sameAs?: unknown;
    readonly tags?: unknown;
    readonly maxAge?: unknown;
    readonly optional?: unknown;
  };
}

/** `this.model.upstreams.source`: only good for `sameAs`. */
export interface UpstreamOfFact extends Sited {
  readonly kind: "upstream-of";
  readonly of: UpstreamFact;
  readonly path: readonly string[];
}

export interface ConfigFact extends Sited {
  readonly kind: "config";
  readonly schema: z.ZodType;
  readonly options: { readonly default?: unknown; readonly short?: unknown; readonly env?: unknown };
}

export interface FileFact extends Sited {
  readonly kind: "file";
  readonly options: {
    readonly encoding?: unknown;
    readonly default?: unknown;
    readonly short?: unknown;
    readonly env?: unknown;
  };
}

const FIELD = Symbol.for("millrace.field");

/** Keys that the language or Node asks of any value; answering them computes nothing. */
const HARMLESS: ReadonlySet<PropertyKey> = new Set<PropertyKey>([
  "then",
  Symbol.toStringTag,
  Symbol.for("nodejs.util.inspect.custom"),
]);

/** A definition object for a fact. */
export function definitionOf(fact: FieldFact): unknown {
  return new Proxy({ fact }, DEFINITION);
}

interface Definition {
  readonly fact: FieldFact;
}

// One handler for all: definitions are made for every task, and seven closures each were most of their cost.
const DEFINITION: ProxyHandler<Definition> = {
  get({ fact }, key) {
    if (key === FIELD) return fact;
    if (HARMLESS.has(key)) return undefined;
    if (key === "upstreams" && (fact.kind === "upstream" || fact.kind === "upstream-of")) return upstreamsOf(fact);
    return tooEarly(fact, key);
  },
  has: ({ fact }, key) => (key === FIELD ? true : tooEarly(fact, key)),
  set: ({ fact }, key) => tooEarly(fact, key),
  deleteProperty: ({ fact }, key) => tooEarly(fact, key),
  defineProperty: ({ fact }, key) => tooEarly(fact, key),
  ownKeys: ({ fact }) => tooEarly(fact, undefined),
  getOwnPropertyDescriptor: ({ fact }, key) => tooEarly(fact, key),
};

/** The fact behind a definition object of this or another copy of the package; undefined for any other value. */
export function factOf(value: unknown): FieldFact | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  try {
    return Reflect.get(value, FIELD) as FieldFact | undefined;
  } catch {
    return undefined; // a user's own proxy that throws on unknown keys is no definition
  }
}

function upstreamsOf(fact: UpstreamFact | UpstreamOfFact): unknown {
  const of = fact.kind === "upstream" ? fact : fact.of;
  const path = fact.kind === "upstream" ? [] : fact.path;
  return new Proxy({} as Record<PropertyKey, unknown>, {
    get(_target, key) {
      if (typeof key !== "string" || HARMLESS.has(key)) return undefined;
      return definitionOf({ kind: "upstream-of", of, path: [...path, key], site: fact.site });
    },
  });
}

const WORD: Readonly<Record<FieldFact["kind"], string>> = {
  param: "a parameter",
  artifact: "an artifact",
  upstream: "an upstream",
  "upstream-of": "an upstream",
  config: "a config",
  file: "a file",
};

function tooEarly(fact: FieldFact, asked: PropertyKey | undefined): never {
  // The place that matters is where the value was used, so the stack of this very error tells it.
  const location = locate(captureUse());
  const how = typeof asked === "string" ? ` (asked for "${asked}")` : "";
  const message = `Cannot compute with ${WORD[fact.kind]} while the flow object is built${how}: it has no value yet`;
  const hint = "Read it in a step, or write an arrow: () => this.x";
  throw new FlowError("FLOW_DEFINITION_TOO_EARLY", {
    message,
    hint,
    context: location === undefined ? {} : { location },
    problems: [{ code: "FLOW_DEFINITION_TOO_EARLY", message, hint, ...(location === undefined ? {} : { location }) }],
  });
}

/** The innermost frame outside of this file. */
function captureUse(): CallSite {
  const { stack = "" } = new Error();
  const own = locate({ stack: stack.split("\n").slice(0, 2).join("\n") })?.file;
  const lines = stack
    .split("\n")
    .slice(1)
    .filter((line) => locate({ stack: line })?.file !== own);
  return { stack: lines.join("\n") };
}
