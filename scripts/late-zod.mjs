import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

/** Where zod lies, and its messages in other languages than English: beside the chunks that ask for them. */
const FILE = "chunks/zod.cjs";
const LOCALES = "chunks/zod-locales.cjs";

/** In place of util/zod.ts. A namespace has the names that it has from the start; this one as well, when it is asked. */
const LATE = `import { createRequire } from "node:module";
let loaded;
const zod = () => (loaded ??= createRequire(import.meta.url)("./${path.basename(FILE)}"));
export const loadZod = () => void zod();
export const z = new Proxy({}, {
  get: (_, name) => zod()[name],
  has: (_, name) => name in zod(),
  ownKeys: () => Object.keys(zod()),
  getOwnPropertyDescriptor: (_, name) =>
    Object.keys(zod()).includes(name) ? { value: zod()[name], enumerable: true, configurable: true } : undefined,
  set: () => false,
  defineProperty: () => false,
  deleteProperty: () => false,
});
`;

/**
 * Leaves zod out of the bundle, in a file of its own that is loaded when something of it is asked for, and its messages in
 * other languages out of that: they are half of zod's code, and few programs ask for one. `z.locales.de` stays a function,
 * which loads them when it is called.
 */
export function lateZod(esbuild) {
  return {
    name: "late-zod",
    setup(build) {
      const { absWorkingDir, outdir } = build.initialOptions;
      const zod = path.dirname(createRequire(path.join(absWorkingDir, "package.json")).resolve("zod/package.json"));
      const locales = path.join(zod, "v4/locales/index.js");
      build.onLoad({ filter: /[/\\]util[/\\]zod\.ts$/ }, () => ({ contents: LATE }));
      build.onLoad({ filter: /[/\\]zod[/\\].*\.js$/ }, ({ path: file }) => {
        throw new Error(`${file} is in the bundle: import zod from util/zod.ts`);
      });
      build.onEnd(async () => {
        // The maps say whose code it is (pack.mjs). Not linked: Node would read them in each worker that has source maps on.
        const shared = { absWorkingDir, bundle: true, format: "cjs", platform: "node", sourcemap: "external" };
        await esbuild.build({
          ...shared,
          entryPoints: ["zod"],
          outfile: path.join(outdir, FILE),
          external: [`./${path.basename(LOCALES)}`],
          plugins: [lateLocales(locales)],
        });
        await esbuild.build({ ...shared, entryPoints: [locales], outfile: path.join(outdir, LOCALES) });
      });
    },
  };
}

function lateLocales(index) {
  return {
    name: "late-locales",
    setup(build) {
      build.onLoad({ filter: /[/\\]locales[/\\]index\.js$/ }, ({ path: file }) => {
        if (fs.realpathSync(index) !== file) return undefined;
        const names = [...fs.readFileSync(file, "utf8").matchAll(/^export \{ default as (\w+) \}/gm)].map(
          ([, name]) => name,
        );
        const late = `const late = () => require("./${path.basename(LOCALES)}");\n`;
        return { contents: late + names.map((name) => `export const ${name} = () => late().${name}();\n`).join("") };
      });
    },
  };
}
