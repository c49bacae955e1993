/** What is known of the whole bundle before its pieces are looked at. */
export interface BundleNames {
  readonly code: string;
  readonly visitorKeys: Readonly<Record<string, readonly string[]>>;
  /** Names that the bundle's own code declares at its top level. */
  readonly topLevel: ReadonlySet<string>;
  /** Names of the bundler's helpers. */
  readonly helpers: ReadonlySet<string>;
  /** What a name imports from core: `step` of `import { step as s }` under `s`. */
  readonly coreImports: ReadonlyMap<string, string>;
  /** Names that load what no bundler saw: `require` of an expression. */
  readonly loaders: ReadonlySet<string>;
}

export interface CodeFacts {
  readonly texts: readonly string[];
  /** Top-level names, in the order in which they occur. */
  readonly names: readonly string[];
  /** Those that occur other than as `X.member`. */
  readonly bare: ReadonlySet<string>;
  /** The members of `X.member`, by X. */
  readonly memberMentions: ReadonlyMap<string, ReadonlySet<string>>;
  /** Members of `this` and `super`. */
  readonly thisMembers: ReadonlySet<string>;
  /** `this` goes where it cannot be followed. */
  readonly needsAllMembers: boolean;
  /** Names of properties and short strings. */
  readonly words: ReadonlySet<string>;
  /** Specifiers of installed packages in calls: `require("millrace:…")`. */
  readonly sources: ReadonlySet<string>;
  /** Top-level names that are assigned, or whose value is changed. */
  readonly writes: ReadonlySet<string>;
  /** Top-level names whose value is used in a way that may change it: all but calling it and reading methods. */
  readonly touches: ReadonlySet<string>;
  /** Something is called as soon as this code is evaluated, and not only when a function in it is called. */
  readonly hasEffects: boolean;
  /** Top-level names that are mentioned in what is evaluated at once. */
  readonly evaluated: ReadonlySet<string>;
  /** The part of `touches` that is evaluated at once. */
  readonly evaluatedTouches: ReadonlySet<string>;
  readonly changesGlobals: boolean;
  /** `eval`, `new Function`, an import of what is no literal: what it reaches cannot be told. */
  readonly isUntold: boolean;
}
