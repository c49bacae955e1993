/** Rules of the house that a reader would otherwise have to keep in mind. */
import { expect, test } from "vitest";
import * as core from "../../packages/core/src/index.ts";
import { readText, repositoryFiles, sourcesOf, withoutComments } from "../kit/repository.ts";

/** Places where a pattern occurs outside of comments: `file:line`. */
function placesOf(files: readonly string[], pattern: RegExp): readonly string[] {
  return files.flatMap((file) =>
    withoutComments(readText(file))
      .split("\n")
      .flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}`] : [])),
  );
}

test("nothing in core prints: what happens is an event", () => {
  expect(placesOf(sourcesOf("core"), /\bconsole\./)).toEqual([]);
});

test("process.env is read in config alone", () => {
  const places = placesOf(sourcesOf("core"), /\bprocess\.env\b/).map((place) => place.replace(/:\d+$/, ""));
  // The cache of code packages is found before any configuration exists: in `node --import @millrace/core/register`
  // and in a test runner's plugin there is no command that would hand an environment over.
  const exceptions = ["packages/core/src/package/cache-folder.ts"];
  expect(places.filter((file) => !file.startsWith("packages/core/src/config/") && !exceptions.includes(file))).toEqual(
    [],
  );
});

test("the public API is what index.ts names, and nothing was added or lost by accident", () => {
  expect(Object.keys(core).toSorted()).toEqual([
    "Flow",
    "FlowError",
    "StoredFile",
    "StoredFolder",
    "StoredInstance",
    "around",
    "artifact",
    "choose",
    "config",
    "current",
    "defineCodec",
    "figure",
    "figureFacts",
    "file",
    "folder",
    "includeFile",
    "isFlowError",
    "join",
    "param",
    "repairStore",
    "resume",
    "run",
    "runs",
    "step",
    "storable",
    "upstream",
    "verifyStore",
    "z",
  ]);
  expect(exportedTypes(readText("packages/core/src/index.ts"))).toEqual([
    "ArtifactOptions",
    "Artifacts",
    "Behaviour",
    "ByteSize",
    "CodecDefinition",
    "ConfigOptions",
    "Current",
    "Duration",
    "ErrorCode",
    "FigureFacts",
    "FigureOptions",
    "FigureType",
    "FileOptions",
    "FlowClass",
    "FolderEntry",
    "IncludeFileOptions",
    "Inputs",
    "Lineage",
    "LineageLink",
    "LineageOptions",
    "LineageRun",
    "Log",
    "Merge",
    "MetricBounds",
    "MetricValue",
    "ParamOptions",
    "Params",
    "Problem",
    "Query",
    "RepairReport",
    "Resources",
    "ResumeOptions",
    "Retry",
    "Run",
    "RunEvent",
    "RunFacts",
    "RunOptions",
    "RunOrder",
    "Running",
    "Runs",
    "SecretFrom",
    "SerializedError",
    "Signature",
    "SourceLocation",
    "StepCall",
    "StepName",
    "StepProgress",
    "StorableOptions",
    "StoreFinding",
    "TagHolding",
    "TagMoved",
    "TagOptions",
    "TaskFailure",
    "Upstream",
    "UpstreamOptions",
    "Upstreams",
    "VerifyReport",
  ]);
});

function exportedTypes(text: string): readonly string[] {
  return [...withoutComments(text).matchAll(/export\s+(type\s+)?\{([^}]*)\}/g)]
    .flatMap(([, isType, names]) =>
      names!
        .split(",")
        .map((name) => name.trim())
        .filter((name) => name !== "" && (isType !== undefined || name.startsWith("type ")))
        .map((name) => name.replace(/^type /, "")),
    )
    .toSorted();
}

test("sources stay within 400 lines", () => {
  const long = ["core", "cli", "ml"].flatMap(sourcesOf).flatMap((file) => {
    const lines = readText(file).split("\n").length;
    return lines > 400 ? [`${file}: ${lines}`] : [];
  });
  expect(long).toEqual([]);
});

test("no folder is called common, shared, helpers, models or misc in the sources of core and cli", () => {
  const places = ["core", "cli"]
    .flatMap(sourcesOf)
    .filter((file) => /\/(common|shared|helpers|utils|models|misc)\//.test(file));
  expect(places).toEqual([]);
});

test("no tracked file names a folder of one machine or the host of a registry", () => {
  const text = repositoryFiles(/\.(ts|mjs|js|json|md|ya?ml)$/).filter((file) => !file.startsWith("test/golden/"));
  expect(text.length).toBeGreaterThan(300);
  const folders = text.filter((file) =>
    /(?<![\w.])\/(work|root|home\/(?!you\b|ana\b|ada\b|me\b)\w+|Users\/(?!you\b|ana\b|ada\b|me\b)\w+)\/[\w.-]+\/[\w.-]+/.test(
      readText(file),
    ),
  );
  expect(folders).toEqual([]);
  const hosts = text.filter(
    (file) =>
      /https?:\/\/[\w.:-]*(registry|npm-?proxy|nexus|artifactory|verdaccio)[\w.-]*/i.test(readText(file)) ||
      (file.endsWith("-lock.yaml") && /tarball:\s*http/.test(readText(file))),
  );
  expect(hosts).toEqual([]);
});

test("a test that makes a project takes it away again", () => {
  const leaving = repositoryFiles(/^(test|packages)\/.*\.test\.ts$/).filter((file) => {
    const text = readText(file);
    return (
      /\bnew (Project|StoreToHurt|Workplace)\(/.test(text) && !/\busing \w+ = |\bSymbol\.(asyncD|d)ispose\]/.test(text)
    );
  });
  expect(leaving).toEqual([]);
});
