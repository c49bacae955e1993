/** The files of a code package; see docs/formats/code-package.md. */
export const BUNDLE_FILE = "flow.mjs";
export const MAP_FILE = "flow.mjs.map";
export const MANIFEST_FILE = "manifest.json";
