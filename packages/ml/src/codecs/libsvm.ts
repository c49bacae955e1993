/** Models of `libsvm-js`: libsvm's own text file, which every libsvm reads. */
import { createRequire } from "node:module";
import { readLibsvm } from "./formats/libsvm-format.ts";
import type { ModelCodec } from "./model-codec.ts";
import { quietRequire } from "./quiet-require.ts";

interface SupportVectorMachine {
  readonly options: Readonly<Record<string, unknown>>;
  predict(rows: readonly (readonly number[])[]): readonly number[];
  serializeModel(): string;
  free(): void;
}

interface LibsvmLibrary {
  load(text: string): SupportVectorMachine;
}

const FILE = "model.svm";

/** Loaded models hold memory that nothing collects: `stored.free(model)`. */
export const libsvmCodec: ModelCodec<SupportVectorMachine, LibsvmLibrary> = {
  id: "libsvm-js",
  version: 1,
  library: {
    package: "libsvm-js",
    range: "^0.2.1",
    from: import.meta.url,
    import: () => quietRequire<LibsvmLibrary>(createRequire(import.meta.url), "libsvm-js"),
  },
  // The file has numbers of eight digits: the largest difference that was seen is 4e-7, on values around 10.
  tolerance: 1e-5,
  matches: (value) =>
    value !== null &&
    typeof value === "object" &&
    value.constructor?.name === "SVM" &&
    typeof (value as { readonly serializeModel?: unknown }).serializeModel === "function",
  save: (machine) => {
    const text = machine.serializeModel();
    readLibsvm(text);
    return {
      files: { [FILE]: new TextEncoder().encode(text) },
      facts: { className: "SVM", parameters: { ...machine.options } },
    };
  },
  load: ({ files }, library) => {
    const text = textOf(files[FILE]);
    readLibsvm(text);
    return library.load(text);
  },
  predict: (machine, rows) => machine.predict(rows as readonly (readonly number[])[]),
  inspect: (files) => readLibsvm(textOf(files[FILE])),
  free: (machine) => machine.free(),
};

function textOf(bytes: Uint8Array | undefined): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes ?? new Uint8Array(0));
}
