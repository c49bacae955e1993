import { execFileSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, test } from "vitest";

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

test("the built zod speaks other languages", () => {
  const said = say(
    `const { z } = await import("${builtUrl("index")}");
     z.config(z.locales.de());
     console.log(JSON.stringify([z.string().safeParse(1).error.issues[0].message, Object.keys(z.locales).length > 50]));`,
  );
  expect(said).toEqual(["Ungültige Eingabe: erwartet string, erhalten Zahl", true]);
});
