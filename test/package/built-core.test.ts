import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const core = fileURLToPath(new URL("../../packages/core", import.meta.url));
const builtUrl = (entry: string): string => pathToFileURL(path.join(core, "dist", `${entry}.js`)).href;

/** What a program says that imports the built core. */
function say(program: string): unknown {
  return JSON.parse(execFileSync(process.execPath, ["--input-type=module", "--eval", program], { encoding: "utf8" }));
}

// Its files are merged from chunks, whose names for things may be the same.
test.each([
  ["index", "index"],
  ["internal", "internal"],
  ["testing", "testing/index"],
])("the built %s exports what its sources export", async (entry, source) => {
  const facts = `(exported) => Object.fromEntries(
    Object.entries(exported).map(([name, value]) => [name, [typeof value, typeof value === "function" ? value.length : null]]))`;
  const built = say(`console.log(JSON.stringify((${facts})(await import("${builtUrl(entry)}"))));`);
  const sources = await import(pathToFileURL(path.join(core, "src", `${source}.ts`)).href);
  // biome-ignore lint/security/noGlobalEval: the same question to both.
  expect(built).toEqual(eval(facts)(sources));
});

test("the built z is zod, which is loaded when something of it is asked for", async () => {
  const said = say(
    `import { createRequire } from "node:module";
     const isLoaded = () => Object.keys(createRequire(import.meta.url).cache).some((file) => file.endsWith("zod.cjs"));
     const { z } = await import("${builtUrl("index")}");
     const before = isLoaded();
     const schema = z.string();
     console.log(JSON.stringify({ before, after: isLoaded(), isString: schema instanceof z.ZodString, names: Object.keys(z),
       hasString: "string" in z, hasNothing: "nothing" in z, keeps: Reflect.set(z, "string", 1) }));`,
  );
  const { z } = await import("../../packages/core/src/util/zod.ts");
  expect(said).toEqual({
    before: false,
    after: true,
    isString: true,
    names: expect.anything(),
    hasString: true,
    hasNothing: false,
    keeps: false,
  });
  expect([...(said as { names: string[] }).names].sort()).toEqual(Object.keys(z).sort());
});

test("the built zod speaks other languages", () => {
  const said = say(
    `const { z } = await import("${builtUrl("index")}");
     z.config(z.locales.de());
     console.log(JSON.stringify([z.string().safeParse(1).error.issues[0].message, Object.keys(z.locales).length > 50]));`,
  );
  expect(said).toEqual(["Ungültige Eingabe: erwartet string, erhalten Zahl", true]);
});

describe("the driver of SQLite, most of which is in the bundle", () => {
  let folder: string;
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-driver-"));
  });
  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

  const OPEN = `const { planStores } = await import(built);
    const stores = planStores({ store: folder + "/store", cwd: folder, environment: {}, create: true });
    await stores.open();`;
  const program = (built: string, text: string): unknown =>
    say(`import { createRequire } from "node:module";
      const [folder, built] = ${JSON.stringify([folder, built])};
      const require = createRequire(${JSON.stringify(path.join(core, "package.json"))});
      ${text}`);

  test.each([
    ["behind core", `${OPEN} const Database = require("better-sqlite3");`],
    ["before core", `const Database = require("better-sqlite3"); new Database(":memory:").close(); ${OPEN}`],
  ])("a program that uses the package itself, %s, recognises its errors", (_, load) => {
    const said = program(
      builtUrl("internal"),
      `${load}
      let error;
      try { new Database(":memory:").prepare("nonsense"); } catch (thrown) { error = thrown; }
      await stores.close();
      console.log(JSON.stringify([error instanceof Database.SqliteError, error.code]));`,
    );
    expect(said).toEqual([true, "SQLITE_ERROR"]);
  });

  test("of another version, all is taken from the package", () => {
    const place = path.join(folder, "node_modules/@millrace/core");
    fs.cpSync(path.join(core, "dist"), path.join(place, "dist"), { recursive: true });
    fs.copyFileSync(path.join(core, "package.json"), path.join(place, "package.json"));
    const other = path.join(folder, "node_modules/better-sqlite3");
    fs.mkdirSync(other);
    fs.writeFileSync(path.join(other, "package.json"), '{ "name": "better-sqlite3", "version": "0.0.1" }');
    fs.writeFileSync(
      path.join(other, "index.js"),
      `globalThis.whole = true; module.exports = require(${JSON.stringify(path.join(core, "node_modules/better-sqlite3"))});`,
    );
    const said = program(
      pathToFileURL(path.join(place, "dist/internal.js")).href,
      `${OPEN} await stores.close(); console.log(JSON.stringify(globalThis.whole));`,
    );
    expect(said).toBe(true);
  });
});
