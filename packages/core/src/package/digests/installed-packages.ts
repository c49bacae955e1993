import type { Digest } from "../../artifact/artifact.ts";
import { coreVersion } from "../core-package.ts";
import type { FlowPackage } from "../flow-package.ts";
import { contentDigest } from "../package-digest.ts";
import { externalIdentities } from "./external-identity.ts";

/**
 * A digest of the installed packages that a code package runs with, as they are now: with what they need themselves, and
 * core. The digests of steps hold for the packages that were there when they were taken.
 */
export function installedPackages({ root, manifest }: Pick<FlowPackage, "root" | "manifest">): Digest {
  const identities = [...externalIdentities(root, manifest).values()].map(({ text }) => text);
  return contentDigest([`core ${coreVersion()}`, ...identities.sort()].join("\n"));
}
