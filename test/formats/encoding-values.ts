/** Values that the encoding keeps, and values that it refuses: the tables behind docs/formats/encoding.md. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { runInNewContext } from "node:vm";
import { StoredInstance, Tagged } from "../../packages/core/src/artifact/cbor/kept-values.ts";
import { defineCodec, storable } from "../../packages/core/src/artifact/codecs/define-codec.ts";

@storable({ name: "test.Point" })
export class Point {
  declare x: number;
  declare y: number;
  constructor(x: number, y: number) {
    this.x = x;
    this.y = y;
  }
}

@storable({ name: "test.Node" })
export class Node {
  declare label: string;
  declare children: Node[];
  declare parent: Node | undefined;
  constructor(label: string, parent?: Node) {
    this.label = label;
    this.children = [];
    this.parent = parent;
    parent?.children.push(this);
  }
}

export class Money {
  readonly #cents: bigint;
  constructor(cents: bigint) {
    this.#cents = cents;
  }
  get cents(): bigint {
    return this.#cents;
  }
}
defineCodec<Money, bigint>({
  name: "@test/money.Money",
  class: Money,
  version: 3,
  encode: (money) => money.cents,
  decode: (data) => new Money(data),
});

export class Loop {
  declare inner: unknown;
}
defineCodec<Loop, unknown>({
  name: "test.Loop",
  class: Loop,
  encode: (loop) => [loop.inner],
  decode: (data) => Object.assign(new Loop(), { inner: (data as unknown[])[0] }),
});

class ValidationError extends TypeError {
  override name = "ValidationError";
  readonly field: string;
  constructor(message: string, field: string, options?: ErrorOptions) {
    super(message, options);
    this.field = field;
  }
}

/** Stacks hold paths of this machine: a fixed one keeps the golden bytes equal everywhere. */
function withStack<E extends Error>(error: E): E {
  Object.defineProperty(error, "stack", {
    value: `${error.name}: ${error.message}`,
    configurable: true,
    writable: true,
  });
  return error;
}

function cyclicObject(): unknown {
  const object: Record<string, unknown> = { name: "self" };
  object.self = object;
  return object;
}

function cyclicCollections(): unknown {
  const map = new Map<unknown, unknown>();
  const set = new Set<unknown>([map]);
  map.set("set", set);
  map.set("list", [set, map]);
  return map;
}

function sharedEverything(): unknown {
  const [object, list, date, bytes, instance] = [{}, [1], new Date(5), Buffer.from("ab"), new Point(1, 2)];
  return { first: [object, list, date, bytes, instance], second: [instance, bytes, date, list, object] };
}

function tree(): Node {
  const root = new Node("root");
  new Node("right", new Node("left", root));
  new Node("other", root);
  return root;
}

function withHoles(length: number, entries: Readonly<Record<number, unknown>>): unknown[] {
  const array: unknown[] = new Array(length);
  for (const [index, value] of Object.entries(entries)) array[Number(index)] = value;
  return array;
}

const float16 = (globalThis as unknown as { Float16Array?: new (values: readonly number[]) => object }).Float16Array;

/** A class without a codec comes back as its nearest built-in one; all else is kept. */
function checkValidationError(decoded: unknown): void {
  ok(decoded instanceof TypeError);
  const { name, message, stack, cause, field } = decoded as ValidationError;
  deepEqual(
    { name, message, stack, field },
    { name: "ValidationError", message: "too large", stack: "ValidationError: too large", field: "size" },
  );
  ok(cause instanceof RangeError && cause.message === "limit");
}

