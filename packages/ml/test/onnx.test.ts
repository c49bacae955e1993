/**
 * The codec for ONNX with the real runtime. It takes 148 MB, more than all other libraries of codecs together, so it is no
 * dependency of this workspace: it is installed once, in a folder of its own, and without a network the test is skipped aloud.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const FOLDER = path.join(ROOT, "node_modules/.cache/millrace-onnx");
const RUNTIME = "onnxruntime-web@1.30.0";

/** Installs the runtime unless it is there; says why when it cannot be. */
function install(): string | undefined {
  const done = path.join(FOLDER, `${RUNTIME}.done`);
  if (fs.existsSync(done)) return undefined;
  fs.mkdirSync(FOLDER, { recursive: true });
  fs.writeFileSync(path.join(FOLDER, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const words = ["install", RUNTIME, "--ignore-scripts", "--no-audit", "--no-fund"];
  const { status, stderr } = spawnSync("npm", words, { cwd: FOLDER, encoding: "utf8", timeout: 300_000 });
  if (status !== 0) return stderr.slice(-500);
  fs.writeFileSync(done, "");
  return undefined;
}

/** This package as an installed one: a copy, so that it finds what is installed beside it. */
function linkPackages(): void {
  const require = createRequire(import.meta.url);
  const modules = path.join(FOLDER, "node_modules");
  const ml = path.join(modules, "@millrace/ml");
  fs.rmSync(path.join(modules, "@millrace"), { recursive: true, force: true });
  fs.mkdirSync(ml, { recursive: true });
  fs.cpSync(path.join(ROOT, "packages/ml/dist"), path.join(ml, "dist"), { recursive: true });
  fs.copyFileSync(path.join(ROOT, "packages/ml/package.json"), path.join(ml, "package.json"));
  const links = {
    "@millrace/core": path.join(ROOT, "packages/core"),
    "onnx-proto": path.dirname(require.resolve("onnx-proto/package.json")),
  };
  for (const [name, target] of Object.entries(links)) {
    fs.rmSync(path.join(modules, name), { recursive: true, force: true });
    fs.symlinkSync(target, path.join(modules, name));
  }
  fs.copyFileSync(path.join(ROOT, "packages/ml/test/onnx-checks.mjs"), path.join(FOLDER, "onnx-checks.mjs"));
}

test("ONNX models are stored, looked into and run", { timeout: 600_000 }, (context) => {
  const reason = install();
  if (reason !== undefined) {
    console.warn(`SKIPPED: ${RUNTIME} cannot be installed: ${reason}`);
    context.skip(`${RUNTIME} cannot be installed: ${reason}`);
  }
  linkPackages();
  const { stdout, stderr, status } = spawnSync(process.execPath, ["onnx-checks.mjs"], {
    cwd: FOLDER,
    encoding: "utf8",
    timeout: 120_000,
  });
  expect([status, status === 0 ? "" : stderr]).toEqual([0, ""]);
  expect(stdout.match(/^passed: /gm)).toHaveLength(11);
});
