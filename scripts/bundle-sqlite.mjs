import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

/**
 * Puts what the driver of SQLite has of JavaScript into the bundle: fifteen files, 9 ms of each thread that opens records. Its
 * native part knows one class of errors a process, and only the first copy of the rest is told to it: that class and what finds
 * the native part stay in the package, so that a step that uses the driver itself recognises its own errors. With another version
 * of the package than that of the build, all of it is loaded.
 */
export function bundleSqlite() {
  return {
    name: "bundle-sqlite",
    setup(build) {
      const own = createRequire(path.join(build.initialOptions.absWorkingDir, "package.json"));
      const { version } = own("better-sqlite3/package.json");
      const lib = path.dirname(own.resolve("better-sqlite3"));
      const inside = { namespace: "better-sqlite3" };
      build.onResolve({ filter: /^better-sqlite3$/ }, ({ kind }) =>
        // Imported late by what looks whether it is installed.
        kind === "dynamic-import" ? { path: "better-sqlite3", external: true } : { path: "entry", ...inside },
      );
      build.onResolve({ filter: /^\.{1,2}\//, ...inside }, ({ path: file, importer }) => ({
        path: path.posix.join(path.posix.dirname(importer), `${file}.js`),
        ...inside,
      }));
      build.onLoad({ filter: /.*/, ...inside }, ({ path: file }) => {
        if (file === "entry") return { contents: entryText(version) };
        if (file === "package.js") return { contents: PACKAGE };
        const source = fs.readFileSync(path.join(lib, file), "utf8");
        return {
          contents: source
            .replaceAll(/require\('(fs|path|util)'\)/g, 'process.getBuiltinModule("node:$1")')
            .replaceAll("require('./sqlite-error')", "require('./package').inPackage('sqlite-error.js')"),
        };
      });
    },
  };
}

const PACKAGE = `import { createRequire } from "node:module";
import path from "node:path";
export const outside = createRequire(import.meta.url);
export const file = outside.resolve("better-sqlite3/package.json");
export const inPackage = (name) => outside(path.join(path.dirname(file), "lib", name));
`;

function entryText(version) {
  return `import { file, inPackage, outside } from "./package";
function makeDatabase() {
  const made = require("./database")(inPackage("binding.js").getBinding, true);
  made.SqliteError = inPackage("sqlite-error.js");
  return made;
}
export default outside(file).version === ${JSON.stringify(version)} ? makeDatabase() : outside("better-sqlite3");
`;
}
