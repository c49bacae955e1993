/** The way back from what is kept to a live object, with every check on it. */
import { createHash } from "node:crypto";
import { MlError } from "../ml-error.ts";
import { type AnyModelCodec, modelCodecById } from "./codec-registry.ts";
import { largestDifference } from "./compare-outputs.ts";
import { libraryVersion, loadLibrary, type VersionDrift, versionDrift } from "./library.ts";
import type { ModelFiles, ModelSignature, SavedModel } from "./model-codec.ts";
import type { LoadOptions, ModelFile, ModelInspection, ModelProbe, StoredModelParts } from "./stored-model.ts";

/** `StoredModel.load`. */
export async function openStored(stored: StoredModelParts, options: LoadOptions): Promise<unknown> {
  return openByCodec(modelCodecById(stored.codec), stored, options);
}

/** The same with a codec at hand. */
export async function openByCodec(
  codec: AnyModelCodec,
  stored: StoredModelParts,
  options: LoadOptions = {},
): Promise<unknown> {
  const { facts, probe } = stored;
  const action = `Cannot load the ${facts.className}`;
  if (stored.codecVersion > codec.version) {
    throw new MlError(
      "ML_CODEC_VERSION",
      `${action}: version ${stored.codecVersion} of the codec "${codec.id}" has saved it, and this is version ${codec.version}`,
      "update the package that brings the codec",
    );
  }
  const files = checkedFiles(stored.files, action);
  const drift = checkVersion(codec, stored, { action, anyVersion: options.anyVersion ?? false });
  const library = codec.library === undefined ? undefined : await loadLibrary(codec.library, action);
  const model = await loadFiles(codec, { files, facts }, library, stored.codecVersion);
  try {
    checkSignature(codec, model, facts.signature, action);
    if (probe !== undefined && (options.checkProbe ?? true)) await checkProbe(codec, model, probe, action);
    else if (drift !== "none") tellDrift(codec, stored, action);
  } catch (error) {
    codec.free?.(model);
    throw error;
  }
  return model;
}

/** `StoredModel.inspect`. */
export async function inspectStored(stored: StoredModelParts): Promise<ModelInspection> {
  const codec = modelCodecById(stored.codec);
  const { facts, probe } = stored;
  const files = checkedFiles(stored.files, `Cannot inspect the ${facts.className}`);
  return {
    codec: stored.codec,
    library: stored.library,
    className: facts.className,
    parameters: facts.parameters ?? {},
    signature: facts.signature,
    files: Object.entries(stored.files).map(([name, { bytes, sha256 }]) => ({
      name,
      sizeBytes: bytes.byteLength,
      sha256,
    })),
    probe: probe === undefined ? undefined : { tolerance: probe.tolerance },
    content:
      codec.inspect === undefined
        ? undefined
        : await withDamage(codec, `Cannot inspect the ${facts.className}`, () => codec.inspect!(files)),
  };
}

/** The live object of files. Whatever the codec throws is the files' fault, unless it says so itself. */
export async function loadFiles(
  codec: AnyModelCodec,
  saved: SavedModel,
  library: unknown,
  version: number,
): Promise<unknown> {
  const copies = Object.fromEntries(Object.entries(saved.files).map(([name, bytes]) => [name, bytes.slice()]));
  return withDamage(codec, `Cannot load the ${saved.facts.className}`, () =>
    codec.load({ files: copies, facts: saved.facts }, library, version),
  );
}

/**
 * Predictions of a live model as plain data.
 *
 * @throws MlError ML_MODEL_NO_PREDICTIONS
 */
export async function predictions(codec: AnyModelCodec, model: unknown, inputs: unknown): Promise<unknown> {
  if (codec.predict === undefined) {
    throw new MlError(
      "ML_MODEL_NO_PREDICTIONS",
      `Cannot make predictions: the codec "${codec.id}" has no predict function`,
    );
  }
  return await codec.predict(model, inputs);
}

/** @throws MlError ML_MODEL_CHANGED */
export async function checkProbe(
  codec: AnyModelCodec,
  model: unknown,
  probe: ModelProbe,
  action: string,
): Promise<void> {
  const actual = await predictions(codec, model, probe.inputs);
  const difference = largestDifference(probe.expected, actual);
  if (difference === undefined || difference.distance <= probe.tolerance) return;
  const { path, distance, ...values } = difference;
  throw new MlError(
    "ML_MODEL_CHANGED",
    `${action}: its predictions are not those that were kept: the largest difference is ${distance} (output${path}: ${JSON.stringify(values.expected)} was kept, ${JSON.stringify(values.actual)} comes out), the tolerance is ${probe.tolerance}`,
    "install the version of the library that saved it, or pass checkProbe: false to look at it",
  );
}

function checkSignature(codec: AnyModelCodec, model: unknown, kept: ModelSignature | undefined, action: string): void {
  const actual = codec.signature?.(model);
  if (actual === undefined || kept === undefined) return;
  for (const side of ["inputs", "outputs"] as const) {
    const told = (part: ModelSignature["inputs"][number]) => JSON.stringify([part.type, part.shape ?? null]);
    const [one, other] = [kept[side].map(told).join(), actual[side].map(told).join()];
    // What the user has said himself may be more than the library tells: names and meanings.
    if (one === other || kept[side].some(({ shape }) => shape === undefined)) continue;
    throw new MlError(
      "ML_MODEL_CHANGED",
      `${action}: its ${side} are ${other}, and ${one} were kept`,
      "store the model again with the signature that it has",
    );
  }
}

function checkedFiles(files: Readonly<Record<string, ModelFile>>, action: string): ModelFiles {
  return Object.fromEntries(
    Object.entries(files).map(([name, { bytes, sha256 }]) => {
      if (digestOf(bytes) === sha256) return [name, bytes];
      throw new MlError(
        "ML_MODEL_DAMAGED",
        `${action}: the file "${name}" is not what was stored: its digest is another one`,
        "take the model from the run that made it",
      );
    }),
  );
}

/** sha-256 in hexadecimal digits. */
export function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function checkVersion(
  codec: AnyModelCodec,
  stored: StoredModelParts,
  { action, anyVersion }: { readonly action: string; readonly anyVersion: boolean },
): VersionDrift {
  if (codec.library === undefined) return "none";
  const installed = libraryVersion(codec.library, action);
  if (stored.library === undefined) return "none";
  const drift =
    stored.library.package === installed.package ? versionDrift(stored.library.version, installed.version) : "breaking";
  if (drift !== "breaking" || anyVersion) return drift;
  throw new MlError(
    "ML_LIBRARY_VERSION",
    `${action}: ${stored.library.package} ${stored.library.version} has saved it, and ${installed.package} ${installed.version} is installed`,
    `run: npm install ${stored.library.package}@${stored.library.version}; or pass anyVersion: true to try it`,
  );
}

function tellDrift(codec: AnyModelCodec, stored: StoredModelParts, action: string): void {
  const { package: name, version } = stored.library!;
  process.emitWarning(
    `${action.replace("Cannot load the", "Loaded the")} of ${name} ${version} with version ${libraryVersion(codec.library!, action).version}; no predictions are kept by which it could be checked`,
    { type: "MillraceWarning", code: "ML_LIBRARY_DRIFT" },
  );
}

async function withDamage<R>(codec: AnyModelCodec, action: string, call: () => R | Promise<R>): Promise<R> {
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof MlError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MlError(
      "ML_MODEL_DAMAGED",
      `${action}: the codec "${codec.id}" cannot read its files: ${reason.slice(0, 500)}`,
      "take the model from the run that made it",
      { cause },
    );
  }
}
