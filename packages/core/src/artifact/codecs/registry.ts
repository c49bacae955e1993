/**
 * Which class is stored under which name, and which codec an id of a whole value means.
 *
 * The registry hangs on globalThis under a shared symbol: a flow may bring a second copy of core, and what one copy
 * registers the other must find. Invariants: a name means one class; names that start with `js.` are the encoding's own.
 * Not here: the bytes (cbor/), and loading the libraries that plug-in codecs stand for.
 */
import { FlowError } from "../../errors/flow-error.ts";
import { type CallSite, locate } from "../../util/call-site.ts";

/** A class of whatever constructor: abstract and private ones too. */
// biome-ignore lint/suspicious/noExplicitAny: parameters of a constructor are contravariant, no other type accepts every class
export type AnyClass<T = unknown> = abstract new (...args: any[]) => T;

/** How instances of one class become data and back. */
export interface ClassCodec {
  readonly name: string;
  readonly version: number;
  /** `name@version`, as it is stored. */
  readonly storedName: string;
  readonly class: AnyClass;
  /** Absent in the default codec, which keeps the own enumerable data properties. */
  readonly encode?: (value: unknown) => unknown;
  readonly decode?: (data: unknown) => unknown;
  readonly upgrade?: (data: unknown, fromVersion: number) => unknown;
  /** Text of the class and its functions: equal for two loads of one module by one loader. */
  readonly source: string;
  /** Where it was registered. */
  readonly site: CallSite;
}

interface Registry {
  readonly byClass: WeakMap<object, ClassCodec>;
  readonly byName: Map<string, ClassCodec>;
}

const REGISTRY = Symbol.for("millrace.class-codecs@1");

function registry(): Registry {
  const holder = globalThis as { [REGISTRY]?: Registry };
  holder[REGISTRY] ??= { byClass: new WeakMap(), byName: new Map() };
  return holder[REGISTRY];
}

/** The codec of exactly this class; never that of a base class. */
export function codecOfClass(owner: object): ClassCodec | undefined {
  return registry().byClass.get(owner);
}

/** The codec of a name without version. */
export function codecByName(name: string): ClassCodec | undefined {
  return registry().byName.get(name);
}

/** Splits a stored name into name and version; undefined when another program wrote it in a form of its own. */
export function parseStoredName(storedName: string): { readonly name: string; readonly version: number } | undefined {
  const match = /^(.+)@([1-9]\d{0,8})$/.exec(storedName);
  return match === null ? undefined : { name: match[1]!, version: Number(match[2]) };
}

/**
 * Makes a codec known.
 *
 * The same class under the same name replaces what was registered before: that is one module loaded twice, and instances
 * of both loads encode. Any other class is an error.
 *
 * @throws FlowError FLOW_ARTIFACT_BAD_CODEC, FLOW_ARTIFACT_CODEC_TAKEN
 */
export function registerCodec(codec: ClassCodec): void {
  checkName(codec.name);
  if (!Number.isSafeInteger(codec.version) || codec.version < 1 || codec.version > 999_999_999) {
    throw badCodec(codec, `its version ${String(codec.version)} is no whole number from 1 on`, "Count versions from 1");
  }
  const { byClass, byName } = registry();
  const earlier = byName.get(codec.name);
  if (earlier !== undefined && !isSameClass(earlier, codec)) {
    throw new FlowError("FLOW_ARTIFACT_CODEC_TAKEN", {
      message: `Cannot register the class ${codec.class.name} as "${codec.name}": a different class ${earlier.class.name} has this name`,
      hint: "Give one of the two another name",
      context: { name: codec.name, class: codec.class.name, earlierClass: earlier.class.name },
    });
  }
  const other = byClass.get(codec.class);
  if (other !== undefined && other.name !== codec.name) {
    throw badCodec(codec, `its class is registered as "${other.name}" already`, "Keep one name for a class");
  }
  byClass.set(codec.class, codec);
  byName.set(codec.name, codec);
}

/**
 * One module loaded twice: by the same text; or by the same class name in the same source file, because a program or a test
 * that imports a class, and then runs the flow that uses it, has it from two loaders that write it differently.
 */
function isSameClass(earlier: ClassCodec, codec: ClassCodec): boolean {
  if (earlier.source === codec.source) return true;
  const file = locate(codec.site)?.file;
  // Evaluated text has no file of its own: "<anonymous>" stands where it would be.
  if (file === undefined || file.includes("<")) return false;
  return earlier.class.name === codec.class.name && locate(earlier.site)?.file === file;
}

export function badCodec(codec: Pick<ClassCodec, "name" | "class">, reason: string, hint: string): FlowError {
  return new FlowError("FLOW_ARTIFACT_BAD_CODEC", {
    message: `Cannot register the class ${codec.class.name} as "${codec.name}": ${reason}`,
    hint,
    context: { name: codec.name, class: codec.class.name },
  });
}

function reasonAgainst(name: unknown): string | undefined {
  if (typeof name !== "string") return "options need a name, which is a text";
  if (name.startsWith("js.")) return 'names that start with "js." are reserved';
  if (name.length > 128) return `it has ${name.length} characters, the limit is 128`;
  return NAME.test(name) ? undefined : "it is no name";
}

const NAME = /^@?[A-Za-z][\w$-]*(?:[./][A-Za-z_$][\w$-]*)*$/;

function checkName(name: string): void {
  const reason = reasonAgainst(name);
  if (reason === undefined) return;
  throw new FlowError("FLOW_ARTIFACT_BAD_CODEC", {
    message: `Cannot register a class as "${name}": ${reason}`,
    hint: "Write your project and the class, such as acme.Modeler",
    context: { name },
  });
}
