/**
 * The whole record of a run as plain JSON: the last `--json` event of `flow run`, the body of `flow show --json` and the
 * body of a run's manifest. Digests are lower-case hex, times ISO 8601 UTC.
 */
import type { SerializedError } from "../errors/flow-error.ts";

export type RunStatus = "queued" | "running" | "succeeded" | "failed" | "cancelled" | "lost";
export type TaskStatus = "queued" | "running" | "succeeded" | "failed" | "caught" | "cancelled" | "lost" | "skipped";

/** The process that executes a run, named so that no other process of any time is taken for it. */
export interface RunnerIdentity {
  readonly host: string;
  readonly pid: number;
  /** Of the machine's boot; absent where the system gives none. */
  readonly bootId?: string;
  /** In which `pid` counts: containers of one machine have their own. */
  readonly pidNamespace?: string;
  /** When the process started, as the system counts it: pids are used again, pairs with this are not. */
  readonly startedAt?: string;
}

export interface RunRecord {
  readonly schema: 1;
  readonly id: string;
  /** The store's alias: `Train/17`. */
  readonly run: string;
  readonly flow: { readonly project: string; readonly name: string };
  readonly status: RunStatus;
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly durationMs?: number;
  readonly tags: readonly string[];
  /** Tags under a policy that it was asked to take when it succeeds; absent when there are none. */
  readonly tagRequests?: readonly TagRequestRecord[];
  /** Who says to have signed it; absent when nobody does. Not judged: that takes a public key. */
  readonly signatures?: readonly SignatureRecord[];
  readonly systemTags: readonly string[];
  /** Encoded input of each parameter (`z.encode`); secrets are left out and named in `secretParameters`. */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly secretParameters: readonly string[];
  readonly upstreams: readonly UpstreamRecord[];
  /** What the end step left behind, with parameters and constants. */
  readonly artifacts: readonly ArtifactRecord[];
  /** The last value of each metric, by name; absent when none was recorded. */
  readonly metrics?: readonly MetricRecord[];
  /** A task that was tried several times is one task, with the status of its newest attempt. */
  readonly tasks: {
    readonly total: number;
    readonly byStatus: Readonly<Record<string, number>>;
    readonly attempts: number;
    /** How many did not run, because the step cache had their outcome; absent when none. */
    readonly cached?: number;
  };
  readonly failure?: { readonly task?: string; readonly error: SerializedError };
  readonly execution: ExecutionRecord;
  readonly origin?: OriginRecord;
  readonly parent?: ParentRecord;
  /** Of a run that another store ran. */
  readonly imported?: ImportRecord;
  /** Runs that its steps have started, in the order of their creation: the first 100, and how many there are. */
  readonly children?: { readonly count: number; readonly runs: readonly ChildRecord[] };
  readonly environment: EnvironmentRecord;
  readonly codePackage?: { readonly digest: string; readonly entry: string };
}

/** A signature of a run: the key by its SHA-256, and what the signer said of himself. */
export interface SignatureRecord {
  readonly keyId: string;
  readonly at?: string;
  readonly actor?: string;
  readonly host?: string;
}

/** The last value of a metric. */
export interface MetricRecord {
  readonly name: string;
  /** What JSON has no number for is a text. */
  readonly value: number | "NaN" | "Infinity" | "-Infinity";
  readonly step?: number;
}

/** The current execution of a run: its number is how often the run was begun or continued. */
export interface ExecutionRecord {
  readonly number: number;
  readonly host: string;
  readonly pid: number;
  readonly startedAt: string;
  readonly heartbeatAt: string;
}

/** A tag under a policy that a run was asked to take: given when it succeeded, refused, or still waiting. */
export interface TagRequestRecord {
  readonly tag: string;
  readonly status: "waiting" | "moved" | "refused";
  readonly actor: string;
  readonly at: string;
  readonly reason?: string;
  /** Of a refused one. */
  readonly why?: string;
  /** Of one that was moved: the run that held the tag until then, and lost it in the same move. */
  readonly from?: string;
}

