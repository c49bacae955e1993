/**
 * What a run may leave in its thread that tasks of one run may share, and another run is not to see: variables of globalThis and
 * process under symbols or hidden names (where libraries keep what they have once), and the settings of zod. It takes longer than a look after
 * each task may, and is made once, when a run is over.
 */
import { z } from "../../util/zod.ts";

const ZOD_CONFIG = "__zod_globalConfig";
/** The settings are compared by themselves. In the registry, a schema with an id takes the place of the one that an earlier run had. */
const OF_ZOD: ReadonlySet<unknown> = new Set([ZOD_CONFIG, "__zod_globalRegistry"]);
/** Listeners are looked at by what knows them. */
const OF_LISTENERS: ReadonlySet<unknown> = new Set(["_events", "_eventsCount"]);
/** Of the language, and never loaded late; reading those of the platform would load what they stand for. */
const LANGUAGE: ReadonlySet<unknown> = new Set(
  [
    "Array ArrayBuffer Atomics BigInt BigInt64Array BigUint64Array Boolean DataView Date Error EvalError FinalizationRegistry",
    "Float32Array Float64Array Function Int16Array Int32Array Int8Array Intl Iterator JSON Map Math Number Object Promise Proxy",
    "RangeError ReferenceError Reflect RegExp Set SharedArrayBuffer String Symbol SyntaxError TypeError URIError Uint16Array",
    "Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakRef WeakSet decodeURI decodeURIComponent encodeURI encodeURIComponent",
    "escape eval isFinite isNaN parseFloat parseInt unescape",
  ].flatMap((names) => names.split(" ")),
);
const all = (): boolean => true;

type Values = ReadonlyMap<string | symbol, unknown>;

export class RunTraces {
  readonly #globals = globals();
  readonly #process = valuesOf(process, all);
  #zod: Values | undefined;

  /** Zod was loaded, and no code of the flow yet. Its settings have their defaults from the first schema on. */
  zodIsLoaded(): void {
    if (this.#zod !== undefined) return;
    z.string();
    this.#zod = zodConfig();
  }

  /** Whether nothing is left. */
  areNone(): boolean {
    const zod = zodConfig();
    if (zod !== undefined && (this.#zod === undefined || !areEqual(zod, this.#zod))) return false;
    return areEqual(globals(), this.#globals) && areEqual(valuesOf(process, all), this.#process);
  }
}

function zodConfig(): Values | undefined {
  const config = (globalThis as Readonly<Record<string, unknown>>)[ZOD_CONFIG];
  return config === undefined ? undefined : valuesOf(config as object, all);
}

function globals(): Values {
  return valuesOf(globalThis, (key) => typeof key === "symbol" || LANGUAGE.has(key));
}

/** All own keys but those of Millrace, and the values of those that may be read. Accessors are those of the platform. */
function valuesOf(holder: object, isRead: (key: string | symbol) => boolean): Values {
  const values = new Map<string | symbol, unknown>();
  for (const key of Reflect.ownKeys(holder)) {
    if (OF_ZOD.has(key) || OF_LISTENERS.has(key)) continue;
    if (typeof key === "symbol" && key.description?.startsWith("millrace.") === true) continue;
    const property = isRead(key) ? Object.getOwnPropertyDescriptor(holder, key) : undefined;
    values.set(key, property !== undefined && "value" in property ? property.value : undefined);
  }
  return values;
}

function areEqual(now: Values, before: Values): boolean {
  if (now.size !== before.size) return false;
  for (const [key, value] of now) if (!before.has(key) || !Object.is(value, before.get(key))) return false;
  return true;
}
