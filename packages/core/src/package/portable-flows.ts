import path from "node:path";
import type { SourceLocation } from "../errors/flow-error.ts";
import type { PackagedFlow } from "./flow-package.ts";

/** Definitions that name no folder of this machine: places in sources are relative to the root, as a manifest's paths are. */
export function portableFlows(flows: readonly PackagedFlow[], root: string): readonly PackagedFlow[] {
  return withLocations(flows, (file) => path.relative(root, file).replaceAll(path.sep, "/"));
}

/** The same again with places on this machine. */
export function locatedFlows(flows: readonly PackagedFlow[], root: string): readonly PackagedFlow[] {
  return withLocations(flows, (file) => path.resolve(root, file));
}

function withLocations(flows: readonly PackagedFlow[], place: (file: string) => string): readonly PackagedFlow[] {
  const text = JSON.stringify(flows, (key, value: unknown) =>
    key === "location" && isLocation(value) ? { ...value, file: place(value.file) } : value,
  );
  return JSON.parse(text) as readonly PackagedFlow[];
}

function isLocation(value: unknown): value is SourceLocation {
  return typeof (value as SourceLocation | null)?.file === "string";
}
