// Makes what npm would publish: `node scripts/pack.mjs [OUT_FOLDER]` builds, puts each package together in a folder of its
// own, and runs `npm pack` there. Prints the paths of the tarballs, one a line; default for the folder: packed/.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const names = ["core", "cli", "ml"];
const out = path.resolve(process.argv[2] ?? path.join(root, "packed"));
const versions = new Map(names.map((name) => [`@millrace/${name}`, manifestOf(name).version]));

run(process.execPath, [path.join(root, "scripts/build.mjs"), "--types"], "inherit");
const staging = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-pack-"));
try {
  for (const name of names) stage(name, path.join(staging, name));
  fs.mkdirSync(out, { recursive: true });
  const folders = names.map((name) => path.join(staging, name));
  const packed = JSON.parse(
    run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", out, ...folders], "pipe"),
  );
  // npm 11 answers with a list, npm 12 with an object by name.
  for (const { filename, size, unpackedSize, entryCount } of Object.values(packed)) {
    console.error(`${filename}: ${kilobytes(size)}, ${kilobytes(unpackedSize)} in ${entryCount} files`);
    console.log(path.join(out, filename));
  }
} finally {
  fs.rmSync(staging, { recursive: true, force: true });
}

function stage(name, folder) {
  const source = path.join(root, "packages", name);
  const manifest = manifestOf(name);
  fs.mkdirSync(folder, { recursive: true });
  fs.copyFileSync(path.join(root, "LICENSE"), path.join(folder, "LICENSE"));
  fs.copyFileSync(path.join(source, "README.md"), path.join(folder, "README.md"));
  if (manifest.bin !== undefined) fs.cpSync(path.join(source, "bin"), path.join(folder, "bin"), { recursive: true });
  stageCode(path.join(source, "dist"), path.join(folder, "dist"));
  stageDeclarations(source, folder, manifest);
  fs.writeFileSync(path.join(folder, "package.json"), `${JSON.stringify(publishedManifest(manifest), undefined, 2)}\n`);
}

/** Versions instead of `workspace:`, and nothing that only developers of the package need. */
function publishedManifest({ devDependencies: _, scripts: __, ...manifest }) {
  for (const kind of ["dependencies", "peerDependencies"]) {
    for (const [name, range] of Object.entries(manifest[kind] ?? {})) {
      if (!range.startsWith("workspace:")) continue;
      const prefix = range.slice("workspace:".length);
      manifest[kind][name] = prefix === "*" ? versions.get(name) : `${prefix}${versions.get(name)}`;
    }
  }
  return manifest;
}

/**
 * The code without source maps: it is not minified, so frames in it can be read as they are, and the maps are twice its
 * size. They say which packages went into it, though, and whose licences have to come along.
 */
function stageCode(dist, folder) {
  const licences = new Map();
  for (const file of [...filesIn(dist, ".js"), ...filesIn(dist, ".cjs")]) {
    const text = fs.readFileSync(path.join(dist, file), "utf8").replace(/\n\/\/# sourceMappingURL=\S+\s*$/, "\n");
    write(path.join(folder, file), text);
    const map = path.join(dist, `${file}.map`);
    if (!fs.existsSync(map)) continue; // A door to a merged file, or one that is copied as it is: nothing of anybody is in it.
    const { sources } = JSON.parse(fs.readFileSync(map, "utf8"));
    for (const origin of sources) noteLicence(placeOf(origin, path.join(dist, path.dirname(file))), licences);
  }
  if (licences.size === 0) return;
  const sections = [...licences]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([title, text]) => `${title}\n\n${text.trim()}\n`);
  write(
    path.join(folder, "LICENSES.txt"),
    `The code in this folder contains parts of these packages.\n\n${sections.join(`\n${"-".repeat(80)}\n\n`)}`,
  );
}

/** The file of a source. What the build has read of the driver of SQLite by itself is called by its package. */
function placeOf(origin, folder) {
  const own = "better-sqlite3:";
  if (!origin.startsWith(own)) return path.resolve(folder, origin);
  const manifest = createRequire(path.join(folder, "x")).resolve("better-sqlite3/package.json");
  return path.join(path.dirname(manifest), origin.slice(own.length));
}

function noteLicence(origin, licences) {
  const folder = /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+(?=[\\/])/.exec(origin)?.[0];
  if (folder === undefined) return;
  const { name, version, license } = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
  if (licences.has(`${name} ${version}`)) return;
  const file = fs.readdirSync(folder).find((entry) => /^licen[cs]e(?:\.|$)/i.test(entry));
  licences.set(
    `${name} ${version}`,
    file === undefined ? `Licence: ${license}` : fs.readFileSync(path.join(folder, file), "utf8"),
  );
}

/** Only the declarations that an entry point leads to; relative imports name the file that Node would load. */
function stageDeclarations(source, folder, manifest) {
  const entries = Object.values(manifest.exports ?? {}).flatMap((target) => target.types ?? []);
  const seen = new Set();
  const visit = (file) => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = fs
      .readFileSync(path.join(source, file), "utf8")
      .replace(/(\bfrom\s*|\bimport\s*\(?\s*)"(\.{1,2}\/[^"]+)\.ts"/g, (_, before, target) => {
        visit(path.join(path.dirname(file), `${target}.d.ts`));
        return `${before}"${target}.js"`;
      });
    write(path.join(folder, file), text);
  };
  for (const entry of entries) visit(path.normalize(entry));
}

function manifestOf(name) {
  return JSON.parse(fs.readFileSync(path.join(root, "packages", name, "package.json"), "utf8"));
}

function filesIn(folder, ending) {
  return fs.readdirSync(folder, { recursive: true }).filter((file) => file.endsWith(ending));
}

function write(file, text) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
}

function kilobytes(bytes) {
  return `${Math.ceil(bytes / 1000)} kB`;
}

/** Runs a program to its end and returns what it wrote; this script ends with it when it fails. */
function run(command, args, stdout) {
  const windows = process.platform === "win32" && command === "npm";
  // stdout of this script is for the tarballs alone.
  const stdio = ["ignore", stdout === "inherit" ? 2 : "pipe", "inherit"];
  const result = spawnSync(command, args, { stdio, encoding: "utf8", cwd: root, shell: windows });
  if (result.error) throw result.error;
  if (result.status !== 0) process.exit(result.status ?? 1);
  return result.stdout;
}
