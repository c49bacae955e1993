import { hash } from "node:crypto";

/**
 * The digest of several files: over one line a file, its own sha-256, two spaces and its name, in the order that is given. So
 * `sha256sum FILE… | sha256sum` gives the same.
 *
 * @returns lower-case hex
 */
export function digestOfFiles(files: readonly { readonly name: string; readonly digest: string }[]): string {
  return hash("sha256", files.map(({ name, digest }) => `${digest}  ${name}\n`).join(""), "hex");
}
