/**
 * What a flow class says about itself, as plain data: the result of the flow room and the input of the graph room.
 *
 * Invariants: JSON-safe (it is cached beside the code package, so that `flow graph` needs no user code); everything the
 * decorators and field definitions recorded is here, unchecked. Not here: the class, schemas and functions, which stay
 * with the loaded class (`flow/bind-flow.ts`).
 */
import type { SourceLocation } from "../errors/flow-error.ts";
import type { Duration } from "../util/duration.ts";

/** How a flow is told apart from others, over all projects: shown as `project/name`. */
export interface FlowIdentity {
  /** From the nearest package.json's name (or "local" without one). */
  readonly project: string;
  readonly name: string;
}

export interface FlowDefinition extends FlowIdentity {
  /** Names of the flow before a rename (`static formerly`). */
  readonly formerly: readonly string[];
  /** First paragraph of the class's doc comment, where the source is at hand. */
  readonly summary?: string;
  readonly location?: SourceLocation;
  /** In the order of the class's own source, base classes first. */
  readonly steps: readonly StepDefinition[];
  readonly params: readonly ParamDefinition[];
  readonly upstreams: readonly UpstreamDefinition[];
  /** Declared artifacts (`artifact(schema)`). */
  readonly artifacts: readonly string[];
  /** Those of them that are not kept as long as their run. */
  readonly terms?: readonly ArtifactDefinition[];
  /** JSON Schema (2020-12) of declared artifacts, by name, as far as it can be written as one; at most 64 KiB each. */
  readonly schemas?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly configs: readonly FileDefinition[];
  readonly files: readonly FileDefinition[];
  /** Names of initialised fields that are neither definitions nor functions: kept once with the run. */
  readonly constants: readonly string[];
}

/** A declared artifact, and how long it is kept. */
export interface ArtifactDefinition {
  readonly name: string;
  /** Not past the success of its run. */
  readonly transient?: boolean;
  /** Milliseconds from the end of its task. */
  readonly ttlMs?: number;
}

export type StepKind = "step" | "join" | "choose";

export interface StepDefinition {
  readonly name: string;
  readonly kind: StepKind;
  /** Whether the step receives `inputs`: every join, and a choose with `join: true`. */
  readonly isJoin: boolean;
  /** Declared targets in declared order; for choose, the distinct targets of its cases. */
  readonly next: readonly string[];
  /** The field that a foreach iterates over. */
  readonly foreach?: string;
  /** The field that a choose looks at, and its cases in declared order. */
  readonly on?: string;
  readonly cases?: readonly { readonly value: string; readonly target: string }[];
  readonly behaviour: StepBehaviour;
  readonly location?: SourceLocation;
  /** Number of declared parameters of the method. */
  readonly arity: number;
  readonly summary?: string;
  /**
   * Digest of the method and of all that it reaches in the user's code, taken when the package is built: equal digests
   * do the same with the same inputs (docs/formats/code-package.md). Absent for a class that came from no package.
   */
  readonly codeDigest?: string;
}

/**
 * Behaviour asked for in the decorator or by `--with`, as plain data: lengths of time in milliseconds, memory in bytes.
 * Functions stay with the class (`late-behaviour.ts`); here stands only that there is one.
 */
export interface StepBehaviour {
  readonly maxParallel?: number;
  readonly retry?: RetryBehaviour;
  /** The longest time that one attempt may take. */
  readonly timeoutMs?: number;
  /** The field that receives the failure when all attempts have failed. */
  readonly catch?: string;
  readonly isolate?: "thread" | "process";
  readonly resources?: StepResources;
  /** Environment variables of the step. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Environment variables of the step that are secret, and where each comes from. */
  readonly secrets?: Readonly<Record<string, SecretSource>>;
  /** Whether a finished task with equal code and inputs stands for this one. */
  readonly cache?: boolean;
  /** Fields whose arrays all tasks of the process read in one and the same memory. */
  readonly shared?: readonly string[];
}

export interface RetryBehaviour {
  /** Attempts after the first; 0 when a function decides (`isLate`). */
  readonly times: number;
  readonly isLate: boolean;
  /** Waited before the second attempt. */
  readonly delayMs: number;
  /** The wait grows by it with each further attempt. */
  readonly factor: number;
  readonly maxDelayMs: number;
  /** Share of the wait that is left to chance, 0 to 1: siblings that failed together do not come back together. */
  readonly jitter: number;
  /** Whether a function says which failures are worth another attempt. */
  readonly hasCondition: boolean;
}

export interface StepResources {
  readonly cpu?: number;
  readonly memoryBytes?: number;
  readonly gpu?: number;
}

export type SecretSource = { readonly env: string } | { readonly file: string };

export interface ParamDefinition {
  readonly name: string;
  /** The flag without dashes, kebab-case: `--fold-count` for `foldCount`; the name itself is accepted as well. */
  readonly flag: string;
  readonly short?: string;
  readonly env?: string;
  readonly hidden: boolean;
  readonly secret: boolean;
  /** Of a secret, which has no flag: the environment variables that are looked at, the first that is set counts. */
  readonly environment?: readonly string[];
  readonly help?: string;
  /** Whether a value must be given: the schema has no default and refuses undefined, and there is no late default. */
  readonly required: boolean;
  /** JSON text of the default, where it is known before the run. */
  readonly defaultText?: string;
  /** The values that are allowed, when the schema is an enum or a union of literals. */
  readonly choices?: readonly string[];
  readonly type: "string" | "number" | "integer" | "boolean" | "array" | "object" | "unknown";
}

export interface UpstreamDefinition {
  readonly name: string;
  /** The producer; without a project when only a name was given: then any project, if unambiguous. */
  readonly flow: { readonly project?: string; readonly name: string };
  /** Tags looked for unless told otherwise; absent when a function decides (`hasLateTags`). */
  readonly tags: readonly string[];
  readonly hasLateTags: boolean;
  /** `upstream(X, { sameAs: this.model.upstreams.source })` is `["model", "source"]`. */
  readonly sameAs?: readonly string[];
  readonly maxAge?: Duration;
  readonly optional: boolean;
  /** Upstream names of the producer, when its class is known. */
  readonly upstreamNames?: readonly string[];
  readonly help?: string;
}

/** A value read from a file before the run: `config()` (parsed and checked) or `includeFile()` (as it is). */
export interface FileDefinition {
  readonly name: string;
  readonly flag: string;
  readonly defaultPath?: string;
  readonly required: boolean;
  readonly help?: string;
}

/** How long the value of a declared artifact is kept; one without a term as long as its run. */
export interface ArtifactTerm {
  /** Not past the success of its run. */
  readonly isTransient: boolean;
  /** Milliseconds from the end of its task. */
  readonly ttlMs?: number;
}
