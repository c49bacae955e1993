/** Records that were built anew survive a power cut from the moment at which they are there. */
import fs from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { initStore } from "../../packages/core/src/wiring/init-store.ts";
import { rebuildStore } from "../../packages/core/src/wiring/rebuild-store.ts";
import { type FakeS3, startFakeS3 } from "../kit/fake-s3.ts";
import { Project } from "../kit/project.ts";

let server: FakeS3;
beforeAll(async () => {
  server = await startFakeS3();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});
afterAll(() => server.stop());

test("the folder is synced after the records got their name", async () => {
  await using project = new Project();
  for (const [name, value] of [
    ["AWS_ACCESS_KEY_ID", "key"],
    ["AWS_SECRET_ACCESS_KEY", "secret"],
    ["AWS_REGION", "eu-1"],
  ] as const)
    vi.stubEnv(name, value);
  const request = { store: `s3://bucket/durable?endpoint=${server.endpoint}`, cwd: project.folder, environment: {} };
  const { folder } = await initStore(request);
  fs.rmSync(folder, { recursive: true });
  const done: string[] = [];
  const places = new Map<number, string>();
  const { openSync, renameSync, fsyncSync } = fs;
  vi.spyOn(fs, "openSync").mockImplementation((file, ...rest) => {
    const descriptor = openSync(file, ...rest);
    places.set(descriptor, String(file));
    return descriptor;
  });
  vi.spyOn(fs, "renameSync").mockImplementation((from, to) => {
    renameSync(from, to);
    if (String(to) === path.join(folder, "millrace.db")) done.push("named");
  });
  vi.spyOn(fs, "fsyncSync").mockImplementation((descriptor) => {
    fsyncSync(descriptor);
    if (places.get(descriptor) === folder) done.push("synced");
  });
  await rebuildStore(request);
  expect(done.slice(done.indexOf("named"))).toEqual(["named", "synced"]);
}, 30_000);
