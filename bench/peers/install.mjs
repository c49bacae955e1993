/** Peers live in a temporary folder of their own: nothing of them becomes a dependency of this repository. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "../kit/places.mjs";
import { NotOffered } from "../kit/trial.mjs";

const INSTALL_LIMIT_MS = 300_000;

/**
 * Installs packages and imports a program of this folder beside them, so that it finds them by their names.
 *
 * @param {string} folder a folder that goes afterwards
 * @param {string} program file in `bench/peers`
 * @param {readonly string[]} packages with versions
 */
export async function importPeer(folder, program, packages) {
  const place = fs.mkdtempSync(path.join(folder, "peer-"));
  fs.writeFileSync(path.join(place, "package.json"), '{ "private": true, "type": "module" }');
  const words = ["install", "--no-audit", "--no-fund", "--loglevel=error", ...packages];
  const { status, stderr, error } = spawnSync("npm", words, {
    cwd: place,
    encoding: "utf8",
    timeout: INSTALL_LIMIT_MS,
  });
  if (status !== 0)
    throw new NotOffered(`npm could not install ${packages.join(" ")}: ${error?.message ?? stderr.trim()}`);
  fs.copyFileSync(path.join(root, "bench/peers", program), path.join(place, program));
  return import(pathToFileURL(path.join(place, program)).href);
}
