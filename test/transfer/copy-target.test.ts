import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test, vi } from "vitest";
import { inspectFolder } from "../../packages/core/src/storage/fs/inspect-folder.ts";
import { prepareCopyTarget } from "../../packages/core/src/wiring/copy-target.ts";

test("what a copy leaves that was killed is known as a file that was being written", () => {
  const folder = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "millrace-copy-")), "store");
  const to = { folder, from: "option" } as const;
  const rename = vi.spyOn(fs, "renameSync").mockImplementationOnce(() => {
    throw new Error("killed");
  });
  expect(() => prepareCopyTarget(to, "01932c0e-0000-7000-8000-000000000000")).toThrow("killed");
  rename.mockRestore();
  expect(fs.readdirSync(path.join(folder, "tmp"))).toHaveLength(1);
  expect([...inspectFolder(folder, { isAlive: () => false }).notes()].map(({ kind }) => kind)).toEqual(["temporary"]);
  fs.rmSync(path.dirname(folder), { recursive: true });
});
