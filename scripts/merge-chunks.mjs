// Makes few files of the many that esbuild's splitting makes: one for each set of modules that are wanted together. Node
// resolves, stats, reads and links each file for about half a millisecond, and `flow runs` loaded ninety.
import fs from "node:fs";
import path from "node:path";

/**
 * Merges chunks of a build with splitting, in its folder. Chunks are merged when the same ones of `roots` need them without
 * a dynamic import, or nearly the same ones: see `also`. Whoever is imported is needed by all that need its importer, and
 * stays so when both sets are widened by the same rules, so files depend on each other in no circle.
 *
 * @param options.folder  the output folder of the build
 * @param options.outputs  `metafile.outputs` of the build, with paths relative to `options.base`
 * @param options.roots  sources that are entry points or are imported dynamically; each stands for one way to be started.
 *   Several in a list count as one way: what one of them needs, the others may load too
 * @param options.also  pairs of lists of roots, by number: what all of the first need, those of the second may load too.
 *   It makes fewer files where ways are mostly taken together, or where little is loaded in vain
 */
export async function mergeChunks({ esbuild, folder, base, outputs, roots, also = [], external }) {
  const chunks = readChunks(folder, base, outputs);
  const groups = groupChunks(chunks, roots, also);
  const aside = `${folder}.merged`; // As deep as the folder: source maps name their sources from where they lie.
  await esbuild.build({
    entryPoints: [...groups.values()].map(({ name, members }) => ({
      in: members.length === 1 ? path.join(folder, members[0]) : `group:${name}`,
      out: name.replace(/\.js$/, ""),
    })),
    outdir: aside,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node22.15",
    sourcemap: "linked",
    sourcesContent: true,
    logLevel: "warning",
    external,
    plugins: [asGrouped(folder, chunks, groups)],
  });
  for (const file of fs.readdirSync(aside, { recursive: true }).filter((each) => each.endsWith(".js")))
    importGroups(path.join(aside, file), chunks);
  for (const output of Object.keys(outputs)) fs.rmSync(path.resolve(base, output));
  fs.cpSync(aside, folder, { recursive: true });
  fs.rmSync(aside, { recursive: true });
}

/** By file, relative to the output folder. */
function readChunks(folder, base, outputs) {
  const fileOf = (output) => path.relative(folder, path.resolve(base, output));
  const chunks = new Map();
  for (const [output, { entryPoint, exports, imports }] of Object.entries(outputs)) {
    if (!output.endsWith(".js")) continue;
    chunks.set(fileOf(output), {
      entryPoint,
      isEntry: entryPoint !== undefined,
      exports,
      imports: imports
        .filter(({ kind, external }) => kind === "import-statement" && !external)
        .map((item) => fileOf(item.path)),
    });
  }
  return chunks;
}

/** Entry points of the build keep their files: they may do something when they are loaded. */
function groupChunks(chunks, roots, also) {
  const neededBy = new Map([...chunks.keys()].map((file) => [file, new Set()]));
  roots.forEach((entryPoints, index) => {
    const seen = new Set();
    const visit = (file) => {
      if (seen.has(file)) return;
      seen.add(file);
      neededBy.get(file).add(index);
      chunks.get(file).imports.forEach(visit);
    };
    for (const entryPoint of entryPoints) {
      const file = [...chunks.keys()].find((each) => chunks.get(each).entryPoint === entryPoint);
      if (file === undefined) throw new Error(`No chunk begins with ${entryPoint}`);
      visit(file);
    }
  });
  const groups = new Map();
  for (const [file, chunk] of chunks) {
    const isAlone = neededBy.get(file).size === 0 || !file.startsWith("chunks/");
    const name = isAlone ? file : `chunks/core-${[...widened(neededBy.get(file), also)].sort().join("-")}.js`;
    if (!groups.has(name)) groups.set(name, { name, members: [] });
    groups.get(name).members.push(file);
    chunk.group = groups.get(name);
  }
  for (const group of [...groups.values()].filter(({ members }) => members.length === 1)) {
    groups.delete(group.name);
    group.name = group.members[0];
    groups.set(group.name, group);
  }
  return groups;
}

/** As often as one rule may call for another. */
function widened(roots, also) {
  let wide = roots;
  for (const _ of also)
    for (const [given, more] of also) if (given.every((root) => wide.has(root))) wide = new Set([...wide, ...more]);
  return wide;
}

/** Exports of merged chunks carry the number of their chunk: two chunks may call different things alike. */
function exportsOf(file, { exports, group: { members } }) {
  const suffix = members.length === 1 ? "" : `$${members.indexOf(file)}`;
  return exports.map((name) => ({ name, grouped: `${name}${suffix}` }));
}

function asGrouped(folder, chunks, groups) {
  return {
    name: "grouped",
    setup(build) {
      build.onResolve({ filter: /^group:/ }, ({ path: name }) => ({ path: name.slice(6), namespace: "group" }));
      build.onLoad({ filter: /.*/, namespace: "group" }, ({ path: name }) => ({
        contents: groups
          .get(name)
          .members.map((file) => {
            const chunk = chunks.get(file);
            const names = reexport(
              `./${file}`,
              exportsOf(file, chunk),
              (each) => each.name,
              (each) => each.grouped,
            );
            return chunk.isEntry ? `${names}export * as ${wholeOf(file, chunk.group)} from "./${file}";\n` : names;
          })
          .join(""),
        resolveDir: folder,
      }));
      build.onResolve({ filter: /^\.\.?\// }, ({ path: specifier, importer, kind, namespace }) => {
        if (namespace === "elsewhere") return { path: specifier, external: true };
        const from = namespace === "group" ? importer : path.relative(folder, importer);
        const file = namespace === "group" ? path.normalize(specifier) : path.join(path.dirname(from), specifier);
        const own = namespace === "group" ? groups.get(from) : chunks.get(from).group;
        const target = chunks.get(file);
        const relative = (to) => {
          const way = path.relative(path.dirname(own.name), to);
          return way.startsWith(".") ? way : `./${way}`;
        };
        if (kind === "dynamic-import") return { path: relative(file), external: true };
        if (target.group === own) return { path: path.join(folder, file) };
        return {
          path: `${own.name} ${file}`,
          namespace: "elsewhere",
          pluginData: { file, way: relative(target.group.name) },
        };
      });
      build.onLoad({ filter: /.*/, namespace: "elsewhere" }, ({ pluginData: { file, way } }) => ({
        contents: reexport(
          way,
          exportsOf(file, chunks.get(file)),
          (each) => each.grouped,
          (each) => each.name,
        ),
      }));
    },
  };
}

/** A merged chunk that is imported dynamically is an object in what its group exports: no file of its own stands before it. */
function importGroups(file, chunks) {
  const code = fs.readFileSync(file, "utf8");
  const grouped = code.replace(/\bimport\("(\.[^"]*\/)([^"/]+\.js)"\)/g, (statement, folder, name) => {
    const group = chunks.get(`chunks/${name}`)?.group;
    if (group === undefined || group.members.length === 1) return statement;
    return `import("${folder}${path.basename(group.name)}").then((group) => group.${wholeOf(`chunks/${name}`, group)})`;
  });
  if (grouped !== code) fs.writeFileSync(file, grouped);
}

function wholeOf(file, { members }) {
  return `whole$${members.indexOf(file)}`;
}

function reexport(from, names, imported, exported) {
  const list = names.map((each) => `${imported(each)} as ${exported(each)}`).join(", ");
  return `import "${from}";\nexport { ${list} } from "${from}";\n`;
}
