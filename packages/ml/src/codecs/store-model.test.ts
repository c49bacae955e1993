import { describe, expect, expectTypeOf, it } from "vitest";
import "./built-in.ts";
import { RandomForestRegression } from "ml-random-forest";
import { registerModelCodec } from "./codec-registry.ts";
import { libraryVersion, loadLibrary, versionDrift } from "./library.ts";
import type { ModelCodec } from "./model-codec.ts";
import { modelJson, parseModelJson } from "./model-json.ts";
import { storeModel } from "./store-model.ts";
import { StoredModel } from "./stored-model.ts";

const rows = Array.from({ length: 40 }, (_, row) => [row, (row * 7) % 5]);

class Line {
  constructor(readonly slope: number) {}
}

function lineCodec(changes: Partial<ModelCodec<Line>> = {}): ModelCodec<Line> {
  return {
    id: "test.line",
    version: 1,
    tolerance: 0,
    matches: (value) => value instanceof Line,
    save: (line) => ({ files: { "line.json": modelJson({ slope: line.slope }) }, facts: { className: "Line" } }),
    load: ({ files }) => new Line((parseModelJson(files["line.json"]) as Line).slope),
    predict: (line, inputs) => (inputs as number[]).map((x) => x * line.slope),
    ...changes,
  };
}

function forest(): RandomForestRegression {
  const model = new RandomForestRegression({ nEstimators: 5, seed: 1, noOOB: true });
  model.train(
    rows,
    rows.map(([a]) => a! * 3),
  );
  return model;
}

describe("storeModel", () => {
  it("keeps files, library, settings, signature and predictions, and gives the class back", async () => {
    const stored = await storeModel(forest(), { probe: { inputs: rows.slice(0, 3) } });
    expectTypeOf(stored).toEqualTypeOf<StoredModel<RandomForestRegression>>();
    expect(stored).toMatchObject({
      codec: "ml-random-forest",
      codecVersion: 1,
      library: { package: "ml-random-forest", version: "2.1.0" },
      facts: {
        className: "RandomForestRegression",
        parameters: { nEstimators: 5, seed: 1 },
        signature: { inputs: [{ type: "number", shape: [null, 2] }], outputs: [{ type: "number", shape: [null] }] },
      },
      probe: { inputs: rows.slice(0, 3), tolerance: 0 },
    });
    expect(await stored.load()).toBeInstanceOf(RandomForestRegression);
    expect(await stored.inspect()).toMatchObject({
      className: "RandomForestRegression",
      files: [{ name: "model.json", sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }],
      content: { name: "RFRegression" },
    });
  });

  it("keeps the signature that it is given", async () => {
    const signature = { inputs: [{ name: "distance", type: "number" }], outputs: [{ name: "delay", type: "number" }] };
    const stored = await storeModel(forest(), { signature });
    expect(stored.facts.signature).toEqual(signature);
    await stored.load();
  });

  it("tells a signature that the loaded model has not", async () => {
    const stored = await storeModel(forest());
    const signature = { ...stored.facts.signature!, inputs: [{ type: "number", shape: [null, 9] }] };
    await expect(new StoredModel({ ...stored, facts: { ...stored.facts, signature } }).load()).rejects.toMatchObject({
      code: "ML_MODEL_CHANGED",
      message: expect.stringContaining("[null,9]"),
    });
  });

  it("refuses a model that a loaded copy does not predict like", async () => {
    registerModelCodec(lineCodec({ id: "test.lossy", load: () => new Line(0), matches: () => false }));
    await expect(storeModel(new Line(2), { codec: "test.lossy", probe: { inputs: [3] } })).rejects.toMatchObject({
      code: "ML_MODEL_CHANGED",
      message: expect.stringContaining(
        "the largest difference is 1 (output[0]: 6 was kept, 0 comes out), the tolerance is 0",
      ),
    });
    await expect(storeModel(new Line(2), { codec: "test.lossy" })).resolves.toBeInstanceOf(StoredModel);
  });

  it("tells values that no codec knows, two codecs that claim one, and codecs that predict nothing", async () => {
    await expect(storeModel(new (class Odd {})())).rejects.toMatchObject({
      code: "ML_CODEC_UNKNOWN",
      message: expect.stringContaining("Cannot store an instance of Odd: no codec knows it"),
    });
    await expect(storeModel(new Line(1), { codec: "test.none" })).rejects.toMatchObject({ code: "ML_CODEC_UNKNOWN" });
    registerModelCodec(lineCodec());
    registerModelCodec(lineCodec({ id: "test.line2" }));
    await expect(storeModel(new Line(1))).rejects.toMatchObject({
      code: "ML_CODEC_AMBIGUOUS",
      message: expect.stringContaining('the codecs "test.line", "test.line2" both claim it'),
    });
    expect((await (await storeModel(new Line(4), { codec: "test.line2" })).load()).slope).toBe(4);
    const { predict: _, ...mute } = lineCodec({ id: "test.mute", matches: () => false });
    registerModelCodec(mute);
    await expect(storeModel(new Line(1), { codec: "test.mute", probe: { inputs: [1] } })).rejects.toMatchObject({
      code: "ML_MODEL_NO_PREDICTIONS",
    });
  });

  it("says that a model cannot be saved, with the reason", async () => {
    await expect(storeModel(new RandomForestRegression({}))).rejects.toMatchObject({ code: "ML_MODEL_NOT_STORABLE" });
    registerModelCodec(lineCodec({ id: "test.nan", matches: () => false }));
    await expect(storeModel(new Line(Number.NaN), { codec: "test.nan" })).rejects.toMatchObject({
      code: "ML_MODEL_NOT_STORABLE",
      message: "Cannot write the model as JSON: $.slope is not a number (NaN)",
    });
  });

  it("refuses files of a newer codec", async () => {
    registerModelCodec(lineCodec({ id: "test.newer", matches: () => false }));
    const stored = await storeModel(new Line(1), { codec: "test.newer" });
    await expect(new StoredModel({ ...stored, codecVersion: 2 }).load()).rejects.toMatchObject({
      code: "ML_CODEC_VERSION",
    });
  });
});

