import { describe, expect, it, test } from "vitest";
import { decodeCbor } from "../cbor/decode.ts";
import { encodeCbor } from "../cbor/encode.ts";
import { StoredInstance } from "../cbor/kept-values.ts";
import { defineCodec, storable } from "./define-codec.ts";
import { type AnyClass, codecByName } from "./registry.ts";

const encode = (value: unknown): Buffer => Buffer.concat(encodeCbor(value));
const copy = (value: unknown): unknown => decodeCbor(encode(value));

/** Evaluates a class anew, as a second load of its module does. */
function load(field: string): new () => object {
  return new Function(
    "storable",
    `class Loaded { ${field} = 1 }; storable({ name: "test.Loaded" })(Loaded, { kind: "class" }); return Loaded`,
  )(storable) as new () => object;
}

describe("@storable", () => {
  it("keeps own properties and gives an instance of the class without calling its constructor", () => {
    let calls = 0;
    @storable({ name: "test.Modeler" })
    class Modeler {
      weights = [1, 2];
      readonly name: string;
      constructor(name: string) {
        calls++;
        this.name = name;
      }
      get size(): number {
        return this.weights.length;
      }
    }
    const copied = copy(new Modeler("forest")) as Modeler;
    expect(copied).toBeInstanceOf(Modeler);
    expect(copied).toEqual({ weights: [1, 2], name: "forest" });
    expect(copied.size).toBe(2);
    expect(calls).toBe(1);
  });

  it("does not call a setter of the class when reading", () => {
    let calls = 0;
    @storable({ name: "test.Setter" })
    class Setter {
      set value(_: number) {
        calls++;
      }
    }
    const instance = new Setter();
    Object.defineProperty(instance, "value", { value: 3, enumerable: true });
    expect(Object.getOwnPropertyDescriptor(copy(instance), "value")).toMatchObject({ value: 3, enumerable: true });
    expect(calls).toBe(0);
  });

  it("encodes a property that is no data with the path to it", () => {
    @storable({ name: "test.Bound" })
    class Bound {
      predict = () => 1;
    }
    expect(() => encodeCbor([new Bound()], { path: "this.models" })).toThrow(
      "Cannot save this.models[0].predict: the function predict is not data",
    );
  });

  it("turns data of an older version into data of this one", () => {
    @storable({ name: "test.Versioned", version: 3, upgrade: (data, from) => ({ ...(data as object), from }) })
    class Versioned {
      a = 0;
    }
    const old = encode(new StoredInstance("test.Versioned@1", { a: 5 }));
    const upgraded = decodeCbor(old) as Versioned;
    expect(upgraded).toBeInstanceOf(Versioned);
    expect(upgraded).toEqual({ a: 5, from: 1 });
    expect(() => decodeCbor(encode(new StoredInstance("test.Versioned@4", {})))).toThrow(
      expect.objectContaining({
        code: "FLOW_ARTIFACT_CODEC_VERSION",
        message: expect.stringContaining("stored by version 4 of the class, and this code knows version 3") as string,
      }),
    );
  });

  it("says that an upgrade function is missing", () => {
    @storable({ name: "test.NoUpgrade", version: 2 })
    class NoUpgrade {}
    void NoUpgrade;
    expect(() => decodeCbor(encode(new StoredInstance("test.NoUpgrade@1", {})))).toThrow(
      expect.objectContaining({
        code: "FLOW_ARTIFACT_CODEC_VERSION",
        hint: 'Give "test.NoUpgrade" an upgrade function',
      }),
    );
  });

  it("refuses what the default codec would lose", () => {
    expect(() => {
      @storable({ name: "test.Private" })
      class Private {
        #weights = [1];
        get size() {
          return this.#weights.length;
        }
      }
      return Private;
    }).toThrow(
      expect.objectContaining({
        code: "FLOW_ARTIFACT_BAD_CODEC",
        message: expect.stringContaining("#private") as string,
      }),
    );
    expect(() => {
      @storable({ name: "test.Table" })
      class Table extends Map<string, number> {}
      return Table;
    }).toThrow(
      expect.objectContaining({
        code: "FLOW_ARTIFACT_BAD_CODEC",
        message: expect.stringContaining("extends Map") as string,
      }),
    );
  });

  it("keeps such classes by encode and decode", () => {
    @storable<Table, [string, number][]>({
      name: "test.CodedTable",
      encode: (table) => [...table],
      decode: (rows) => new Table(rows),
    })
    class Table extends Map<string, number> {
      total(): number {
        return [...this.values()].reduce((sum, value) => sum + value, 0);
      }
    }
    expect(
      (
        copy(
          new Table([
            ["a", 1],
            ["b", 2],
          ]),
        ) as Table
      ).total(),
    ).toBe(3);
  });

  it("is refused in the legacy form of decorators, which gives no context", () => {
    const legacy = storable({ name: "test.Legacy" }) as unknown as (target: AnyClass) => void;
    expect(() => legacy(class Legacy {})).toThrow("compiled in the legacy way");
  });

  // Without a compiler nothing says that a name is missing: `@storable("test.Point")`.
  const none = undefined as unknown as string;
  test.each(["js.Map", "", "a b", "../x", "a..b", "x".repeat(129), "a@2", none])(
    "is refused with the name %j",
    (name) => {
      expect(() => storable({ name })(class {}, { kind: "class" } as ClassDecoratorContext)).toThrow(
        expect.objectContaining({ code: "FLOW_ARTIFACT_BAD_CODEC" }),
      );
    },
  );
});

