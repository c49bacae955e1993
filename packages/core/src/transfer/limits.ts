/** What a file may ask of whoever reads it. Each bound is far beyond what real runs need, and small for a program. */

/** Runs in one file. */
export const MAX_RUNS = 10_000;
/** Entries of a file: of runs, packages and blobs together. A blob costs some 200 bytes of memory while a file is read. */
export const MAX_ENTRIES = 250_000;
/** All of the manifest: 250,000 entries of about 110 bytes, and as much again. */
export const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;
/** A line of JSON; text of this size can become some 100 MB of objects at worst. */
export const MAX_LINE_BYTES = 4 * 1024 * 1024;
/** The manifest of one code package. */
export const MAX_PACKAGE_BYTES = 8 * 1024 * 1024;
/** Objects and lists inside each other. */
export const MAX_JSON_DEPTH = 1_000;
/** Attempts at tasks of one run. */
export const MAX_TASKS = 1_000_000;
/** Moves of tags of one run: they are kept with it. */
export const MAX_TAG_EVENTS = 1_000;
/** Names of runs that a run leads to and that are not in the file. */
export const MAX_REFERENCES = 1_000;
/** What a task wrote goes in pieces of at most so many characters. */
export const MAX_LOG_CHARACTERS = 64 * 1024;
/** Values of a metric in one line. */
export const MAX_METRIC_VALUES = 1_000;
/** Read at once. */
export const PIECE_BYTES = 4 * 1024 * 1024;
