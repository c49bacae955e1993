/** The project around the working directory: package.json, tsconfig.json and variables of ours in the environment. */
import fs from "node:fs";
import path from "node:path";
import type { Environment } from "../../config/config.ts";
import { findPackageRoot, nearestPackageFolder, readPackageJson } from "../../package/package-root.ts";
import { stripComments, tsconfigChain } from "../../package/tsconfig-chain.ts";
import { nearestName } from "../../util/nearest-name.ts";
import type { Check, Found } from "./report.ts";

/** Variables that mean something; `MILLRACE_PARAM_…` gives parameters. */
const VARIABLES = ["MILLRACE_STORE", "MILLRACE_USER", "MILLRACE_SHUFFLE", "MILLRACE_SHARED_MEMORY"];
const PARAMETER = "MILLRACE_PARAM_";

export function projectChecks(input: { readonly cwd: string; readonly environment: Environment }): readonly Check[] {
  return [
    { area: "project", check: "package.json", run: () => [packageFinding(input.cwd)] },
    { area: "project", check: "tsconfig.json", run: () => [tsconfigFinding(input.cwd)] },
    { area: "project", check: "environment", run: () => [environmentFinding(input.environment)] },
  ];
}

function packageFinding(cwd: string): Found {
  const root = findPackageRoot(path.join(cwd, "flow.ts")).folder;
  const file = path.join(nearestPackageFolder(cwd, root), "package.json");
  const check = "package.json";
  if (!fs.existsSync(file)) {
    const found = `there is none from ${cwd} upwards: flows belong to the project "local"`;
    return { check, status: "ok", found, facts: { root } };
  }
  const manifest = readPackageJson(file);
  if (manifest === undefined) {
    const next = "Mend the file: it must hold one JSON object";
    return { check, status: "fail", found: `${file} cannot be read as JSON`, next, facts: { file } };
  }
  if (typeof manifest.name !== "string" || manifest.name === "") {
    const next = 'Give it a "name": it is the first half of the identity of a flow (project/Flow)';
    return { check, status: "warn", found: `${file} has no name`, next, facts: { file, root } };
  }
  return {
    check,
    status: "ok",
    found: `project "${manifest.name}", in ${file}`,
    facts: { file, root, name: manifest.name },
  };
}

function tsconfigFinding(cwd: string): Found {
  const root = findPackageRoot(path.join(cwd, "flow.ts")).folder;
  const chain = tsconfigChain(cwd, root);
  const check = "tsconfig.json";
  const [file] = chain.files;
  if (file === undefined) return { check, status: "ok", found: "none applies here, and none is needed" };
  const facts = { files: chain.files };
  const broken = chain.files.find((each) => !isJson(each));
  if (broken !== undefined) {
    const next = "Mend the file: it must hold one JSON object, comments allowed";
    return { check, status: "fail", found: `${broken} cannot be read`, next, facts };
  }
  if (chain.legacyDecorators !== undefined) {
    return {
      check,
      status: "fail",
      found: `${chain.legacyDecorators} sets "experimentalDecorators", and flows need standard decorators`,
      next: `Remove "experimentalDecorators" from it, or give the folder of the flows a tsconfig.json without it`,
      facts,
    };
  }
  return { check, status: "ok", found: file, facts };
}

function isJson(file: string): boolean {
  try {
    JSON.parse(stripComments(fs.readFileSync(file, "utf8")));
    return true;
  } catch {
    return false;
  }
}

/** A misspelt variable is silently nothing: this is the one place that says so. */
function environmentFinding(environment: Environment): Found {
  const ours = Object.keys(environment).filter((name) => name.startsWith("MILLRACE_") && environment[name] !== "");
  const check = "environment";
  const unknown = ours.filter((name) => !VARIABLES.includes(name) && !name.startsWith(PARAMETER)).sort();
  const [first] = unknown;
  if (first === undefined) {
    // Names alone: a parameter may be a secret.
    const found = ours.length === 0 ? "no variable of Millrace is set" : `${ours.sort().join(", ")}`;
    return { check, status: "ok", found, facts: { variables: ours } };
  }
  const near = nearestName(first, VARIABLES);
  return {
    check,
    status: "warn",
    found: `${unknown.join(", ")} ${unknown.length === 1 ? "means" : "mean"} nothing to Millrace`,
    next:
      near === undefined ? `Unset it; known are ${VARIABLES.join(", ")} and ${PARAMETER}NAME` : `Did you mean ${near}?`,
    facts: { variables: ours, unknown },
  };
}
