import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

/** Where zod's messages in other languages than English lie, beside the chunks that ask for them. */
const FILE = "chunks/zod-locales.cjs";

/**
 * Leaves zod's messages in other languages out of the bundle: they are half of zod's code, and few programs ask for one.
 * `z.locales.de` stays a function, which loads them when it is called.
 */
export function lateLocales(esbuild) {
  return {
    name: "late-locales",
    setup(build) {
      const { absWorkingDir, outdir } = build.initialOptions;
      const zod = path.dirname(createRequire(path.join(absWorkingDir, "package.json")).resolve("zod/package.json"));
      const index = path.join(zod, "v4/locales/index.js");
      build.onLoad({ filter: /[/\\]locales[/\\]index\.js$/ }, ({ path: file }) => {
        if (fs.realpathSync(index) !== file) return undefined;
        const names = [...fs.readFileSync(file, "utf8").matchAll(/^export \{ default as (\w+) \}/gm)].map(
          ([, name]) => name,
        );
        const late = `import { createRequire } from "node:module";
const late = () => createRequire(import.meta.url)("./${path.basename(FILE)}");
`;
        return { contents: late + names.map((name) => `export const ${name} = () => late().${name}();\n`).join("") };
      });
      build.onEnd(async () => {
        const outfile = path.join(outdir, FILE);
        await esbuild.build({
          absWorkingDir,
          entryPoints: [index],
          outfile,
          bundle: true,
          format: "cjs",
          platform: "node",
        });
      });
    },
  };
}
