import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { resolveConfig } from "./config.ts";
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
