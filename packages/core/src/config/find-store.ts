import { existsSync, lstatSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { FlowError } from "../errors/flow-error.ts";
import { bucketOfFolder, findBucketFolder } from "./bucket-folder.ts";
import { type BucketUrl, parseStoreText } from "./bucket-url.ts";
import { type ConfigFile, configBase, readConfigFile } from "./config-file.ts";

/** Name of the store's folder. */
export const STORE_FOLDER = ".millrace";

/** Where the store is or would be, and why there. */
export interface StoreChoice {
  /** Absolute path of the store's folder: its records, and its values unless they lie in a bucket. */
  readonly folder: string;
  /** Where its values lie, if not in the folder. */
  readonly bucket?: BucketUrl;
  /** How many bytes of values of the bucket are kept in the folder, if that is set. */
  readonly cacheBytes?: number;
  /**
   * option: `--store`; environment: `MILLRACE_STORE`; file: `millrace.json` of the workspace; found: the nearest
   * `.millrace` upwards; workspace: none is there yet, and this is where a writer creates it.
   */
  readonly from: "option" | "environment" | "file" | "found" | "workspace";
  /** The file that names it, if one does. */
  readonly file?: string;
}

/**
 * Finds the store: the option, then the variable, then `millrace.json` beside the package.json of the workspace's root, then
 * the nearest `.millrace` from `cwd` upwards (as git looks for `.git`), then the workspace's root. What a team wrote down
 * goes before what happens to lie there. Creates nothing.
 *
 * @throws FlowError FLOW_CONFIG_BAD_STORE, FLOW_CONFIG_BAD_FILE
 */
export function findStore(input: {
  readonly option?: string;
  /** What messages call the option. Default `--store`. */
  readonly setting?: string;
  readonly variable?: string;
  readonly cwd: string;
}): StoreChoice {
  const { option, setting = "--store", variable, cwd } = input;
  if (option !== undefined) return named(option, { base: cwd, setting, cwd, from: "option" });
  if (variable !== undefined && variable !== "")
    return named(variable, { base: cwd, setting: "MILLRACE_STORE", cwd, from: "environment" });
  const config = readConfigFile(findWorkspaceRoot(cwd));
  if (config?.store !== undefined) {
    const { file, store } = config;
    return { ...named(store, { base: configBase(config), setting: `"${file}"`, cwd, from: "file" }, config), file };
  }
  const store = findFolder(cwd);
  if (store !== undefined) return atFolder({ folder: store, from: "found" }, cwd, config);
  return { folder: join(findWorkspaceRoot(cwd), STORE_FOLDER), from: "workspace" };
}

/**
 * Whether a store was found that lies outside of the project around `cwd`: it may be meant, as one for several projects, and
 * it may be one that somebody left in a home folder or in `/tmp`, which takes the runs of all that is below.
 */
export function isAboveProject({ folder, from }: Pick<StoreChoice, "folder" | "from">, cwd: string): boolean {
  if (from !== "found") return false;
  const root = findWorkspaceRoot(cwd);
  const isProject = existsSync(join(root, "package.json")) || existsSync(join(root, "pnpm-workspace.yaml"));
  return isProject && relative(root, folder).startsWith("..");
}

/** The nearest `.millrace` from a folder upwards. */
export function findFolder(cwd: string): string | undefined {
  return storeFolders(cwd).find(isFolder);
}

interface Naming {
  /** The folder that relative folders start from. */
  readonly base: string;
  readonly setting: string;
  readonly cwd: string;
  readonly from: StoreChoice["from"];
}

function named(text: string, { base, setting, cwd, from }: Naming, config?: ConfigFile): StoreChoice {
  const place = parseStoreText(text, { base, setting });
  if (place.kind === "folder") return atFolder({ folder: place.folder, from }, cwd, config);
  const { bucket } = place;
  const folder = findBucketFolder(bucket, storeFolders(cwd), join(findWorkspaceRoot(cwd), STORE_FOLDER));
  return inBucket({ folder, from }, bucket, cwd, config);
}

/** A folder may be the one of a bucket's store: code inside of steps, and people, name it by its path. */
function atFolder(choice: StoreChoice, cwd: string, config?: ConfigFile): StoreChoice {
  const bucket = bucketOfFolder(choice.folder);
  return bucket === undefined ? choice : inBucket(choice, bucket, cwd, config);
}

function inBucket(choice: StoreChoice, bucket: BucketUrl, cwd: string, config?: ConfigFile): StoreChoice {
  const cacheBytes = (config ?? readConfigFile(findWorkspaceRoot(cwd)))?.cacheBytes;
  return { ...choice, bucket, ...(cacheBytes === undefined ? {} : { cacheBytes }) };
}

function storeFolders(cwd: string): readonly string[] {
  return [...upwards(cwd)].map((folder) => join(folder, STORE_FOLDER));
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
  { folder, from, file, bucket }: StoreChoice,
  here: { readonly cwd: string; readonly user: number | undefined },
): void {
  // The folder of a bucket's store is looked for as well, whoever named the bucket.
  const found = [...(file === undefined ? [] : [file]), ...(from === "found" || bucket !== undefined ? [folder] : [])];
  for (const place of found) checkOwner(place, here);
}

function checkOwner(place: string, here: { readonly cwd: string; readonly user: number | undefined }): void {
  if (here.user === undefined || !existsSync(place)) return;
  const trusted = [here.user, 0, statSync(here.cwd, { throwIfNoEntry: false })?.uid];
  // The link too, if it is one: who may set it chooses where this user's data go.
  const stranger = [statSync(place).uid, lstatSync(place).uid].find((owner) => !trusted.includes(owner));
  if (stranger === undefined) return;
  throw new FlowError("FLOW_CLIENT_FOREIGN_STORE", {
    message: `Cannot use the store in "${place}": it belongs to another user (${stranger})`,
    hint: "Name it with --store or MILLRACE_STORE when you trust its owner, or name another one",
    context: { folder: place, owner: stranger },
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
