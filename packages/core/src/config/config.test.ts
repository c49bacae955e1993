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
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { noteBucket } from "./bucket-folder.ts";
import { resolveConfig, resolveTrustedConfig } from "./config.ts";
import { checkStoreOwner, isAboveProject } from "./find-store.ts";
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

test("a store that was found outside of the project is not taken for its own", () => {
  const isAbove = (cwd: string, input: { store?: string; variable?: string } = {}): boolean => {
    const { variable, ...option } = input;
    const environment = variable === undefined ? {} : { MILLRACE_STORE: variable };
    return isAboveProject(resolveConfig({ ...option, cwd, environment }).store, cwd);
  };
  const store = folder(".millrace");
  const cwd = folder("a", "b");
  expect(isAbove(cwd)).toBe(false); // Folders without a package.json are no projects.
  writeFileSync(join(root, "a", "package.json"), "{}");
  expect(isAbove(cwd)).toBe(true);
  expect([isAbove(cwd, { store }), isAbove(cwd, { variable: store })]).toEqual([false, false]);
  writeFileSync(join(root, "package.json"), JSON.stringify({ workspaces: ["a"] }));
  expect(isAbove(cwd)).toBe(false);
  rmSync(join(root, "package.json"));
  folder("a", ".millrace");
  expect(isAbove(cwd)).toBe(false);
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

describe("millrace.json", () => {
  const settings = (content: unknown, ...at: string[]) =>
    writeFileSync(
      join(folder(...at), "millrace.json"),
      typeof content === "string" ? content : JSON.stringify(content),
    );

  test("names the store of a workspace, behind the option and the variable and before any .millrace", () => {
    const cwd = folder("a", "b");
    writeFileSync(join(root, "a", "package.json"), "{}");
    folder("a", "b", ".millrace"); // nearer, and still not meant
    settings({ store: "data/runs" }, "a");
    const file = join(root, "a", "millrace.json");
    const chosen = (input: { store?: string; environment?: Record<string, string> } = {}) =>
      resolveConfig({ cwd, environment: {}, ...input }).store;
    expect(chosen()).toEqual({ folder: join(root, "a", "data", "runs"), from: "file", file });
    expect(chosen({ environment: { MILLRACE_STORE: "other" } }).folder).toBe(join(cwd, "other"));
    expect(chosen({ store: "mine" }).folder).toBe(join(cwd, "mine"));
  });

  test("without a store leaves the choice as it is, and its cache size goes to buckets alone", () => {
    const cwd = folder("a", "b");
    writeFileSync(join(root, "a", "package.json"), "{}");
    settings({ cacheBytes: 5_000 }, "a");
    expect(resolveConfig({ cwd, environment: {} }).store).toEqual({
      folder: join(root, "a", ".millrace"),
      from: "workspace",
    });
    const { store } = resolveConfig({ cwd, environment: { MILLRACE_STORE: "s3://team-data" } });
    expect(store.cacheBytes).toBe(5_000);
  });

  test("has the say over the cache where the environment has none", () => {
    const cwd = folder("a");
    writeFileSync(join(cwd, "package.json"), "{}");
    settings({ cacheBytes: 5_000 }, "a");
    const cacheBytes = (text: string) =>
      resolveConfig({ cwd, environment: { MILLRACE_STORE: "s3://team-data", MILLRACE_CACHE_BYTES: text } }).store
        .cacheBytes;
    expect(["", "2GB", "1000"].map(cacheBytes)).toEqual([5_000, 2e9, 1_000]);
    expect(() => cacheBytes("much")).toThrow(expect.objectContaining({ code: "FLOW_CONFIG_BAD_CACHE" }));
    expect(resolveConfig({ cwd, environment: { MILLRACE_CACHE_BYTES: "2GB" } }).store.cacheBytes).toBeUndefined();
  });

  test("is looked for at the workspace's root alone", () => {
    const cwd = folder("a", "b");
    writeFileSync(join(root, "a", "package.json"), JSON.stringify({ workspaces: ["b"] }));
    writeFileSync(join(cwd, "package.json"), "{}");
    settings({ store: "wrong" }, "a", "b");
    settings({ store: "right" }, "a");
    expect(resolveConfig({ cwd, environment: {} }).store.folder).toBe(join(root, "a", "right"));
  });

  test.each([
    ["{ not json, with AKIA0000 inside", ["it is no JSON"]],
    ["[]", ["it is no JSON object"]],
    [{ stor: "x" }, ['"stor" is not known: it takes store, cacheBytes']],
    [
      { store: 7, cacheBytes: 1.5, constructor: 1 },
      [
        '"store" is no text that names a store',
        '"cacheBytes" is no whole number of bytes, 0 or more',
        '"constructor" is not known: it takes store, cacheBytes',
      ],
    ],
    [{ cacheBytes: -1 }, ['"cacheBytes" is no whole number of bytes, 0 or more']],
  ])("%j is refused with all that is wrong", (content, problems) => {
    const cwd = folder("a");
    settings(content, "a");
    const file = join(cwd, "millrace.json");
    expect(() => resolveConfig({ cwd, environment: {} })).toThrow(
      expect.objectContaining({
        code: "FLOW_CONFIG_BAD_FILE",
        message: `Cannot use the settings in "${file}": ${problems.join("; ")}`,
        context: { file, problems },
      }),
    );
  });

  test("that is a folder is refused, and a store that it cannot mean is told with the file", () => {
    const cwd = folder("a");
    folder("a", "millrace.json");
    expect(() => resolveConfig({ cwd, environment: {} })).toThrow(/EISDIR/);
    rmSync(join(cwd, "millrace.json"), { recursive: true });
    settings({ store: "ftp://x/y" }, "a");
    expect(() => resolveConfig({ cwd, environment: {} })).toThrow(
      expect.objectContaining({
        code: "FLOW_CONFIG_BAD_STORE",
        message: expect.stringContaining(join(cwd, "millrace.json")),
      }),
    );
  });

  test.skipIf(process.getuid?.() !== 0)("of a stranger is not followed", () => {
    const cwd = folder("mine");
    writeFileSync(join(root, "package.json"), "{}");
    settings({ store: "s3://stranger" });
    lchownSync(join(root, "millrace.json"), 54_321, 54_321);
    expect(() => resolveTrustedConfig({ cwd, environment: {} })).toThrow(
      expect.objectContaining({ code: "FLOW_CLIENT_FOREIGN_STORE", message: expect.stringContaining("millrace.json") }),
    );
  });
});

describe("a store in a bucket", () => {
  const bucketOf = (cwd: string, text: string) => resolveConfig({ cwd, environment: { MILLRACE_STORE: text } }).store;

  test("has its records below the workspace's .millrace, or where they were made before", () => {
    const cwd = folder("a", "b");
    writeFileSync(join(root, "a", "package.json"), "{}");
    const store = bucketOf(cwd, "s3://team-data/models");
    expect(store).toMatchObject({ from: "environment", bucket: { kind: "s3", text: "s3://team-data/models" } });
    expect(store.folder).toMatch(/^\/.*\/a\/\.millrace\/buckets\/s3-team-data-models-[0-9a-f]{8}$/);
    expect(store.folder.startsWith(join(root, "a", ".millrace", "buckets"))).toBe(true);
    const made = folder(".millrace", "buckets", basename(store.folder));
    expect(bucketOf(cwd, "s3://team-data/models/").folder).toBe(made);
  });

  test("is another one at another place, and the same one however it is reached", () => {
    const name = (text: string) => basename(bucketOf(root, text).folder);
    const one = name("s3://data/x?endpoint=http://127.0.0.1:9000");
    expect(name("s3://data/x?region=eu-1&pathStyle=true&endpoint=http://127.0.0.1:9000/")).toBe(one);
    const others = ["s3://data/x", "s3://data-x", "gs://data/x", "s3://data/x?endpoint=http://127.0.0.1:9001"];
    expect(new Set([one, ...others.map(name)]).size).toBe(5);
    expect(name(`s3://${"b".repeat(63)}/${"p/".repeat(49)}`).length).toBeLessThan(100);
  });

  test("is meant by the path of its folder too, as code inside of a step names it", () => {
    const first = bucketOf(root, "s3://data/x?region=eu-1");
    noteBucket(first.folder, first.bucket!);
    const again = resolveConfig({ store: first.folder, cwd: tmpdir(), environment: {} }).store;
    expect(again).toEqual({ folder: first.folder, bucket: first.bucket, from: "option" });
    writeFileSync(join(first.folder, "bucket.json"), "{}");
    expect(() => resolveConfig({ store: first.folder, cwd: root, environment: {} })).toThrow(
      expect.objectContaining({ code: "FLOW_CONFIG_BAD_STORE", message: expect.stringContaining("bucket.json") }),
    );
  });

  test.skipIf(process.getuid?.() !== 0)("does not take its records from a stranger", () => {
    const cwd = folder("mine");
    const { folder: local } = bucketOf(cwd, "s3://data");
    const planted = folder(".millrace", "buckets", basename(local));
    chownSync(planted, 54_321, 54_321);
    expect(() => resolveTrustedConfig({ cwd, environment: { MILLRACE_STORE: "s3://data" } })).toThrow(
      expect.objectContaining({ code: "FLOW_CLIENT_FOREIGN_STORE" }),
    );
  });
});