describe("registering a codec", () => {
  it("may happen twice, but not for two codecs of one id", () => {
    registerModelCodec(lineCodec({ id: "test.twice" }));
    registerModelCodec(lineCodec({ id: "test.twice" }));
    const other = lineCodec({ id: "test.twice", load: () => new Line(7) });
    expect(() => registerModelCodec(other)).toThrow(expect.objectContaining({ code: "ML_CODEC_TAKEN" }));
  });

  it.each([
    [{ id: "../x" }, "it is no id"],
    [{ version: 0 }, "its version 0 is no whole number from 1 on"],
    [{ tolerance: -1 }, "its tolerance -1 is not between 0 and 1"],
  ])("refuses %j", (changes, reason) => {
    expect(() => registerModelCodec(lineCodec(changes))).toThrow(
      expect.objectContaining({ code: "ML_CODEC_INVALID", message: expect.stringContaining(reason) }),
    );
  });
});

describe("libraries", () => {
  const library = { package: "ml-cart", range: "^2.1.1", from: import.meta.url, import: () => import("ml-cart") };

  it("are found with their version and imported once", async () => {
    expect(libraryVersion(library, "Cannot look")).toEqual({ package: "ml-cart", version: "2.1.1" });
    expect(await loadLibrary(library, "Cannot load")).toBe(await loadLibrary(library, "Cannot load"));
  });

  it("are named all at once when they are missing", () => {
    const absent = { ...library, package: "no-such-library", range: "^1.0.0", alsoNeeds: { "nor-this": "2" } };
    expect(() => libraryVersion(absent, "Cannot load the Net")).toThrow(
      expect.objectContaining({
        code: "ML_LIBRARY_MISSING",
        message:
          'Cannot load the Net: the packages "no-such-library", "nor-this" are not installed; run: npm install no-such-library@^1.0.0 nor-this@2',
      }),
    );
  });

  it("that cannot be imported are broken, and tried again", async () => {
    let tries = 0;
    const broken = { ...library, import: () => Promise.reject(new Error(`no binary, try ${++tries}`)) };
    await expect(loadLibrary(broken, "Cannot load")).rejects.toMatchObject({ code: "ML_LIBRARY_BROKEN" });
    await expect(loadLibrary(broken, "Cannot load")).rejects.toThrow("no binary, try 2");
  });

  it.each([
    ["1.2.3", "1.2.3", "none"],
    ["1.2.3", "1.9.0", "compatible"],
    ["1.2.3", "2.0.0", "breaking"],
    ["0.2.1", "0.2.9", "compatible"],
    ["0.2.1", "0.3.0", "breaking"],
    ["0.0.1", "0.0.2", "breaking"],
    ["1.2.3", "next", "breaking"],
  ])("saved by %s, installed %s: %s", (saved, installed, drift) => {
    expect(versionDrift(saved, installed)).toBe(drift);
  });
});

describe("JSON of models", () => {
  it("loses no number", () => {
    const value = {
      depth: Number.POSITIVE_INFINITY,
      low: Number.NEGATIVE_INFINITY,
      zero: -0,
      list: [0.1, null, -1e-300],
    };
    const copy = parseModelJson(modelJson(value)) as typeof value;
    expect(copy).toEqual(value);
    expect(Object.is(copy.zero, -0)).toBe(true);
  });

  it("writes what JSON.stringify writes", () => {
    const value = { b: [1, undefined, "ü\n"], a: { c: undefined, d: true, e: {} }, f: Float32Array.of(1, 2), g: [] };
    expect(new TextDecoder().decode(modelJson(value))).toBe(JSON.stringify({ ...value, f: [1, 2] }));
  });

  it("refuses circles and functions with the path", () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    expect(() => modelJson(circle)).toThrow("is nested too deeply or holds itself");
    expect(() => modelJson({ net: [() => 1] })).toThrow("$.net[0] is a function");
  });
});
