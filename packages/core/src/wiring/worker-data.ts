import type { PackageManifest } from "../package/flow-package.ts";
import type { StoreLocation } from "./store-location.ts";

/** What a worker is started with: plain data, the same for all workers of a run. */
export interface TaskWorkerData {
  readonly package: { readonly folder: string; readonly root: string; readonly manifest: PackageManifest };
  readonly exportName: string;
  /** Whether its fields have schemas, so that each task needs zod. */
  readonly hasSchemas: boolean;
  readonly store: StoreLocation;
  /** Whether it may serve several runs, one after another. */
  readonly isKept?: boolean;
  /** Stack lines are shown relative to it. */
  readonly cwd: string;
}
