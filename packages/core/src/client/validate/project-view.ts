/** What validation knows of the project that it is called in; without one, what asks for it is not judged. */
export interface ProjectView {
  /** `v24.1.0` */
  readonly node: string;
  /** The version of a package that code here would import; undefined when it is not installed. */
  installedVersion(name: string): string | undefined;
  /**
   * Loads a stored model (`StoredModel` of `@millrace/ml`) with what is installed here. Undefined when that package is not.
   */
  readonly openModel?: (payload: Uint8Array) => Promise<ModelVerdict>;
}

export type ModelVerdict =
  | { readonly kind: "loads"; readonly library: string; readonly hasProbe: boolean }
  /** It was not tried: its library is not here. */
  | { readonly kind: "untried"; readonly why: string }
  | { readonly kind: "broken"; readonly why: string }
  /** It loads, and predicts otherwise. */
  | { readonly kind: "changed"; readonly why: string };
