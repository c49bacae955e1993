/**
 * A flow file as a content-hashed code package: one ESM bundle, its source map and a manifest. The same package runs in
 * the main thread and in every worker; nothing is executed from the working tree. See docs/formats/code-package.md.
 */
import type { Digest } from "../artifact/artifact.ts";
import type { Problem } from "../errors/flow-error.ts";
import type { FlowDefinition } from "../flow/definition.ts";

/** A package that lies ready on this machine. */
export interface FlowPackage {
  /** sha-256 over bundle, map and manifest as docs/formats/code-package.md says. */
  readonly digest: Digest;
  /** Folder with `flow.mjs`, `flow.mjs.map` and `manifest.json`. */
  readonly folder: string;
  /** Absolute folder that the manifest's relative paths start from, on this machine. */
  readonly root: string;
  readonly manifest: PackageManifest;
  /** The flows that the entry file exports, default export first, with their definitions (evaluated once, then cached). */
  readonly flows: readonly PackagedFlow[];
  /** Of a package that was built here: digest of the packages that were installed when its steps got their digests. */
  readonly installed?: Digest;
  /** What is to be told about a package that was not built here: installed packages of another version. */
  readonly warnings?: readonly Problem[];
}

export interface PackagedFlow {
  readonly exportName: string;
  readonly definition: FlowDefinition;
}

export interface PackageManifest {
  readonly schema: 1;
  /** The flow file, relative to the root, with forward slashes; so are all paths here. */
  readonly entry: string;
  /** Digest of each source that went in. */
  readonly sources: readonly { readonly path: string; readonly digest: string }[];
  /** Packages that stay outside the bundle. `key` stands in the bundle's import specifiers (`millrace:<key>/…`). */
  readonly externals: readonly ExternalPackage[];
  readonly lockfile?: { readonly path: string; readonly digest: string };
  readonly builtWith: { readonly millrace: string; readonly esbuild: string; readonly target: string };
}

export interface ExternalPackage {
  readonly key: string;
  /** Folder of the package (or file) that imports it, relative to the root. */
  readonly importer: string;
  /** As written: `lodash`, `@acme/x/sub`. */
  readonly specifier: string;
  readonly name: string;
  /** Exact version found when the package was built. */
  readonly version?: string;
}
