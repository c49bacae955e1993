// Builds what npm would publish: one bundle for each entry point with esbuild, declarations with tsc. Work is skipped
// when the contents of all inputs are those of the last build. `--types` builds the declarations too (packing needs them).
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { bundleSqlite } from "./bundle-sqlite.mjs";
import { compileQueries } from "./compile-queries.mjs";
import { lateBuiltIns } from "./late-built-ins.mjs";
import { lateZod } from "./late-zod.mjs";
import { mergeChunks } from "./merge-chunks.mjs";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const withTypes = process.argv.includes("--types");

const packages = {
  core: {
    entries: {
      index: "src/index.ts",
      internal: "src/internal.ts",
      register: "src/package/register.ts",
      testing: "src/testing/index.ts",
      "storage-azure": "src/storage/azure/index.ts",
      "storage-gcs": "src/storage/gcs/index.ts",
      "storage-s3": "src/storage/s3/index.ts",
      vitest: "src/package/vitest.ts",
      worker: "src/wiring/worker-main.ts",
      heartbeat: "src/wiring/heartbeat-main.ts",
      "storage-thread": "src/wiring/storage-main.ts",
      "worker-process": "src/wiring/process-main.ts",
    },
    copies: { "worker.cjs": "src/wiring/worker-entry.cjs" },
    // graphlib goes into the bundle, zod and kysely into files beside it: read file by file they cost every start more than
    // all of core (docs/adr).
    // Libraries of object stores are the user's to install.
    external: [
      "better-sqlite3",
      "esbuild",
      "oxc-parser",
      "vitest",
      "vite",
      "@aws-sdk/client-s3",
      "@google-cloud/storage",
      "@azure/storage-blob",
    ],
    splitting: true,
    // What a flow imports; what each command does; what reads a store; what starts workers; what runs; what a worker is.
    merge: [
      ["src/index.ts"],
      ["src/internal.ts"],
      ["src/wiring/open-stores.ts", "src/client/read-figure.ts", "src/client/validate/validate.ts"],
      ["src/wiring/run-workers.ts"],
      ["src/wiring/start-run.ts", "src/wiring/resume/resume-run.ts"],
      ["src/wiring/worker-main.ts"],
    ],
    // A command goes on to stores and runs, which are most of what it shares with them; a worker has what starts it.
    also: [
      [[1], [2, 3, 4]],
      [[2, 4], [1]],
      [[0, 1], [5]],
      [[0, 2], [1]],
      [[4, 5], [3]],
    ],
  },
  cli: {
    entries: { flow: "src/main.ts" },
    external: ["@millrace/core", "@millrace/core/*"],
    splitting: true,
    // What each call needs; and the verbs that are typed most.
    merge: [
      ["src/main.ts"],
      ["run", "resume", "runs", "show", "graph", "tag", "validate", "logs"].map((verb) => `src/commands/${verb}.ts`),
    ],
    also: [[[0], [1]]],
  },
  ml: {
    entries: { index: "src/index.ts", testing: "src/testing/index.ts" },
    packagesExternal: true,
    splitting: true, // One StoredModel for both entries: a class is registered once.
  },
};

const stampFile = path.join(root, "node_modules/.millrace-built.json");
const stamps = fs.existsSync(stampFile) ? JSON.parse(fs.readFileSync(stampFile, "utf8")) : {};
let changed = false;
for (const [name, options] of Object.entries(packages)) await bundle(name, options);
if (withTypes) declarations();
if (changed) fs.writeFileSync(stampFile, JSON.stringify(stamps));

