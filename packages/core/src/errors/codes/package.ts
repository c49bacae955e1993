import type { CodeEntry } from "../code-table.ts";

export const packageCodes = {
  FLOW_PACKAGE_FILE_MISSING: {
    meaning: "The flow file is not there",
    cause: "A misspelt path, or a command started in another folder",
    remedy: "Give the path of an existing flow file; the hint names the nearest one, or those of the folder",
  },
  FLOW_PACKAGE_NOT_A_FILE: {
    meaning: "The path names a folder or something else that is not a file",
    cause: "A folder was given where a flow file is wanted",
    remedy: "Name one of the flow files in the folder",
  },
  FLOW_PACKAGE_NOT_A_MODULE: {
    meaning: "The file is no TypeScript or JavaScript module",
    cause: "The file's name ends in something other than .ts, .tsx, .mts, .cts, .js, .jsx, .mjs or .cjs",
    remedy: "Give the file that holds the flow class",
  },
  FLOW_PACKAGE_NO_FLOW: {
    meaning: "The file exports no flow",
    cause: "The class is not exported, or does not extend Flow",
    remedy: "Export a class that extends Flow, best as the default export",
  },
  FLOW_PACKAGE_AMBIGUOUS: {
    meaning: "The file exports several flows and none was chosen",
    cause: "Several classes are exported and none is the default export",
    remedy: "Choose one with --flow NAME, or make one the default export",
  },
  FLOW_PACKAGE_UNKNOWN_FLOW: {
    meaning: "The file exports no flow of the chosen name",
    cause: "A misspelt --flow",
    remedy: "Choose one of the flows that the message lists",
  },
  FLOW_PACKAGE_SYNTAX: {
    meaning: "A source file cannot be parsed",
    cause: "A syntax error at the place that the message shows",
    remedy: "Correct the line; a type check with tsc shows all such places",
  },
  FLOW_PACKAGE_UNRESOLVED: {
    meaning: "A static import leads nowhere",
    cause: "A package that is not installed or not built, or a misspelt file",
    remedy: "Install the package, build it, or correct the path at the place that the message shows",
  },
  FLOW_PACKAGE_UNSUPPORTED_FILE: {
    meaning: "A file is imported that cannot be part of a code package",
    cause: "Data files, native add-ons or style sheets imported like modules",
    remedy: "Read the file with includeFile() or node:fs, or import it from an installed package",
  },
  FLOW_PACKAGE_BUNDLE_FAILED: {
    meaning: "The sources cannot be bundled",
    cause: "The bundler refused a construct; its own words are in the message",
    remedy: "Follow the bundler's words; report it when they do not help",
  },
  FLOW_PACKAGE_LEGACY_DECORATORS: {
    meaning: "A flow is compiled with legacy decorators",
    cause: "A tsconfig sets experimentalDecorators for the flow file",
    remedy:
      "Remove experimentalDecorators from the named tsconfig, or give the flows a tsconfig of their own without it",
  },
  FLOW_PACKAGE_LOAD_FAILED: {
    meaning: "A module threw while it was loaded",
    cause: "Top-level code of the flow file, or of a module that it imports, failed",
    remedy: "Correct the code at the place that the cause shows",
  },
  FLOW_PACKAGE_EXTERNAL_MISSING: {
    meaning: "An installed package that the flow needs is not there any more",
    cause: "node_modules changed after the code package was made, or the package runs on another machine",
    remedy: "Install the packages again; the message names package, version and importer",
  },
  FLOW_PACKAGE_EXTERNAL_CHANGED: {
    meaning: "An installed package has another version than when the code package was made",
    cause:
      "Packages were updated since; the sources of the flow are not there, so its code package runs as it was kept",
    remedy: "Install the named version to run what ran then, or go on knowing that it may do otherwise",
  },
  FLOW_PACKAGE_TOO_NEW: {
    meaning: "A flow was built by a newer version of Millrace",
    cause: "The file was made by flow build of a version that writes another form",
    remedy: "Update Millrace here, or build the flow with this version",
  },
  FLOW_PACKAGE_DAMAGED: {
    meaning: "A code package is incomplete or is not what its digest says",
    cause: "Files of the cache were changed or removed by hand, or a copy was cut short",
    remedy: "Run the flow file again: the package is rebuilt from the sources",
  },
  FLOW_PACKAGE_CACHE_UNWRITABLE: {
    meaning: "The code package cannot be written",
    cause: "The cache folder is read-only, belongs to someone else, or the disk is full",
    remedy: "Make the folder writable, or set XDG_CACHE_HOME to one that is",
  },
  FLOW_PACKAGE_NOT_KEPT: {
    meaning: "A store has no code package of a run",
    cause: "The run was recorded by another tool or by a test, or its package was lost with a part of the store",
    remedy: "Look for the sources by the git state that flow show names",
  },
  FLOW_PACKAGE_SOURCES_IN_THE_WAY: {
    meaning: "Sources cannot be written to a folder because of what is there",
    cause:
      "Files of these names are there already, or a link or something else stands where a file or folder should be",
    remedy: "Name an empty folder, or add --force to write over plain files",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
