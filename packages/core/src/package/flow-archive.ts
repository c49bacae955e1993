/**
 * A flow as one file: `train.flow`, made by `flow build`. A gzipped tar with the three files of the code package and
 * `flow.json`, which holds the digest and the definitions of the flows. Loading it needs neither the sources nor the
 * bundler; installed packages are looked for from the folder that the file lies in. See docs/formats/code-package.md.
 */
import fs from "node:fs";
import path from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import type { Digest } from "../artifact/artifact.ts";
import { FlowError } from "../errors/flow-error.ts";
import { readTar, writeTar } from "../util/tar.ts";
import { displayPath } from "./display-path.ts";
import type { FlowPackage, PackagedFlow } from "./flow-package.ts";
import { arePackagedFlows } from "./kept-shapes.ts";
import { BUNDLE_FILE, MANIFEST_FILE, MAP_FILE } from "./package-files.ts";
import { portableFlows } from "./portable-flows.ts";
import { restorePackage } from "./restore-package.ts";

/** Unpacked, at most: a bundle of this size is no flow, and a small file may claim to hold it. */
const MAX_UNPACKED_BYTES = 512 * 1024 * 1024;

const FACTS_FILE = "flow.json";

interface ArchiveFacts {
  readonly schema: 1;
  readonly digest: Digest;
  readonly entry: string;
  readonly flows: readonly PackagedFlow[];
}

/** The bytes of a built flow: the same for the same package, wherever and whenever it is built. */
export function packFlow(pack: FlowPackage): Uint8Array {
  const facts: ArchiveFacts = {
    schema: 1,
    digest: pack.digest,
    entry: pack.manifest.entry,
    flows: portableFlows(pack.flows, pack.root),
  };
  const files = [BUNDLE_FILE, MAP_FILE, MANIFEST_FILE].map(
    (name) => [name, fs.readFileSync(path.join(pack.folder, name))] as const,
  );
  const tar = writeTar([[FACTS_FILE, Buffer.from(`${JSON.stringify(facts, null, 2)}\n`)], ...files]);
  const packed = gzipSync(tar, { level: 9 });
  packed[9] = 0xff; // The system that packed it: unknown, so that all systems write the same bytes.
  return packed;
}

/**
 * The package of a built flow, ready on this machine.
 *
 * @throws FlowError FLOW_PACKAGE_DAMAGED, FLOW_PACKAGE_TOO_NEW, FLOW_PACKAGE_EXTERNAL_MISSING, FLOW_PACKAGE_CACHE_UNWRITABLE
 */
export async function loadFlowArchive(file: string, cacheFolder?: string): Promise<FlowPackage> {
  const files = unpack(file);
  const facts = factsOf(file, files.get(FACTS_FILE));
  const content = async () => {
    const [code, map, manifest] = [BUNDLE_FILE, MAP_FILE, MANIFEST_FILE].map((name) => files.get(name));
    if (code === undefined || map === undefined || manifest === undefined)
      throw damaged(file, "a file is missing in it");
    return { code, map, manifest };
  };
  const { digest, entry, flows } = facts;
  const root = path.dirname(fs.realpathSync.native(file));
  return restorePackage(
    { digest, entry, flows, content },
    { root, ...(cacheFolder === undefined ? {} : { cacheFolder }) },
  );
}

function unpack(file: string): ReadonlyMap<string, Uint8Array> {
  let tar: Uint8Array;
  try {
    tar = gunzipSync(fs.readFileSync(file), { maxOutputLength: MAX_UNPACKED_BYTES });
  } catch (cause) {
    throw damaged(file, cause instanceof Error ? cause.message : String(cause), cause);
  }
  const files = readTar(tar);
  if (files === undefined) throw damaged(file, "what it holds is cut short");
  return files;
}

function factsOf(file: string, bytes: Uint8Array | undefined): ArchiveFacts {
  let facts: Partial<ArchiveFacts> | undefined;
  try {
    facts =
      bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString("utf8")) as Partial<ArchiveFacts>);
  } catch (cause) {
    throw damaged(file, `"${FACTS_FILE}" in it is no JSON`, cause);
  }
  if (typeof facts?.schema === "number" && facts.schema > 1) {
    throw new FlowError("FLOW_PACKAGE_TOO_NEW", {
      message: `Cannot load "${displayPath(file)}": it is of form ${facts.schema}, and this version reads form 1`,
      hint: "Update Millrace here, or build the flow with this version",
      context: { file },
    });
  }
  const { digest, entry, flows }: { readonly [Name in keyof ArchiveFacts]?: unknown } = facts ?? {};
  if (
    typeof digest !== "string" ||
    !/^[0-9a-f]{64}$/.test(digest) ||
    typeof entry !== "string" ||
    !arePackagedFlows(flows)
  )
    throw damaged(file, "it was not made by flow build");
  return { schema: 1, digest: digest as Digest, entry, flows };
}

function damaged(file: string, why: string, cause?: unknown): FlowError {
  return new FlowError("FLOW_PACKAGE_DAMAGED", {
    message: `Cannot load "${displayPath(file)}": ${why}`,
    hint: "Build the flow again, or copy the file again",
    context: { file },
    ...(cause === undefined ? {} : { cause }),
  });
}
