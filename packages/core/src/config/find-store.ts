import { existsSync, lstatSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { FlowError } from "../errors/flow-error.ts";

/** Name of the store's folder. */
export const STORE_FOLDER = ".millrace";

/** Where the store is or would be, and why there. */
export interface StoreChoice {
  /** Absolute path of the store's folder. */
  readonly folder: string;
  /**
   * option: `--store`; environment: `MILLRACE_STORE`; found: the nearest `.millrace` upwards; workspace: none is there
   * yet, and this is where a writer creates it.
   */
  readonly from: "option" | "environment" | "found" | "workspace";
}

/**
 * Finds the store's folder: the option, then the variable, then the nearest `.millrace` from `cwd` upwards (as git looks
 * for `.git`), then the workspace's root. Creates nothing.
 */
export function findStore(input: {
  readonly option?: string;
  readonly variable?: string;
  readonly cwd: string;
}): StoreChoice {
  if (input.option !== undefined) return { folder: resolve(input.cwd, input.option), from: "option" };
  if (input.variable !== undefined && input.variable !== "")
    return { folder: resolve(input.cwd, input.variable), from: "environment" };
  for (const folder of upwards(input.cwd)) {
    const store = join(folder, STORE_FOLDER);
    if (isFolder(store)) return { folder: store, from: "found" };
  }
  return { folder: join(findWorkspaceRoot(input.cwd), STORE_FOLDER), from: "workspace" };
}

/**
 * Refuses a store of a stranger. A store holds code that `flow resume` runs, and takes what runs leave; so one that was
 * merely found must belong to this user, to root, or to whoever owns the working directory, whose flows this user runs
 * anyway: in a folder such as `/tmp` anyone can leave a `.millrace` for others to find. A store that was named is trusted.
 *
 * @param here.user  the user of this process; undefined where the system has no numbers for users
 * @throws FlowError FLOW_CLIENT_FOREIGN_STORE
 */
export function checkStoreOwner(
  { folder, from }: StoreChoice,
  here: { readonly cwd: string; readonly user: number | undefined },
): void {
  if (from !== "found" || here.user === undefined || !existsSync(folder)) return;
  const trusted = [here.user, 0, statSync(here.cwd, { throwIfNoEntry: false })?.uid];
  // The link too, if it is one: who may set it chooses where this user's data go.
  const stranger = [statSync(folder).uid, lstatSync(folder).uid].find((owner) => !trusted.includes(owner));
  if (stranger === undefined) return;
  throw new FlowError("FLOW_CLIENT_FOREIGN_STORE", {
    message: `Cannot use the store in "${folder}": it belongs to another user (${stranger})`,
    hint: "Name it with --store or MILLRACE_STORE when you trust its owner, or name another one",
    context: { folder, owner: stranger },
  });
}

/**
 * The root of the workspace around a folder: the nearest folder upwards with `pnpm-workspace.yaml` or with `workspaces` in
 * its package.json, else the nearest with a package.json, else the folder itself.
 */
export function findWorkspaceRoot(cwd: string): string {
  let nearestPackage: string | undefined;
  for (const folder of upwards(cwd)) {
    if (existsSync(join(folder, "pnpm-workspace.yaml"))) return folder;
    const file = join(folder, "package.json");
    if (!existsSync(file)) continue;
    nearestPackage ??= folder;
    if (hasWorkspaces(file)) return folder;
  }
  return nearestPackage ?? resolve(cwd);
}

function hasWorkspaces(file: string): boolean {
  try {
    const content: unknown = JSON.parse(readFileSync(file, "utf8"));
    return typeof content === "object" && content !== null && "workspaces" in content;
  } catch {
    return false; // A package.json that cannot be read is none of our business here: whoever needs its contents complains.
  }
}

function* upwards(from: string): Generator<string> {
  let folder = resolve(from);
  while (true) {
    yield folder;
    const parent = dirname(folder);
    if (parent === folder) return;
    folder = parent;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
