/**
 * The checks that every codec for models passes, as a list of names and functions, so that any test runner can run them.
 * They train for real, keep the model by a flow that runs in memory, and load it with the real library.
 */
import assert from "node:assert/strict";
import { type AnyModelCodec, modelCodecById } from "../codecs/codec-registry.ts";
import { largestDifference } from "../codecs/compare-outputs.ts";
import { loadLibrary } from "../codecs/library.ts";
import { digestOf, openByCodec, predictions } from "../codecs/open-stored.ts";
import { storeModel } from "../codecs/store-model.ts";
import type { StoredModel, StoredModelParts } from "../codecs/stored-model.ts";
import { MlError, type MlErrorCode } from "../ml-error.ts";
import { seededRandom } from "../random.ts";
import { keptByFlow } from "./kept-by-flow.ts";

/** A codec, and how to make a model for it. */
export interface CodecUnderTest {
  /** Id of a registered codec. */
  readonly codec: string;
  /** Makes a model and trains it, with the same seeds and data each time: anew with each call. */
  readonly train: () => unknown;
  /** Whether a value is given to the codec by its id alone, because it could be anybody's. Default false. */
  readonly isChosen?: boolean;
  /** What it predicts from, in the form that the codec takes; left out for values that predict nothing. */
  readonly inputs?: unknown;
  /** What is compared of a value that predicts nothing; default: all of it. */
  readonly contentOf?: (value: unknown) => unknown;
  /** Whether models that were trained twice have the same bytes. Default true. */
  readonly isByteStable?: boolean;
  /** How many damaged copies are tried; default 60. */
  readonly damagedCopies?: number;
}