/** The run that a fork took finished tasks from, and what was changed. */
export interface OriginRecord {
  /** The store's alias; absent when that run never was in this store. */
  readonly run?: string;
  readonly runId: string;
  readonly deleted?: DeletedRecord;
  readonly fromStep?: string;
  readonly changedSteps?: readonly string[];
  readonly changedParameters?: readonly string[];
}

/** Where a run was imported from, when and by whom. */
export interface ImportRecord {
  /** Id of the store that ran it. */
  readonly store: string;
  /** What that store calls it: `shop/Train/17`. */
  readonly run: string;
  readonly at: string;
  readonly actor: string;
  readonly host: string;
}

/** The task inside which a run was started. */
export interface ParentRecord {
  readonly run?: string;
  readonly runId: string;
  readonly deleted?: DeletedRecord;
  readonly step: string;
  readonly path: string;
  readonly call: number;
}

/** A run that was started inside a task. */
export interface ChildRecord {
  readonly run: string;
  readonly runId: string;
  readonly status: RunStatus;
  readonly step: string;
  readonly path: string;
}

/** What became of a run that is named here and was deleted. */
export interface DeletedRecord {
  readonly at: string;
  readonly actor: string;
  readonly host: string;
  readonly via: string;
  readonly reason?: string;
}

export interface UpstreamRecord {
  readonly name: string;
  readonly flow: string;
  /** The selector as it was asked: tags, a run, `sameAs` or "newest". */
  readonly selector: SelectorRecord;
  /** Absent for an optional upstream that matched nothing. */
  readonly run?: string;
  readonly runId?: string;
  /** Present when that run was deleted. */
  readonly deleted?: DeletedRecord;
  /** Of an imported run, whose upstream did not come along: what the store that ran it calls that run. */
  readonly runThere?: string;
  /** How many successful runs matched (1,000 stands for so many or more), and their names, newest first, at most 20. */
  readonly candidateCount: number;
  readonly candidates: readonly string[];
  readonly resolvedAt: string;
  /** Artifacts of it that tasks of this run read. */
  readonly reads: readonly { readonly name: string; readonly codec: string; readonly digest: string }[];
}

export type SelectorRecord =
  | { readonly kind: "newest" }
  | { readonly kind: "tags"; readonly tags: readonly string[] }
  | { readonly kind: "run"; readonly run: string }
  | { readonly kind: "sameAs"; readonly path: readonly string[] };

export interface ArtifactRecord {
  readonly name: string;
  readonly kind: "artifact" | "parameter" | "constant" | "config" | "file";
  readonly codec: string;
  readonly digest: string;
  readonly sizeBytes: number;
  /** Present when its value was given up on purpose, and since when: its run succeeded, or its time was over. */
  readonly gone?: { readonly reason: "transient" | "ttl"; readonly at: string };
}

/** What a run ran on and from; what is absent was not known, or is not told in records of older versions. */
export interface EnvironmentRecord {
  readonly millrace: string;
  readonly node: string;
  readonly v8?: string;
  readonly os: string;
  readonly arch: string;
  /** `glibc 2.36`; of Linux. */
  readonly libc?: string;
  /** `pnpm 10.4.1`, as package.json states it or who started the process. */
  readonly packageManager?: string;
  readonly lockfile?: { readonly path: string; readonly digest: string };
  /** Exact versions of the packages that the flow's code imports, by name; core is not among them. */
  readonly packages?: Readonly<Record<string, string>>;
  readonly host: string;
  readonly actor: string;
  readonly cwd: string;
  /** Folder that the paths of the code package start from; absent in records of older versions. */
  readonly root?: string;
  readonly command: readonly string[];
  readonly git?: {
    readonly sha: string;
    readonly branch?: string;
    /** Whether there were changes, or files that git does not know. */
    readonly dirty: boolean;
    /** SHA-256 of the changes, when files that git knows were changed. */
    readonly diffDigest?: string;
    /** Without credentials. */
    readonly remote?: string;
  };
}
