/**
 * Decodes hostile bytes, as many as it is told, and prints one line of JSON about what came of it. A program of its own,
 * so that its heap can be small: node --max-old-space-size=256 decode-program.ts COUNT SEED
 */
import { zstdCompressSync } from "node:zlib";
import { decodeCbor } from "../../packages/core/src/artifact/cbor/decode.ts";
import { compress, decompress } from "../../packages/core/src/artifact/compression.ts";
import { ItemPageWriter, readItem, storedItems } from "../../packages/core/src/artifact/item-pages.ts";
import { decodeValue, encodeValue } from "../../packages/core/src/artifact/value-codec.ts";
import { seededRandom } from "../../packages/core/src/flow/random.ts";
import * as rows from "../../packages/core/src/metadata/sql/rows.ts";
import { readTar, writeTar } from "../../packages/core/src/util/tar.ts";

const [count, seed] = process.argv.slice(2).map(Number) as [number, number];
const random = seededRandom(`millrace:hostile:${seed}`);
const below = (limit: number): number => Math.floor(random() * limit);
const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;

const LIMIT_MS = 1_000;
const CODECS = ["cbor", "text", "bytes", "float64", "int32", "biguint64", "item-page", "no-such", "__proto__", ""];
const KEYS = ["__proto__", "constructor", "then", "toString", "a", "", "é", "x".repeat(300)];

function value(depth: number): unknown {
  const kind = below(depth > 3 ? 6 : 13);
  switch (kind) {
    case 0:
      return below(2 ** 31) - 2 ** 30;
    case 1:
      return random() * 1e9;
    case 2:
      return pick(["", "text", "\u{1f33e}", "\0\x1b[31m", "x".repeat(below(400))]);
    case 3:
      return pick([null, undefined, true, false, Number.NaN, -0, 2n ** 70n, -5n]);
    case 4:
      return Buffer.alloc(below(64), below(256));
    case 5:
      return new Date(below(2 ** 40));
    case 6:
      return Array.from({ length: below(6) }, () => value(depth + 1));
    case 7:
      return new Map(Array.from({ length: below(5) }, () => [value(depth + 1), value(depth + 1)] as const));
    case 8:
      return new Set(Array.from({ length: below(5) }, () => value(depth + 1)));
    case 9:
      return new Float64Array(below(20)).fill(random());
    case 10:
      return pick([/a+b/gi, new URL("https://example.org/a?b"), new Error("message"), new Uint16Array(3)]);
    case 11: {
      const shared = [value(depth + 1)];
      return { left: shared, right: shared };
    }
    default:
      return Object.fromEntries(Array.from({ length: below(6) }, () => [pick(KEYS), value(depth + 1)]));
  }
}

/** Bytes with some flipped, cut, doubled, filled with heads of CBOR, or replaced by a bomb. */
function mutated(bytes: Uint8Array): Uint8Array {
  const out = Buffer.from(bytes);
  for (let times = 1 + below(4); times > 0 && out.length > 0; times--) {
    const at = below(out.length);
    switch (below(6)) {
      case 0:
        out[at] = below(256);
        break;
      case 1:
        out[at] = pick([0x9b, 0xbb, 0x5b, 0x7b, 0xdb, 0x9f, 0xff, 0xf7, 0xd8, 0x1b]);
        break;
      case 2:
        return out.subarray(0, at);
      case 3:
        return Buffer.concat([out.subarray(0, at), out]);
      case 4:
        out.fill(below(256), at, Math.min(out.length, at + 8));
        break;
      default:
        return Buffer.concat([out.subarray(0, at), bomb(), out.subarray(at)]);
    }
  }
  return out;
}

/** Small bytes that claim to be much: depth, declared lengths, and values that refer to each other. */
function bomb(): Uint8Array {
  switch (below(7)) {
    case 0:
      return Buffer.alloc(1 + below(200_000), 0x81); // arrays in arrays
    case 1:
      return Buffer.alloc(1 + below(100_000), Buffer.from([0xa1, 0x61, 0x61])); // maps in maps
    case 2:
      return Buffer.from([pick([0x9b, 0xbb, 0x5b, 0x7b]), 0, 0, below(256), 0xff, 0xff, 0xff, 0xff, 0xff]);
    case 3:
      return Buffer.from([pick([0x9a, 0xba, 0x5a, 0x7a]), 0x7f, 0xff, 0xff, 0xff]);
    case 4:
      return Buffer.alloc(1 + below(50_000), Buffer.from([0xd8, below(256)])); // tags on tags
    case 5:
      return Buffer.concat([Buffer.from([0x9a, 0, 1, 0, 0]), Buffer.alloc(65_536, 0x80)]);
    default:
      return Buffer.from([0xd8, 0x1c, 0x82, 0xd8, 0x1d, 0, 0xd8, 0x1d, below(256)]); // shared values
  }
}

