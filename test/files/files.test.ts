/** Files and folders as artifacts: kept by a step, read by others, by other flows and by programs. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StoredFile, StoredFolder } from "@millrace/core";
import { afterAll, expect, test } from "vitest";
import { Project } from "../kit/project.ts";
import { flowText } from "../scenarios/observe.ts";

const project = new Project({
  "fit.ts": flowText(
    "Fit",
    `
    readonly bytes = param(z.coerce.number().default(50_000));
    network!: StoredFile; small!: StoredFile; checkpoint!: StoredFolder; same!: StoredFile; sum!: string; again!: StoredFile;
    @step({ next: "end" }) async start() {
      mkdirSync("out/deep/er", { recursive: true });
      this.network = file("out/network.onnx");
      writeFileSync("out/network.onnx", Buffer.alloc(this.bytes, "weights of a network. "));
      writeFileSync("out/deep/a.txt", "a");
      writeFileSync("out/deep/er/" + "n".repeat(120) + ".bin", Buffer.alloc(20_000, 7));
      writeFileSync("out/deep/empty", "");
      this.small = file(Buffer.from("small"), { name: "größe.txt" });
      this.checkpoint = folder("out/deep");
    }
    @step() async end() {
      this.same = this.network;
      this.sum = this.network.digest + " " + (await this.small.text()) + " " + (await this.checkpoint.bytes("a.txt"));
      this.again = file(await this.network.copyTo("again.onnx"));
    }`,
    'import { mkdirSync, writeFileSync } from "node:fs"; import { file, folder, type StoredFile, type StoredFolder } from "@millrace/core";',
  ),
});
afterAll(() => project[Symbol.asyncDispose]());
const other = project.file("other");

async function done(...words: readonly string[]): Promise<any[]> {
  const { code, stderr, lines } = await project.here([...words, "--json"]);
  if (code !== 0) throw new Error(`${words.join(" ")}: ${code} ${stderr} ${JSON.stringify(lines.at(-1))}`);
  return lines as any[];
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

test("files and folders are kept, read, moved and given back", { timeout: 120_000 }, async () => {
  mkdirSync(project.file("out"));
  await done("run", "fit.ts");
  const network = Buffer.alloc(50_000, "weights of a network. ");
  const values = Object.fromEntries((await done("dump", "Fit/1")).map((line) => [line.name, line]));
  expect(values.network).toMatchObject({ codec: "file:network.onnx", digest: sha256(network), sizeBytes: 50_000 });
  expect(values.network.value).toEqual({ name: "network.onnx", digest: sha256(network), sizeBytes: 50_000 });
  expect(values.same).toMatchObject({ codec: "file:network.onnx", digest: sha256(network) });
  expect(values.small).toMatchObject({ codec: "file:größe.txt", digest: sha256(Buffer.from("small")) });
  expect(values.again).toMatchObject({ codec: "file:again.onnx", digest: sha256(network) });
  expect(values.sum.value).toBe(`${sha256(network)} small a`);

  // A folder is a tar that others can read, and an equal folder has an equal digest.
  await done("dump", "Fit/1", "checkpoint", "-o", "folder.tar");
  const { stdout } = spawnSync("tar", ["tvf", project.file("folder.tar")], { encoding: "utf8" });
  expect(stdout.split("\n").map((line) => line.split(" ").at(-1))).toEqual([
    "a.txt",
    "empty",
    `er/${"n".repeat(120)}.bin`,
    "",
  ]);
  await done("run", "fit.ts", "--bytes", "60000000"); // Stored in pieces.
  const second = Object.fromEntries((await done("dump", "Fit/2")).map((line) => [line.name, line]));
  expect(second.checkpoint.digest).toBe(values.checkpoint.digest);
  expect(second.network.sizeBytes).toBe(60_000_000);
  await done("dump", "Fit/2", "network", "-o", "network.bin");
  expect(readFileSync(project.file("network.bin")).equals(Buffer.alloc(60_000_000, "weights of a network. "))).toBe(
    true,
  );

  await done("export", "Fit/1", "-o", "runs.tar");
  await done("import", "runs.tar", "--store", other);
  await done("store", "verify", "--read-data", "--store", other);
  await done("store", "verify", "--read-data");
  expect((await done("dump", "Fit/1", "network", "--store", other))[0].digest).toBe(values.network.digest);

  const run = await (await project.client()).runs("Fit").get(1);
  const folder = (await (run as any).data.checkpoint) as StoredFolder;
  expect(await folder.files()).toEqual([
    { path: "a.txt", sizeBytes: 1 },
    { path: "empty", sizeBytes: 0 },
    { path: `er/${"n".repeat(120)}.bin`, sizeBytes: 20_000 },
  ]);
  const copy = await folder.copyTo(project.file("copy"));
  expect(readdirSync(copy, { recursive: true }).sort()).toEqual(["a.txt", "empty", "er", `er/${"n".repeat(120)}.bin`]);
  await expect(folder.copyTo(copy)).rejects.toMatchObject({ code: "FLOW_ARTIFACT_FOLDER_TAKEN" });
  await expect(folder.bytes("b.txt")).rejects.toMatchObject({ code: "FLOW_ARTIFACT_NO_FILE" });
});

test("what cannot be kept fails its task, and names the file", { timeout: 120_000 }, async () => {
  project.write({ "folder/a.txt": "a" });
  symlinkSync("/etc/passwd", project.file("folder/link"));
  for (const [source, message] of [
    ['file("missing.bin")', "missing.bin"],
    ['file("folder")', "it is a folder"],
    ['folder("folder")', "it is a link"],
    ['file(Buffer.from("x"), { name: "../x" })', "separator"],
    ['({ a: file("package.json") })', "it is a file inside of another value"],
  ] as const) {
    project.write({
      "bad.ts": flowText(
        "Bad",
        `kept!: unknown; @step() start() { this.kept = ${source}; }`,
        'import { file, folder } from "@millrace/core";',
      ).replace("@step()", "@step()"),
    });
    const { code, lines } = await project.here(["run", "bad.ts", "--json"]);
    expect([source, code]).toEqual([source, 1]);
    if (!source.startsWith("({")) expect(JSON.stringify(lines.at(-1))).toContain("FLOW_ARTIFACT_BAD_FILE");
    expect(JSON.stringify(lines.at(-1))).toContain(message);
  }
});

test("a damaged file is an error when its bytes are read, by every way, and nothing is left of a copy", async () => {
  const run = await (await project.client()).runs("Fit").get(1);
  const network = (await (run as any).data.network) as StoredFile;
  const blob = join(project.store, "blobs/sha256", network.digest!.slice(0, 2), `${network.digest}.zst`);
  writeFileSync(blob, readFileSync(blob).fill(0, 20, 30));
  const damaged = { code: "FLOW_ARTIFACT_DAMAGED" };
  await expect(network.bytes()).rejects.toMatchObject(damaged);
  expect(() => network.bytesSync()).toThrow(expect.objectContaining(damaged));
  await expect(network.copyTo(project.file("copied.onnx"))).rejects.toMatchObject(damaged);
  expect(existsSync(project.file("copied.onnx"))).toBe(false);
  expect(readdirSync(project.folder).filter((name) => name.endsWith(".part"))).toEqual([]);
});

test("what a step goes on changing while its files are read is stored as it was hashed", {
  timeout: 60_000,
}, async () => {
  project.write({
    "restless.ts": flowText(
      "Restless",
      `
      numbers!: Float64Array; report!: StoredFile;
      @step({ next: "end" }) start() {
        this.numbers = Float64Array.from({ length: 50_000 }, (_, index) => Math.sqrt(index));
        this.report = file(Buffer.alloc(3_000_000, "report"), { name: "report.txt" });
        const { numbers } = this;
        void (async () => { for (let turn = 0; turn < 50_000; turn++) { await null; numbers[turn % 50_000]! += 1; } })();
      }
      @step() end() {}`,
      'import { file, type StoredFile } from "@millrace/core";',
    ),
  });
  const store = project.file("restless");
  await done("run", "restless.ts", "--store", store);
  expect((await done("store", "verify", "--read-data", "--store", store)).at(-1)).toMatchObject({ ok: true });
  expect((await done("dump", "Restless/1", "report", "--store", store))[0].sizeBytes).toBe(3_000_000);
  await done("pull", "Restless/1", "numbers", "-o", "numbers.bin", "--store", store);
});
