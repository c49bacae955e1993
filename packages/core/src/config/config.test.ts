import {
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { resolveConfig, resolveTrustedConfig } from "./config.ts";
import { checkStoreOwner } from "./find-store.ts";
import { MILLRACE_VERSION } from "./version.ts";

let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "millrace-config-")));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function folder(...parts: string[]): string {
  const path = join(root, ...parts);
  mkdirSync(path, { recursive: true });
  return path;
}

test("the option goes before the variable, the variable before the folder", () => {
  const cwd = folder("work");
  folder("work", ".millrace");
  const environment = { MILLRACE_STORE: "other" };
  expect(resolveConfig({ store: "mine", cwd, environment }).store).toEqual({
    folder: join(cwd, "mine"),
    from: "option",
  });
  expect(resolveConfig({ cwd, environment }).store).toEqual({ folder: join(cwd, "other"), from: "environment" });
  expect(resolveConfig({ cwd, environment: { MILLRACE_STORE: "" } }).store).toEqual({
    folder: join(cwd, ".millrace"),
    from: "found",
  });
});

test("the nearest store upwards is found, also above the workspace", () => {
  const store = folder(".millrace");
  const cwd = folder("a", "b");
  writeFileSync(join(root, "a", "package.json"), "{}");
  expect(resolveConfig({ cwd, environment: {} }).store).toEqual({ folder: store, from: "found" });
  const nearer = folder("a", ".millrace");
  expect(resolveConfig({ cwd, environment: {} }).store.folder).toBe(nearer);
});

test("a file called .millrace is no store", () => {
  const cwd = folder("a");
  writeFileSync(join(cwd, ".millrace"), "");
  expect(resolveConfig({ cwd, environment: {} }).store.from).toBe("workspace");
});

test("a new store belongs to the workspace's root, else to the nearest package, else here", () => {
  const cwd = folder("a", "b", "c");
  expect(resolveConfig({ cwd, environment: {} }).store).toEqual({ folder: join(cwd, ".millrace"), from: "workspace" });
  writeFileSync(join(root, "a", "b", "package.json"), "{}");
  expect(resolveConfig({ cwd, environment: {} }).store.folder).toBe(join(root, "a", "b", ".millrace"));
  writeFileSync(join(root, "a", "package.json"), JSON.stringify({ workspaces: ["b"] }));
  expect(resolveConfig({ cwd, environment: {} }).store.folder).toBe(join(root, "a", ".millrace"));
  rmSync(join(root, "a", "package.json"));
  writeFileSync(join(root, "pnpm-workspace.yaml"), "packages: []\n");
  expect(resolveConfig({ cwd, environment: {} }).store.folder).toBe(join(root, ".millrace"));
});

test("a package.json that cannot be read counts as a package", () => {
  const cwd = folder("a");
  writeFileSync(join(cwd, "package.json"), "{ not json");
  expect(resolveConfig({ cwd, environment: {} }).store.folder).toBe(join(cwd, ".millrace"));
});

test("MILLRACE_SHUFFLE is the seed of the order of tasks; without it there is none", () => {
  const shuffle = (environment: Record<string, string>) => resolveConfig({ cwd: root, environment }).shuffle;
  expect([shuffle({ MILLRACE_SHUFFLE: "17" }), shuffle({ MILLRACE_SHUFFLE: "" }), shuffle({})]).toEqual([
    "17",
    undefined,
    undefined,
  ]);
});

test("the actor is MILLRACE_USER, then USER, then LOGNAME, then whom the system names", () => {
  const actor = (environment: Record<string, string>) => resolveConfig({ cwd: root, environment }).actor;
  expect(actor({ MILLRACE_USER: "ana", USER: "bob", LOGNAME: "cid" })).toBe("ana");
  expect(actor({ MILLRACE_USER: " ", USER: "bob", LOGNAME: "cid" })).toBe("bob");
  expect(actor({ LOGNAME: "cid" })).toBe("cid");
  expect(actor({})).not.toBe("");
});

test("the configuration is frozen", () => {
  const config = resolveConfig({ cwd: root, environment: {} });
  expect(Object.isFrozen(config) && Object.isFrozen(config.store)).toBe(true);
});

test("the version is that of the package", () => {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  expect(MILLRACE_VERSION).toBe(manifest.version);
});

test("a store that was found must belong to this user, to root, or to the owner of the working directory", () => {
  const cwd = folder("a");
  const store = folder(".millrace");
  const owner = statSync(store).uid;
  const stranger = owner + 12_345;
  const at = (from: "found" | "option" | "environment", user: number | undefined) => () =>
    checkStoreOwner({ folder: store, from }, { cwd: join(root, "elsewhere"), user });
  expect(at("found", owner)).not.toThrow();
  if (owner === 0) expect(at("found", stranger)).not.toThrow();
  else expect(at("found", stranger)).toThrow(expect.objectContaining({ code: "FLOW_CLIENT_FOREIGN_STORE" }));
  expect(at("option", stranger)).not.toThrow();
  expect(at("environment", stranger)).not.toThrow();
  expect(at("found", undefined)).not.toThrow(); // a system without numbers for users
  // The owner of the working directory: their flows are what this user runs.
  expect(() => checkStoreOwner({ folder: store, from: "found" }, { cwd, user: stranger })).not.toThrow();
});

describe.skipIf(process.getuid?.() !== 0)("a store of a stranger", () => {
  const STRANGER = 54_321;
  const refused = expect.objectContaining({
    code: "FLOW_CLIENT_FOREIGN_STORE",
    message: expect.stringContaining(String(STRANGER)),
    hint: expect.stringContaining("--store"),
  });

  test("in a folder that all share is not taken for one's own", () => {
    const cwd = folder("mine");
    const store = folder(".millrace");
    chownSync(store, STRANGER, STRANGER);
    expect(() => resolveTrustedConfig({ cwd, environment: {} })).toThrow(refused);
    expect(resolveTrustedConfig({ cwd, environment: { MILLRACE_STORE: store } }).store.folder).toBe(store);
    expect(resolveConfig({ cwd, environment: {} }).store.folder).toBe(store);
    chownSync(cwd, STRANGER, STRANGER);
    expect(resolveTrustedConfig({ cwd, environment: {} }).store.folder).toBe(store);
  });

  test("is not reached through a stranger's link to a folder of one's own either", () => {
    const cwd = folder("mine");
    symlinkSync(folder("target"), join(root, ".millrace"));
    lchownSync(join(root, ".millrace"), STRANGER, STRANGER);
    expect(() => resolveTrustedConfig({ cwd, environment: {} })).toThrow(refused);
  });
});