const NO_FRAME = zstdCompressSync(Buffer.alloc(0));
/** 1.5 KB that are 50 MB. */
const LARGE_FRAME = zstdCompressSync(Buffer.alloc(50e6));
const MANY_FRAMES = Buffer.concat(new Array(20_000).fill(NO_FRAME));
const SIZES = [0, -1, 5, 1.5, Number.NaN, 1e15, 2 ** 53, 600, 30_000, 5_000_000];
const ARCHIVE = writeTar([
  ["flow.json", Buffer.from("{}")],
  ["a", Buffer.alloc(2_000)],
]);
const TEXTS = [
  "",
  "{",
  "null",
  "5",
  "[]",
  "{}",
  '{"__proto__":{"polluted":1}}',
  `${"[".repeat(100_000)}`,
  '"x"',
  "[1]",
  '["a"]',
];
const NUMBERS = [0, -1, 1, 2 ** 53, -(2 ** 63), 1e300, Number.NaN];

/** Rows of tables as a hostile store would give them. */
function hostileRow(): unknown {
  const text = () => pick(TEXTS);
  const number = () => pick(NUMBERS);
  const maybe = <T>(given: T) => (below(3) === 0 ? null : given);
  const good = below(2) === 0;
  const run = {
    sequence: number(),
    id: text(),
    flow: 1,
    project: text(),
    flow_name: text(),
    number: number(),
    status: text(),
    created_at: good ? 5 : number(),
    started_at: maybe(good ? 5 : number()),
    finished_at: maybe(good ? 5 : number()),
    environment: good ? "{}" : text(),
    system_tags: text(),
    parameters: text(),
    secret_parameters: text(),
    package_digest: maybe(Buffer.alloc(below(40))),
    failure: maybe(text()),
    end_task: maybe(number()),
    execution: 1,
    origin: maybe(text()),
    origin_facts: maybe(text()),
    parent: maybe(text()),
  };
  const execution = { runner: text(), started_at: number(), heartbeat_at: number() };
  switch (below(3)) {
    case 0:
      return rows.toRunRow(run as never, [text()], (below(3) === 0 ? undefined : execution) as never);
    case 1:
      return rows.toExecutionRow({
        ...run,
        ...execution,
        run: 1,
        actor: text(),
        command: text(),
        options: text(),
        ended_at: maybe(number()),
      } as never);
    default:
      return rows.toTaskRow({
        ...run,
        run: 1,
        step: text(),
        path: text(),
        attempt: 1,
        inherits: null,
        item_digest: maybe(Buffer.alloc(below(40))),
        origin_kind: null,
        duration_ms: null,
        cancelled_by: null,
        fan_out: null,
        choice: null,
        error: maybe(text()),
        value_reads: maybe(text()),
        started_at: number(),
      } as never);
  }
}

/** Each makes its input, and gives what is done with it: that alone is timed. */
const attempts: readonly (readonly [name: string, prepare: () => () => unknown])[] = [
  ["cbor", () => on(mutated(payloadOf(value(0))), decodeCbor)],
  ["bomb", () => on(bomb(), decodeCbor)],
  ["codec", () => on(mutated(payloadOf(value(0))), (bytes) => decodeValue(pick(CODECS), bytes))],
  ["page", () => on(mutated(page()), storedItems)],
  ["item", () => on(mutated(page()), (bytes) => readItem(bytes, pick([0, 1, 5, 2 ** 31, 1e15])))],
  ["zstd", () => on(mutated(frames()), (bytes) => decompress(bytes, pick(SIZES)))],
  ["row", () => hostileRow],
  ["tar", () => on(mutated(ARCHIVE), readTar)],
];

function on(bytes: Uint8Array, work: (bytes: Uint8Array) => unknown): () => unknown {
  return () => work(bytes);
}

function payloadOf(of: unknown): Uint8Array {
  return Buffer.concat(encodeValue([of]).chunks);
}

function page(): Uint8Array {
  const writer = new ItemPageWriter();
  for (let items = 1 + below(5); items > 0; items--) writer.add(value(1));
  return Buffer.concat(writer.finish()[0]!.encoded.chunks);
}

function frames(): Uint8Array {
  const kind = below(4);
  if (kind < 2) return [LARGE_FRAME, MANY_FRAMES][kind]!;
  return Buffer.concat(compress([Buffer.alloc(600 * below(100), below(256))], 60_000) ?? [NO_FRAME]);
}

const wrong: unknown[] = [];
const slow: unknown[] = [];
const codes = new Map<string, number>();
let values = 0;
let slowest = 0;
for (let index = 0; index < count; index++) {
  const [name, prepare] = attempts[index % attempts.length]!;
  const run = prepare();
  const begin = process.cpuUsage();
  try {
    run();
    values++;
  } catch (error) {
    const code = (error as { readonly code?: unknown }).code;
    if (typeof code === "string" && /^FLOW_(?!INTERNAL)/.test(code)) codes.set(code, (codes.get(code) ?? 0) + 1);
    else if (wrong.length < 5)
      wrong.push({ index, name, error: String((error as Error)?.stack ?? error).slice(0, 600) });
  }
  const used = process.cpuUsage(begin);
  const tookMs = (used.user + used.system) / 1_000; // of the processor: a machine may have much else to do
  slowest = Math.max(slowest, tookMs);
  if (tookMs > LIMIT_MS && slow.length < 5) slow.push({ index, name, tookMs });
}
const isPolluted = "polluted" in {} || Object.keys(Object.prototype).length > 0;
const maxRssMb = Math.round(process.resourceUsage().maxRSS / 1024);
console.log(
  JSON.stringify({ count, values, codes: Object.fromEntries(codes), wrong, slow, slowest, isPolluted, maxRssMb }),
);
