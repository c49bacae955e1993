// Makes few files of the many that esbuild's splitting makes: one for each set of modules that are wanted together. Node
// resolves, stats, reads and links each file for about half a millisecond, and `flow runs` loaded ninety.
import fs from "node:fs";
import path from "node:path";

/**
 * Merges chunks of a build with splitting, in its folder. Chunks are merged when the same ones of `roots` need them without
 * a dynamic import, so that nobody loads what he did not load before, and files depend on each other in no circle.
 *
 * @param options.folder  the output folder of the build
 * @param options.outputs  `metafile.outputs` of the build, with paths relative to `options.base`
 * @param options.roots  sources that are entry points or are imported dynamically; each stands for one way to be started.
 *   Several in a list count as one way: what one of them needs, the others may load too
 */
export async function mergeChunks({ esbuild, folder, base, outputs, roots, external }) {
  const chunks = readChunks(folder, base, outputs);
  const groups = groupChunks(chunks, roots);
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
  for (const [file, { group }] of chunks)
    if (group.members.length > 1 && chunks.get(file).isEntry) writeDoor(path.join(aside, file), file, chunks.get(file));
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
function groupChunks(chunks, roots) {
  const neededBy = new Map([...chunks.keys()].map((file) => [file, ""]));
  roots.forEach((entryPoints, index) => {
    const seen = new Set();
    const visit = (file) => {
      if (seen.has(file)) return;
      seen.add(file);
      neededBy.set(file, `${neededBy.get(file)}-${index}`);
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
    const isAlone = neededBy.get(file) === "" || !file.startsWith("chunks/");
    const name = isAlone ? file : `chunks/core${neededBy.get(file)}.js`;
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
          .members.map((file) =>
            reexport(
              `./${file}`,
              exportsOf(file, chunks.get(file)),
              (each) => each.name,
              (each) => each.grouped,
            ),
          )
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

/** What a merged chunk is imported dynamically by. */
function writeDoor(target, file, chunk) {
  const way = `./${path.relative(path.dirname(file), chunk.group.name)}`;
  fs.writeFileSync(
    target,
    reexport(
      way,
      exportsOf(file, chunk),
      (each) => each.grouped,
      (each) => each.name,
    ),
  );
}

function reexport(from, names, imported, exported) {
  const list = names.map((each) => `${imported(each)} as ${exported(each)}`).join(", ");
  return `import "${from}";\nexport { ${list} } from "${from}";\n`;
}
