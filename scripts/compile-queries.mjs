import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

/** Where Kysely lies, for shapes of queries that few ask for: beside the chunks that ask for it. */
const FILE = "chunks/kysely.cjs";
const SQL = "src/metadata/sql";

/**
 * Puts the text of each query of metadata/sql into the bundle in place of the code that writes it, and leaves Kysely, which
 * compiles them, in a file of its own: loading and asking it took a sixth of a short command.
 */
export function compileQueries(esbuild) {
  return {
    name: "compile-queries",
    async setup(build) {
      const { absWorkingDir: folder, outdir } = build.initialOptions;
      const { parseSync } = createRequire(path.join(folder, "package.json"))("oxc-parser");
      build.initialOptions.define.__MILLRACE_KYSELY__ = JSON.stringify(`./${path.basename(FILE)}`);
      const names = fs.readdirSync(path.join(folder, SQL)).filter((name) => name.endsWith(".ts"));
      const { compileForSqlite, shapeKey, modules } = await loadQueries(esbuild, folder, names);
      build.onLoad({ filter: /[/\\]metadata[/\\]sql[/\\][a-z-]+\.ts$/ }, ({ path: file }) => {
        const source = fs.readFileSync(file, "utf8");
        const edits = [];
        for (const { name, init } of exportedConstants(parseSync(file, source).program)) {
          const defined = modules[path.basename(file)]?.[name];
          if (typeof defined?.build === "function") {
            edits.push({ ...init, text: `{ compiled: ${textOf(name, compileForSqlite(defined))} }` });
          } else if (defined?.usual !== undefined) {
            const texts = defined.usual.map(
              (shape) => `${JSON.stringify(shapeKey(shape))}: ${textOf(name, compileForSqlite(defined(shape)))},\n`,
            );
            const call = source.slice(init.start, init.end).replace(/,?\s*\)$/, "");
            edits.push({ ...init, text: `/* @__PURE__ */ ${call}, {\n${texts.join("")}})` });
          }
        }
        return { contents: edited(source, edits), loader: "ts" };
      });
      build.onEnd(async () => {
        await esbuild.build({
          stdin: {
            contents:
              'export { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from "kysely";',
            resolveDir: folder,
          },
          outfile: path.join(outdir, FILE),
          bundle: true,
          format: "cjs",
          platform: "node",
          sourcemap: "external", // It says whose code it is (pack.mjs).
        });
        refuseElsewhere(outdir);
      });
    },
  };
}

/** The modules of queries as they are in the sources, by file. */
async function loadQueries(esbuild, folder, names) {
  const outfile = path.join(folder, `dist.queries-${process.pid}.mjs`); // Where it finds Kysely.
  const lines = names.map((name, index) => `export * as m${index} from "./${SQL}/${name}";`);
  try {
    await esbuild.build({
      stdin: {
        contents: [
          ...lines,
          'export { compileForSqlite } from "./src/metadata/sqlite/statements.ts";',
          `export { shapeKey } from "./${SQL}/query.ts";`,
        ].join("\n"),
        resolveDir: folder,
      },
      outfile,
      bundle: true,
      format: "esm",
      platform: "node",
      external: ["better-sqlite3"],
      logLevel: "warning",
    });
    const loaded = await import(pathToFileURL(outfile).href);
    return { ...loaded, modules: Object.fromEntries(names.map((name, index) => [name, loaded[`m${index}`]])) };
  } finally {
    fs.rmSync(outfile, { force: true });
  }
}

function exportedConstants({ body }) {
  return body
    .filter(({ type, declaration }) => type === "ExportNamedDeclaration" && declaration?.type === "VariableDeclaration")
    .flatMap(({ declaration }) => declaration.declarations)
    .map(({ id, init }) => ({ name: id.name, init: { start: init.start, end: init.end } }));
}

function textOf(name, { sql, bindings }) {
  for (const { kind, value } of bindings)
    if (kind === "constant" && value !== null && !["string", "number"].includes(typeof value))
      throw new Error(`The query ${name} binds a constant that cannot be written into the bundle`);
  return JSON.stringify({ sql, bindings });
}

function edited(source, edits) {
  return edits
    .toReversed()
    .reduce((text, { start, end, text: put }) => text.slice(0, start) + put + text.slice(end), source);
}

/** An entry point in the folder above would not find the file. */
function refuseElsewhere(outdir) {
  for (const name of fs.readdirSync(outdir).filter((each) => each.endsWith(".js")))
    if (fs.readFileSync(path.join(outdir, name), "utf8").includes(`"./${path.basename(FILE)}"`))
      throw new Error(`${name} asks for Kysely, but only chunks find it`);
}