async function bundle(name, options) {
  const folder = path.join(root, "packages", name);
  const present = Object.fromEntries(
    Object.entries(options.entries).filter(([, file]) => fs.existsSync(path.join(folder, file))),
  );
  if (Object.keys(present).length === 0) return;
  const digest = inputsDigest(folder);
  if (
    stamps[name] === digest &&
    Object.keys(present).every((entry) => fs.existsSync(path.join(folder, "dist", `${entry}.js`)))
  )
    return;
  const esbuild = await import("esbuild");
  const dist = path.join(folder, "dist");
  const aside = `${dist}.new-${process.pid}`;
  const { metafile } = await esbuild.build({
    absWorkingDir: folder,
    metafile: true,
    entryPoints: present,
    outdir: aside,
    bundle: true,
    splitting: options.splitting,
    chunkNames: "chunks/[name]-[hash]",
    format: "esm",
    platform: "node",
    target: "node22.15",
    sourcemap: "linked",
    sourcesContent: true,
    keepNames: false,
    logLevel: "warning",
    logOverride: { "unsupported-require-call": "silent" },
    ...(options.packagesExternal ? { packages: "external" } : { external: options.external }),
    define: {
      __MILLRACE_VERSION__: JSON.stringify(
        JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8")).version,
      ),
    },
    plugins: name === "core" ? [lateZod(esbuild), compileQueries(esbuild), bundleSqlite()] : [],
    tsconfigRaw: { compilerOptions: { useDefineForClassFields: true } },
  });
  if (options.merge !== undefined)
    await mergeChunks({
      esbuild,
      folder: aside,
      base: folder,
      outputs: metafile.outputs,
      roots: options.merge,
      also: options.also,
      external: options.external,
    });
  if (name !== "ml")
    for (const file of codeFiles(aside)) fs.writeFileSync(file, lateBuiltIns(fs.readFileSync(file, "utf8")));
  for (const [name, file] of Object.entries(options.copies ?? {}))
    fs.copyFileSync(path.join(folder, file), path.join(aside, name));
  if (fs.existsSync(path.join(dist, "types"))) fs.renameSync(path.join(dist, "types"), path.join(aside, "types"));
  putInPlace(aside, dist);
  stamps[name] = digest;
  changed = true;
}

function codeFiles(folder) {
  return fs
    .readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith(".js"))
    .map((file) => path.join(folder, file));
}

function declarations() {
  for (const name of ["core", "ml"]) {
    const folder = path.join(root, "packages", name);
    if (!fs.existsSync(path.join(folder, "tsconfig.build.json"))) continue;
    const digest = `${inputsDigest(folder)} types`;
    if (stamps[`${name}:types`] === digest && fs.existsSync(path.join(folder, "dist/types"))) continue;
    const aside = path.join(folder, `dist.types-${process.pid}`);
    const compiler = [
      path.join(root, "node_modules/typescript/bin/tsc"),
      "-p",
      path.join(folder, "tsconfig.build.json"),
      "--outDir",
      aside,
    ];
    const result = spawnSync(process.execPath, compiler, { stdio: "inherit" });
    if (result.status !== 0) {
      fs.rmSync(aside, { recursive: true, force: true });
      process.exit(result.status ?? 1);
    }
    putInPlace(aside, path.join(folder, "dist/types"));
    stamps[`${name}:types`] = digest;
    changed = true;
  }
}

/** Renames instead of emptying and filling: a program that reads the folder meanwhile finds the old files or the new ones. */
function putInPlace(aside, target) {
  const old = `${target}.old-${process.pid}`;
  if (fs.existsSync(target)) fs.renameSync(target, old);
  fs.renameSync(aside, target);
  fs.rmSync(old, { recursive: true, force: true });
}

function inputsDigest(folder) {
  const digest = createHash("sha256")
    .update(process.version)
    .update(fs.readFileSync(fileURLToPath(import.meta.url)));
  for (const part of ["bundle-sqlite", "compile-queries", "late-built-ins", "late-zod", "merge-chunks"])
    digest.update(fs.readFileSync(fileURLToPath(import.meta.resolve(`./${part}.mjs`))));
  for (const file of ["package.json", "../../pnpm-lock.yaml"].map((name) => path.join(folder, name))) {
    if (fs.existsSync(file)) digest.update(fs.readFileSync(file));
  }
  const sources = fs.readdirSync(path.join(folder, "src"), { recursive: true, withFileTypes: true });
  for (const entry of sources
    .filter((item) => item.isFile() && !item.name.endsWith(".test.ts"))
    .sort((a, b) => (path.join(a.parentPath, a.name) < path.join(b.parentPath, b.name) ? -1 : 1))) {
    const file = path.join(entry.parentPath, entry.name);
    digest
      .update(`${path.relative(folder, file)}\0`)
      .update(fs.readFileSync(file))
      .update("\0");
  }
  return digest.digest("hex");
}