const table: readonly (readonly [name: string, make: () => unknown, check?: (decoded: unknown) => void])[] = [
  ["undefined", () => undefined],
  ["null", () => null],
  ["true", () => true],
  ["false", () => false],
  ["zero", () => 0],
  ["minus zero", () => -0],
  ["23, the last in the first byte", () => 23],
  ["24", () => 24],
  ["255", () => 255],
  ["256", () => 256],
  ["65536", () => 65_536],
  ["2^32", () => 2 ** 32],
  ["largest safe integer", () => Number.MAX_SAFE_INTEGER],
  ["smallest safe integer", () => Number.MIN_SAFE_INTEGER],
  ["-1", () => -1],
  ["2^60, a float", () => 2 ** 60],
  ["half float 1.5", () => 1.5],
  ["smallest half float", () => 2 ** -24],
  ["half float 0.333251953125", () => 0.333_251_953_125],
  ["single float", () => Math.fround(0.1)],
  ["double 0.1", () => 0.1],
  ["smallest double", () => Number.MIN_VALUE],
  ["largest double", () => Number.MAX_VALUE],
  ["infinities", () => [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
  ["NaN", () => Number.NaN],
  ["BigInt 0n", () => 0n],
  ["BigInt 5n", () => 5n],
  ["BigInt -5n", () => -5n],
  ["BigInt of 64 bits", () => [2n ** 53n, 2n ** 64n - 1n, -(2n ** 53n), -(2n ** 64n)]],
  ["BigInt of 65 bits", () => [2n ** 64n, -(2n ** 64n) - 1n]],
  ["empty text", () => [""]],
  ["ASCII text", () => ["workflow"]],
  ["text of 24 characters", () => ["abcdefghijklmnopqrstuvwx"]],
  ["text of four alphabets", () => ["é Ω 漢 😀"]],
  ["replacement character", () => ["\ufffd"]],
  ["lone surrogate", () => "a\ud800b"],
  ["lone surrogates in a key", () => ({ "\udc00\ud800": 1 })],
  ["empty object", () => ({})],
  ["object in its own order", () => ({ y: 1, x: 2, 10: "ten", 2: "two" })],
  ["key __proto__", () => JSON.parse('{"__proto__":{"polluted":true},"constructor":1}')],
  ["property undefined", () => ({ a: undefined })],
  ["null prototype", () => Object.assign(Object.create(null), { a: 1 })],
  ["empty array", () => []],
  ["mixed array", () => [1, "a", null, [2]]],
  ["holes", () => withHoles(5, { 0: 1, 2: undefined, 4: 5 })],
  ["trailing hole", () => withHoles(2, { 0: 1 })],
  ["sparse array", () => withHoles(1_000, { 3: "three", 999: "last" })],
  ["longest sparse array", () => withHoles(4_294_967_295, { 7: true })],
  ["Buffer", () => ({ bytes: Buffer.from([1, 2, 255]) })],
  ["Uint8Array", () => [new Uint8Array([1, 255])]],
  ["Uint8ClampedArray", () => [new Uint8ClampedArray([1, 255])]],
  ["Int8Array", () => [new Int8Array([-1, 127])]],
  ["Uint16Array", () => [new Uint16Array([1, 65_535])]],
  ["Int16Array", () => [new Int16Array([-1, 32_767])]],
  ["Uint32Array", () => [new Uint32Array([1, 4_294_967_295])]],
  ["Int32Array", () => [new Int32Array([-1, 2_147_483_647])]],
  ["BigUint64Array", () => [new BigUint64Array([1n, 2n ** 64n - 1n])]],
  ["BigInt64Array", () => [new BigInt64Array([-1n, 2n ** 63n - 1n])]],
  ...(float16 === undefined ? [] : [["Float16Array", () => [new float16([1.5, Number.NaN])]] as const]),
  ["Float32Array", () => [new Float32Array([1.5, Number.NaN, -0])]],
  ["Float64Array", () => [new Float64Array([0.1, Number.NaN, -0])]],
  ["DataView", () => new DataView(new Uint8Array([1, 2, 3]).buffer)],
  ["ArrayBuffer", () => new Uint8Array([1, 2, 3]).buffer],
  ["Date", () => new Date("2026-11-21T10:30:00Z")],
  ["Date with milliseconds", () => new Date("1969-12-31T23:59:59.123Z")],
  ["Date of the year 20000", () => new Date(Date.UTC(20_000, 0, 1))],
  [
    "invalid Date",
    () => new Date(Number.NaN),
    (decoded) => ok(decoded instanceof Date && Number.isNaN(decoded.getTime())),
  ],
  ["RegExp", () => [/a+b/, /é\/(?<name>x)/giu]],
  ["URL", () => new URL("https://example.org/a?b=c#d")],
  [
    "Map with text keys",
    () =>
      new Map([
        ["b", 1],
        ["a", 2],
      ]),
  ],
  [
    "Map with number keys",
    () =>
      new Map<unknown, unknown>([
        [1.5, "a"],
        ["x", new Map()],
      ]),
  ],
  [
    "Map with other keys",
    () =>
      new Map<unknown, unknown>([
        [1, "number"],
        [1n, "bigint"],
        [true, "boolean"],
        [null, 0],
        [{ a: 1 }, 1],
        [{ a: 1 }, 2],
      ]),
  ],
  [
    "Map with keys that other languages take for one",
    () =>
      new Map<unknown, unknown>([
        [1, "number"],
        [1n, "bigint"],
      ]),
  ],
  ["Set of texts and numbers", () => new Set(["b", "a", 1])],
  ["Set of members that other languages take for one", () => new Set<unknown>([1, true])],
  ["Set of objects", () => new Set<unknown>([{ a: 1 }, { a: 1 }, 1n, 1])],
  ["boxed primitives", () => [Object(1), Object("text"), Object(false), Object(1n)]],
  ["Error", () => withStack(new Error("it broke"))],
  [
    "Error with cause and own property",
    () => withStack(new ValidationError("too large", "size", { cause: withStack(new RangeError("limit")) })),
    checkValidationError,
  ],
  ["AggregateError", () => withStack(new AggregateError([withStack(new Error("one")), "two"], "several"))],
  [
    "shared object",
    () => {
      const object = { a: 1 };
      return { p: object, q: object };
    },
  ],
  [
    "shared objects one after another",
    () => {
      const [one, two] = [{ a: 1 }, { b: 2 }];
      return [one, one, two, two];
    },
  ],
  ["two equal objects", () => ({ p: { a: 1 }, q: { a: 1 } })],
  ["cyclic object", cyclicObject],
  ["cyclic Map and Set", cyclicCollections],
  ["everything shared", sharedEverything],
  [
    "shared null object",
    () => {
      const object = Object.assign(Object.create(null), { a: 1 });
      return [object, object];
    },
  ],
  [
    "Error that is its own cause",
    () => {
      const error = withStack(new Error("round"));
      error.cause = error;
      return error;
    },
    (decoded) => equal((decoded as Error).cause, decoded),
  ],
  ["registered class", () => new Point(1, -2.5)],
  ["registered class, cyclic", tree],
  ["registered class with encode and decode", () => [new Money(12n), new Money(2n ** 70n)]],
  ["instance of an unknown class", () => new StoredInstance("elsewhere.Thing@4", { size: 3 })],
  [
    "cyclic unknown instance",
    () => {
      const data: Record<string, unknown> = {};
      const kept = new StoredInstance("elsewhere.Ring@1", data);
      data.ring = kept;
      return kept;
    },
  ],
  ["unknown tag", () => new Tagged(1_234_567, ["kept", new Tagged(33, "aGk")])],
  ["objects of another realm", () => ({ plain: structuredClone({ a: [1] }) })],
];

/** Every kept value: makers, so that each test has values of its own; `check` where deep equality is not the question. */
export const keptValues = table.map(([name, make, check]) => ({ name, make, check }));

export interface RefusedValue {
  readonly name: string;
  readonly make: () => unknown;
  /** What follows "Cannot save " in the message. */
  readonly says: RegExp;
  readonly path: string;
}

class Socket {}
class SpecialPoint extends Point {}

function match(): unknown {
  return /b/.exec("abc");
}

function throwing(): unknown {
  return {
    get price() {
      throw new Error("no price");
    },
  };
}

function deep(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = [value];
  return value;
}

function detached(): unknown {
  const array = new Float64Array(4);
  structuredClone(array, { transfer: [array.buffer] });
  return array;
}

function changing(): unknown {
  const map = new Map<string, unknown>();
  map.set("a", {
    get grow() {
      map.set("b", 1);
      return 1;
    },
  });
  return map;
}

function loop(): unknown {
  const instance = new Loop();
  instance.inner = { back: instance };
  return instance;
}

export const refusedValues: readonly RefusedValue[] = [
  {
    name: "function",
    make: () => ({ f: function train() {} }),
    says: /the function train is not data/,
    path: "this.f",
  },
  {
    name: "arrow in a Map",
    make: () => new Map([["k", () => 1]]),
    says: /the function \(anonymous\) is not data/,
    path: 'this.get("k")',
  },
  { name: "class", make: () => [Socket], says: /the class Socket is not data/, path: "this[0]" },
  { name: "symbol", make: () => ({ "a b": Symbol("s") }), says: /Symbol\(s\) is not data/, path: 'this["a b"]' },
  { name: "symbol key", make: () => ({ a: { [Symbol("s")]: 1 } }), says: /symbol keys/, path: "this.a" },
  { name: "promise", make: () => ({ a: { p: Promise.resolve(1) } }), says: /a Promise/, path: "this.a.p" },
  { name: "proxy of an object", make: () => [1, new Proxy({}, {})], says: /a Proxy/, path: "this[1]" },
  { name: "proxy of an array", make: () => ({ a: new Proxy([1], {}) }), says: /a Proxy/, path: "this.a" },
  { name: "proxy of a Map", make: () => ({ a: new Proxy(new Map(), {}) }), says: /a Proxy/, path: "this.a" },
  { name: "generator", make: () => ({ g: (function* () {})() }), says: /a generator/, path: "this.g" },
  { name: "iterator", make: () => ({ g: new Map().keys() }), says: /an iterator/, path: "this.g" },
  { name: "WeakMap", make: () => ({ w: new WeakMap() }), says: /a WeakMap/, path: "this.w" },
  { name: "WeakRef", make: () => ({ w: new WeakRef({}) }), says: /a WeakRef/, path: "this.w" },
  { name: "SharedArrayBuffer", make: () => ({ s: new SharedArrayBuffer(8) }), says: /shared memory/, path: "this.s" },
  {
    name: "view of shared memory",
    make: () => ({ s: new Int32Array(new SharedArrayBuffer(8)) }),
    says: /shared memory/,
    path: "this.s",
  },
  {
    name: "resizable ArrayBuffer",
    make: () => ({ s: new ArrayBuffer(8, { maxByteLength: 16 }) }),
    says: /resizable/,
    path: "this.s",
  },
  { name: "transferred array", make: () => ({ s: detached() }), says: /transferred/, path: "this.s" },
  {
    name: "instance without a codec",
    make: () => ({ model: { net: [0, { sock: new Socket() }] } }),
    says: /an instance of Socket has no codec/,
    path: "this.model.net[1].sock",
  },
  {
    name: "subclass of a registered class",
    make: () => ({ p: new SpecialPoint(1, 2) }),
    says: /SpecialPoint has no codec; only its base class is registered, as "test\.Point"/,
    path: "this.p",
  },
  {
    name: "object with a made prototype",
    make: () => ({ p: Object.create({ a: 1 }) }),
    says: /an unknown class has no codec/,
    path: "this.p",
  },
  {
    name: "false Map",
    make: () => ({ p: Object.create(Map.prototype) }),
    says: /an instance of Map has no codec/,
    path: "this.p",
  },
  { name: "result of match()", make: () => ({ m: match() }), says: /array with named properties/, path: "this.m" },
  {
    name: "long array with a named property",
    make: () => ({ m: Object.assign(new Array(1_000).fill(0), { x0: 1 }) }),
    says: /array with named properties/,
    path: "this.m",
  },
  {
    name: "array with a symbol",
    make: () => ({ m: Object.assign([1], { [Symbol("s")]: 1 }) }),
    says: /array with named properties/,
    path: "this.m",
  },
  {
    name: "sparse array with a named property",
    make: () => ({ m: Object.assign(new Array(1_000), { x0: 1 }) }),
    says: /array with named properties/,
    path: "this.m",
  },
  {
    name: "typed array with a named property",
    make: () => ({ m: Object.assign(new Float64Array(100), { label: 1 }) }),
    says: /typed array with named properties/,
    path: "this.m",
  },
  {
    name: "Map with own properties",
    make: () => ({ m: Object.assign(new Map(), { label: 1 }) }),
    says: /a Map with own properties/,
    path: "this.m",
  },
  {
    name: "Set with own properties",
    make: () => [Object.assign(new Set(), { label: 1 })],
    says: /a Set with own properties/,
    path: "this[0]",
  },
  {
    name: "Date with own properties",
    make: () => [Object.assign(new Date(), { label: 1 })],
    says: /a Date with own properties/,
    path: "this[0]",
  },
  {
    name: "RegExp in a match",
    make: () => {
      const pattern = /a/g;
      pattern.test("aa");
      return { pattern };
    },
    says: /in the middle of a match/,
    path: "this.pattern",
  },
  {
    name: "member of a Set",
    make: () => new Set([{ f: () => 1 }]),
    says: /the function f/,
    path: "this.values()[0].f",
  },
  {
    name: "key of a Map",
    make: () => new Map([[{ f: () => 1 }, 1]]),
    says: /the function f/,
    path: "this.keys()[0].f",
  },
  {
    name: "property of an Error",
    make: () => ({ e: Object.assign(new Error("x"), { socket: new Socket() }) }),
    says: /Socket/,
    path: "this.e.socket",
  },
  {
    name: "data of a codec",
    make: () => Object.assign(new Loop(), { inner: () => 1 }),
    says: /the function/,
    path: "this[0]",
  },
  { name: "cycle through a codec", make: loop, says: /leads back to an instance/, path: "this[0].back" },
  {
    name: "1,001 levels",
    make: () => deep(1_001),
    says: /deeper than 1000 levels/,
    path: `this${"[0]".repeat(1_000)}`,
  },
  {
    name: "getter that throws",
    make: () => ({ item: throwing() }),
    says: /reading it threw Error: no price/,
    path: "this.item.price",
  },
  {
    name: "Map that changes",
    make: () => ({ map: changing() }),
    says: /changed while it was being saved/,
    path: "this.map",
  },
  {
    name: "Map of another realm",
    make: () => ({ map: runInNewContext("new Map()") }),
    says: /a Map of another realm/,
    path: "this.map",
  },
  { name: "module", make: () => ({ math: new Proxy(Math, {}) }), says: /a Proxy/, path: "this.math" },
  { name: "Math", make: () => ({ math: Math }), says: /symbol keys/, path: "this.math" },
  {
    name: "Tagged with a known tag",
    make: () => [new Tagged(1, 5)],
    says: /has a meaning of its own/,
    path: "this[0]",
  },
  {
    name: "StoredInstance with a reserved name",
    make: () => [new StoredInstance("js.Map", [])],
    says: /reserved name/,
    path: "this[0]",
  },
];