describe("the registry", () => {
  it("survives a module that is loaded twice: instances of both loads encode, the later one is decoded to", () => {
    const [First, Second] = [load("a"), load("a")];
    expect(First).not.toBe(Second);
    expect(encode(new First()).equals(encode(new Second()))).toBe(true);
    expect(copy(new First())).toBeInstanceOf(Second);
  });

  it("knows a class of one file again when another loader wrote it differently, as a test's and the flow's", () => {
    const write = (text: string) => new Function(`return class Rewritten { ${text} }`)() as new () => object;
    const [First, Second] = [write("a = 1;"), write("a;constructor() { this.a = 1; }")];
    for (const Class of [First, Second])
      storable({ name: "test.Rewritten" })(Class, { kind: "class" } as ClassDecoratorContext);
    expect(encode(new First()).equals(encode(new Second()))).toBe(true);
    expect(copy(new First())).toBeInstanceOf(Second);
  });

  it("refuses a different class of the same name, and keeps the first", () => {
    const First = load("a");
    expect(() => load("b")).toThrow(
      expect.objectContaining({
        code: "FLOW_ARTIFACT_CODEC_TAKEN",
        context: { name: "test.Loaded", class: "Loaded", earlierClass: "Loaded" },
      }),
    );
    expect(codecByName("test.Loaded")?.class).toBe(First);
  });

  it("refuses a second name for a class", () => {
    class Twice {}
    const define = (name: string) => defineCodec({ name, class: Twice, encode: () => 1, decode: () => new Twice() });
    define("test.Twice");
    expect(() => define("test.Twice2")).toThrow(expect.objectContaining({ code: "FLOW_ARTIFACT_BAD_CODEC" }));
  });

  it("is one for two copies of core", async () => {
    // Another query string makes Node.js and vite load the module again, as a second copy in node_modules would be.
    const copyOfCore = (await import(`./registry.ts?${"copy"}`)) as typeof import("./registry.ts");
    const First = load("a");
    expect(copyOfCore.codecByName).not.toBe(codecByName);
    expect(copyOfCore.codecByName("test.Loaded")?.class).toBe(First);
  });
});

describe("an instance of an unknown class", () => {
  const stored = new StoredInstance("elsewhere.Thing@2", { size: 3 });

  it("is readable and encodes to the same bytes", () => {
    const decoded = copy(stored) as StoredInstance;
    expect(decoded).toEqual(stored);
    expect(encode(decoded).equals(encode(stored))).toBe(true);
  });

  it("is refused where the class is needed, naming it", () => {
    expect(() => decodeCbor(encode([stored]), { unknownClasses: "refuse" })).toThrow(
      expect.objectContaining({
        code: "FLOW_ARTIFACT_UNKNOWN_CLASS",
        message: 'Cannot read an instance of "elsewhere.Thing@2": no class is registered under this name',
        hint: 'Import the file or package that registers "elsewhere.Thing" with @storable or defineCodec()',
      }),
    );
  });
});

describe("a codec that throws", () => {
  class Broken {}
  defineCodec({
    name: "test.Broken",
    class: Broken,
    encode: (): unknown => {
      throw new TypeError("no weights");
    },
    decode: () => {
      throw new TypeError("no forest");
    },
  });

  it("is named with the path when saving", () => {
    expect(() => encode({ model: new Broken() })).toThrow(
      'Cannot save this.model: the encode function of "test.Broken@1" threw TypeError: no weights',
    );
  });

  it("is named when reading", () => {
    expect(() => decodeCbor(encode(new StoredInstance("test.Broken@1", 1)))).toThrow(
      expect.objectContaining({
        code: "FLOW_ARTIFACT_CODEC_FAILED",
        message: 'Cannot read an instance of "test.Broken@1": its decode function threw TypeError: no forest',
      }),
    );
  });
});
