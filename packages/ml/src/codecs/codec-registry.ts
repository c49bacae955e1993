/**
 * Which codec an id means, and which codec a value belongs to. The registry hangs on globalThis: a flow may bring a second
 * copy of this package, and what one copy registers the other must find.
 */
import { MlError } from "../ml-error.ts";
import type { ModelCodec } from "./model-codec.ts";

// biome-ignore lint/suspicious/noExplicitAny: a codec takes and gives its own type, and no other type accepts every codec
export type AnyModelCodec = ModelCodec<any, any, any>;

const CODECS = Symbol.for("millrace.model-codecs@1");

function codecs(): Map<string, AnyModelCodec> {
  const holder = globalThis as { [CODECS]?: Map<string, AnyModelCodec> };
  holder[CODECS] ??= new Map();
  return holder[CODECS];
}

/**
 * Makes a codec known under its id. A module that is loaded twice may register it twice; a different codec of the same id is refused.
 *
 * @throws MlError ML_CODEC_INVALID, ML_CODEC_TAKEN
 */
export function registerModelCodec(codec: AnyModelCodec): void {
  const reason = whatIsWrong(codec);
  if (reason !== undefined) throw new MlError("ML_CODEC_INVALID", `Cannot register the codec "${codec.id}": ${reason}`);
  const known = codecs().get(codec.id);
  const site = callSite();
  const isSame = known !== undefined && (sourceOf(known) === sourceOf(codec) || sites.get(known) === site);
  if (known !== undefined && !isSame) {
    throw new MlError(
      "ML_CODEC_TAKEN",
      `Cannot register the codec "${codec.id}": a different codec has this id`,
      "give one of the two another id",
    );
  }
  sites.set(codec, site);
  codecs().set(codec.id, codec);
}

/** Makes the codecs of this package known; those of another copy of it make place. */
export function registerBuiltIn(builtIn: readonly AnyModelCodec[]): void {
  for (const codec of builtIn) codecs().set(codec.id, codec);
}

/** Where codecs were registered. */
const sites = new WeakMap<AnyModelCodec, string>();

/** The file and line that registers: two loaders write one module differently, and both name where it comes from. */
function callSite(): string {
  const [, line] = /registerModelCodec[^\n]*\n([^\n]*)/.exec(new Error("where").stack ?? "") ?? [];
  return line?.trim() ?? "";
}

/**
 * The codec of an id.
 *
 * @throws MlError ML_CODEC_UNKNOWN
 */
export function modelCodecById(id: string): AnyModelCodec {
  const codec = codecs().get(id);
  if (codec !== undefined) return codec;
  throw new MlError(
    "ML_CODEC_UNKNOWN",
    `Cannot find the codec "${id}"`,
    `import the file that registers it, or name one of ${quoted([...codecs().keys()])}`,
  );
}

/**
 * The one codec that a value belongs to.
 *
 * @throws MlError ML_CODEC_UNKNOWN when there is none, ML_CODEC_AMBIGUOUS when there are several
 */
export function modelCodecOf(value: unknown): AnyModelCodec {
  const fitting = [...codecs().values()].filter((codec) => codec.matches(value));
  if (fitting.length === 1) return fitting[0]!;
  const what = describe(value);
  if (fitting.length === 0) {
    throw new MlError(
      "ML_CODEC_UNKNOWN",
      `Cannot store ${what}: no codec knows it`,
      `register one with registerModelCodec(), or pass "codec" with one of ${quoted([...codecs().keys()])}`,
    );
  }
  const ids = quoted(fitting.map(({ id }) => id));
  throw new MlError(
    "ML_CODEC_AMBIGUOUS",
    `Cannot store ${what}: the codecs ${ids} both claim it`,
    'pass "codec" with one of them',
  );
}

function describe(value: unknown): string {
  if (value === null || typeof value !== "object") return `a value of type ${value === null ? "null" : typeof value}`;
  const name: unknown = (value as { readonly constructor?: { readonly name?: unknown } }).constructor?.name;
  return typeof name === "string" && name !== "" ? `an instance of ${name}` : "an object without a class";
}

function whatIsWrong({ id, version, tolerance }: AnyModelCodec): string | undefined {
  if (!/^@?[A-Za-z][\w$-]*(?:[./][\w$-]+)*$/.test(id) || id.length > 128) return "it is no id";
  if (!Number.isSafeInteger(version) || version < 1) return `its version ${version} is no whole number from 1 on`;
  if (!(tolerance >= 0 && tolerance < 1)) return `its tolerance ${tolerance} is not between 0 and 1`;
  return undefined;
}

/** Equal for two loads of one module by one loader; loaders write functions differently, so comments and blanks are left out. */
function sourceOf(codec: AnyModelCodec): string {
  return [codec.version, codec.library?.package, codec.save, codec.load].map(String).join("\0").replaceAll(/\s+/g, "");
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `"${word}"`).join(", ");
}
