/**
 * What a store keeps of a code package against the manifest that lies among the package's own files, which its digest covers: the
 * record repeats it and adds `files` and `flows`.
 */
import { canonicalJson } from "./canonical-json.ts";

/** The file of a package that holds its own manifest. */
export const OWN_MANIFEST = "manifest.json";

/** Whether a record repeats the package's own manifest; false for bytes that are no JSON. */
export function repeatsOwnManifest(record: Readonly<Record<string, unknown>>, bytes: Uint8Array): boolean {
  const { files: _, flows: __, ...repeated } = record;
  try {
    return canonicalJson(JSON.parse(Buffer.from(bytes).toString("utf8"))) === canonicalJson(repeated);
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