/** One check: it passes by returning and fails by throwing. */
export interface CodecCheck {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/**
 * The checks for one codec.
 *
 * @example
 * import { test } from "node:test";
 * for (const { name, run } of modelCodecChecks({ codec: "acme.line", train, inputs: [[1], [2]] })) test(name, run);
 */
export function modelCodecChecks(subject: CodecUnderTest): readonly CodecCheck[] {
  const checks = {
    "knows its models by looking at them": knowsItsModels,
    "a model that a step keeps predicts the same in the next one": comesBack,
    "loading changes nothing of what is stored": staysAsItIs,
    ...(subject.isByteStable === false ? {} : { "the same training twice gives the same bytes": isByteStable }),
    "a shortened file is an error with a code": refusesShortened,
    "a missing file is an error with a code": refusesMissing,
    "damaged files never do harm": survivesDamage,
    "a file that was exchanged is found out by its digest": seesExchanged,
    ...(subject.inputs === undefined ? {} : { "other predictions than those that were kept are told": seesOther }),
    "another version of the library is told": tellsDrift,
    "a missing library is told with the command that installs it": tellsMissing,
  };
  return Object.entries(checks).map(([name, run]) => ({ name, run: () => run(subject) }));
}

async function knowsItsModels(subject: CodecUnderTest): Promise<void> {
  const codec = modelCodecById(subject.codec);
  const model = await subject.train();
  assert.equal(codec.matches(model), subject.isChosen !== true, "matches() of a trained model");
  for (const other of [undefined, null, 1, "model", [], {}, new Map(), Object.create(null), () => 1, new Date()])
    assert.equal(codec.matches(other), false, `matches() of ${Object.prototype.toString.call(other)}`);
  if (codec.isLive?.(model) !== false) codec.free?.(model);
}

async function comesBack(subject: CodecUnderTest): Promise<void> {
  const { stored, expected } = await storedWithPredictions(subject);
  const { kept, actual } = await keptByFlow(stored, async (model) => outputsOf(subject, model));
  assert.notEqual(kept, stored);
  const difference = largestDifference(expected, actual);
  assert.ok(
    difference === undefined || difference.distance <= modelCodecById(subject.codec).tolerance,
    `the largest difference is ${difference?.distance} at ${difference?.path}`,
  );
}

async function staysAsItIs(subject: CodecUnderTest): Promise<void> {
  const stored = await store(subject);
  const { kept } = await keptByFlow(stored, async (model) => {
    await outputsOf(subject, model); // Using the loaded model must not reach into the stored one.
    return null;
  });
  assert.deepEqual(summary(kept), summary(stored));
}

async function isByteStable(subject: CodecUnderTest): Promise<void> {
  const [one, other] = [await store(subject), await store(subject)];
  assert.deepEqual(summary(one), summary(other));
}

async function refusesShortened(subject: CodecUnderTest): Promise<void> {
  const stored = await store(subject);
  for (const [name, { bytes }] of Object.entries(stored.files)) {
    for (const length of new Set([0, 1, bytes.length >> 1, bytes.length - 1])) {
      const parts = withFile(stored, name, bytes.slice(0, length));
      await rejectsWith("ML_MODEL_DAMAGED", () => open(subject, parts), `${name} with ${length} bytes`);
    }
  }
  await stillWorks(subject, stored);
}

async function refusesMissing(subject: CodecUnderTest): Promise<void> {
  const stored = await store(subject);
  for (const missing of Object.keys(stored.files)) {
    const files = Object.fromEntries(Object.entries(stored.files).filter(([name]) => name !== missing));
    await rejectsWith("ML_MODEL_DAMAGED", () => open(subject, { ...stored, files }), `without ${missing}`);
  }
}

/** One wrong byte: an error with a code, or a model. Whatever comes of it, the library must be whole afterwards. */
async function survivesDamage(subject: CodecUnderTest): Promise<void> {
  const codec = modelCodecById(subject.codec);
  const stored = await store(subject);
  const entries = Object.entries(stored.files);
  const random = seededRandom(20);
  for (let copy = 0; copy < (subject.damagedCopies ?? 60); copy++) {
    const [name, { bytes }] = entries[random.integer(0, entries.length)]!;
    const damaged = bytes.slice();
    const at = random.integer(0, damaged.length);
    damaged[at] = damaged[at]! ^ (1 << random.integer(0, 8));
    try {
      const model = await openByCodec(codec, withFile(stored, name, damaged));
      await outputsOf(subject, model).catch((error: unknown) => assert.ok(error instanceof Error));
      codec.free?.(model);
    } catch (error) {
      assert.ok(error instanceof MlError, `byte ${at} of ${name}: ${String(error)} is no MlError`);
    }
  }
  await stillWorks(subject, stored);
}

async function seesExchanged(subject: CodecUnderTest): Promise<void> {
  const stored = await store(subject);
  const [name, file] = Object.entries(stored.files)[0]!;
  const bytes = file.bytes.slice();
  bytes[bytes.length >> 1] = bytes[bytes.length >> 1]! ^ 1;
  const parts = { ...stored, files: { ...stored.files, [name]: { ...file, bytes } } };
  const error = await rejectsWith("ML_MODEL_DAMAGED", () => open(subject, parts), "another byte under the old digest");
  assert.match(error.message, /its digest is another one/);
}

async function seesOther(subject: CodecUnderTest): Promise<void> {
  const stored = await store(subject, { probe: { inputs: subject.inputs } });
  codecOf(subject).free?.(await open(subject, stored));
  const probe = { ...stored.probe!, expected: changed(stored.probe!.expected) };
  const error = await rejectsWith("ML_MODEL_CHANGED", () => open(subject, { ...stored, probe }), "another prediction");
  assert.match(error.message, /largest difference is .+ the tolerance is/);
  codecOf(subject).free?.(await openByCodec(codecOf(subject), { ...stored, probe }, { checkProbe: false }));
}

async function tellsDrift(subject: CodecUnderTest): Promise<void> {
  const stored = await store(subject);
  if (stored.library === undefined) return;
  const [major, minor, patch] = stored.library.version.split(".").map(Number) as [number, number, number];
  const older = { ...stored.library, version: `${major + 1}.0.0` };
  const error = await rejectsWith("ML_LIBRARY_VERSION", () => open(subject, { ...stored, library: older }), "a major");
  assert.ok(error.message.includes(`npm install ${older.package}@${older.version}`), error.message);
  codecOf(subject).free?.(
    await openByCodec(codecOf(subject), { ...stored, library: older }, { anyVersion: true, checkProbe: true }),
  );
  const near = { ...stored.library, version: `${major}.${minor}.${patch + 1}` };
  if (major > 0 || minor > 0) codecOf(subject).free?.(await open(subject, { ...stored, library: near }));
}

async function tellsMissing(subject: CodecUnderTest): Promise<void> {
  const stored = await store(subject);
  const codec = codecOf(subject);
  if (codec.library === undefined) return;
  // The same codec in a place from where no package is found.
  const elsewhere = { ...codec, library: { ...codec.library, from: "file:///nowhere/at-all.js" } };
  const error = await rejectsWith("ML_LIBRARY_MISSING", () => openByCodec(elsewhere, stored), "no library");
  const command = [
    codec.library,
    ...Object.entries(codec.library.alsoNeeds ?? {}).map(([name, range]) => ({ package: name, range })),
  ];
  assert.ok(
    error.message.endsWith(`npm install ${command.map((each) => `${each.package}@${each.range}`).join(" ")}`),
    error.message,
  );
}

async function store(subject: CodecUnderTest, options: { probe?: { inputs: unknown } } = {}): Promise<StoredModel> {
  return (await storedWithPredictions(subject, options)).stored;
}

async function storedWithPredictions(
  subject: CodecUnderTest,
  options: { probe?: { inputs: unknown } } = {},
): Promise<{ readonly stored: StoredModel; readonly expected: unknown }> {
  const codec = codecOf(subject);
  const model = await subject.train();
  const stored: StoredModel = await storeModel<unknown>(model, { ...options, codec: subject.codec });
  if (codec.isLive?.(model) === false) return { stored, expected: await outputsOf(subject, await stored.load()) };
  const expected = await outputsOf(subject, model);
  codec.free?.(model);
  return { stored, expected };
}

async function outputsOf(subject: CodecUnderTest, model: unknown): Promise<unknown> {
  if (subject.inputs === undefined) return subject.contentOf === undefined ? model : subject.contentOf(model);
  return predictions(codecOf(subject), model, subject.inputs);
}

/** The module may be broken by what it was given before: a whole model must load and predict as ever. */
async function stillWorks(subject: CodecUnderTest, stored: StoredModel): Promise<void> {
  const codec = codecOf(subject);
  if (codec.library !== undefined) await loadLibrary(codec.library, "Cannot check the library");
  const model = await open(subject, stored);
  await outputsOf(subject, model);
  codec.free?.(model);
}

function open(subject: CodecUnderTest, parts: StoredModelParts): Promise<unknown> {
  return openByCodec(codecOf(subject), parts);
}

function codecOf(subject: CodecUnderTest): AnyModelCodec {
  return modelCodecById(subject.codec);
}

function withFile(stored: StoredModelParts, name: string, bytes: Uint8Array): StoredModelParts {
  return { ...stored, files: { ...stored.files, [name]: { bytes, sha256: digestOf(bytes) } } };
}

/** All of a stored model with digests in place of the bytes, which are too many for a readable difference. */
function summary(stored: StoredModel): unknown {
  const files = Object.entries(stored.files).map(([name, { bytes, sha256 }]) => [name, sha256, digestOf(bytes)]);
  return { ...stored, files };
}

/** The same outputs with the first number or text changed. */
function changed(outputs: unknown): unknown {
  if (typeof outputs === "number") return outputs + 1 + Math.abs(outputs);
  if (typeof outputs === "string") return `${outputs}?`;
  if (outputs === null || typeof outputs !== "object") return "something else";
  if (ArrayBuffer.isView(outputs)) return (outputs as Float32Array).map((value) => value + 1 + Math.abs(value));
  const [key] = Object.keys(outputs) as [string];
  const copy = (Array.isArray(outputs) ? [...outputs] : { ...outputs }) as Record<string, unknown>;
  copy[key] = changed(copy[key]);
  return copy;
}

async function rejectsWith(code: MlErrorCode, call: () => Promise<unknown>, what: string): Promise<MlError> {
  const outcome = await call().then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(outcome !== undefined, `${what}: nothing was thrown, expected ${code}`);
  assert.ok(outcome instanceof MlError && outcome.code === code, `${what}: ${String(outcome)}, expected ${code}`);
  return outcome;
}
