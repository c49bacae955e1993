/** `flow lineage … --openlineage`: events in a file and over real HTTP, held against the specification. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { openLineageEvents, sendEvents, traceLineage } from "@millrace/core/internal";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { openLineageEvent } from "../kit/openlineage-schema.ts";
import { Project } from "../kit/project.ts";
import { flowText } from "../scenarios/observe.ts";

const project = new Project({
  "package.json": JSON.stringify({ name: "@acme/shop", type: "module" }),
  "rows.ts": flowText(
    "Rows",
    `readonly facets = param(z.string().default("odd")); readonly settings = includeFile({ default: "settings.txt" });
    rows!: number[]; @step({ next: "end" }) start() { this.rows = [this.settings.length]; } @step() end() {}`,
  ),
  "settings.txt": "x",
  "train.ts": flowText(
    "Train",
    `readonly source = upstream(Rows); readonly bad = param(z.boolean().default(false)); model!: string;
    @step({ next: "end" }) async start() {
      this.model = "m" + this.source.data.rows.length;
      if (this.bad) throw new Error("no luck");
      await run(Fit);
    }
    @step() end() {}`,
    `import { run } from "@millrace/core"; import Rows from "./rows.ts"; export class Fit extends Flow { @step() start() {} }`,
  ),
});

/** What came in, and what is answered. */
const got: { readonly body: any; readonly headers: IncomingHttpHeaders; readonly url: string | undefined }[] = [];
let answer: (response: ServerResponse, count: number) => void = (response) => response.end();
const server = createServer((request, response) => {
  let text = "";
  request.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
  });
  request.on("end", () => {
    got.push({ body: JSON.parse(text), headers: request.headers, url: request.url });
    answer(response, got.length);
  });
});
let endpoint = "";

beforeAll(async () => {
  execFileSync("git", ["init", "-q"], { cwd: project.folder });
  const git = (...words: string[]) =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b.c", ...words], { cwd: project.folder });
  git("remote", "add", "origin", "git@example.org:acme/shop.git");
  git("commit", "-q", "--allow-empty", "-m", "first");
  expect((await project.here(["run", "rows.ts", "--quiet"])).code).toBe(0);
  const train = await project.here(["run", "train.ts", "--quiet", "--tag", "prod:v1"]);
  expect(train.code, train.stderr).toBe(0);
  expect((await project.here(["run", "train.ts", "--quiet", "--bad"])).code).toBe(1);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/lineage`;
}, 300_000);
afterEach(() => {
  got.length = 0;
  answer = (response) => response.end();
});
afterAll(async () => {
  server.close();
  await project[Symbol.asyncDispose]();
});

test("a file holds one event a line, each valid, the oldest run first", async () => {
  const { code, stdout, stderr } = await project.flow(["lineage", "Train/1", "--openlineage", "events.ndjson"]);
  expect([code, stdout, stderr]).toEqual([0, "", "✓ 6 events to events.ndjson\n"]);
  const events = fs
    .readFileSync(project.file("events.ndjson"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => openLineageEvent.parse(JSON.parse(line)));
  expect(events.map(({ eventType, job }) => `${job.namespace} ${job.name} ${eventType}`)).toEqual([
    "millrace://%40acme%2Fshop Rows START",
    "millrace://%40acme%2Fshop Rows COMPLETE",
    "millrace://%40acme%2Fshop Train START",
    "millrace://%40acme%2Fshop Train COMPLETE",
    "millrace://%40acme%2Fshop Fit START",
    "millrace://%40acme%2Fshop Fit COMPLETE",
  ]);
  const [, rows, , train, fit] = events;
  const [shown] = (await project.flow(["show", "Rows/1", "--json"])).lines;
  const digest = shown.artifacts.find(({ name }: { name: string }) => name === "rows").digest;
  // What one run left is what the other one read: the same name, the same version.
  expect(rows?.outputs).toMatchObject([
    { name: "Rows.rows", facets: { version: { datasetVersion: `sha256:${digest}` } } },
  ]);
  expect(train?.inputs).toMatchObject([
    {
      name: "Rows.rows",
      facets: { version: { datasetVersion: `sha256:${digest}` } },
      inputFacets: { millrace_read: { run: "Rows/1" } },
    },
  ]);
  expect(rows?.inputs).toMatchObject([{ name: "Rows.settings", facets: { millrace_value: { kind: "file" } } }]);
  expect(rows?.run.facets.millrace_run.parameters).toEqual({ facets: "odd" });
  expect(fit?.run.facets.parent).toMatchObject({ run: { runId: train?.run.runId }, job: { name: "Train" } });
  expect(train?.job.facets.sourceCodeLocation).toMatchObject({
    type: "git",
    url: "ssh://example.org/acme/shop.git",
    path: "train.ts",
  });
  expect(train?.job.facets.millrace_codePackage).toMatchObject({
    digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    entry: "train.ts",
  });
});

test("a failed run has a FAIL with its message", async () => {
  const { lines } = await project.flow(["lineage", "Train/2", "--depth", "0", "--openlineage", "-"]);
  const events = lines.map((line) => openLineageEvent.parse(line));
  expect(events.map(({ eventType }) => eventType)).toEqual(["START", "FAIL"]);
  expect(events[1]?.run.facets.errorMessage?.message).toContain("no luck");
});

test("an endpoint gets each event by POST, with the key from the environment", async () => {
  const env = { OPENLINEAGE_API_KEY: "the-key-7", OTHER: "other-key" };
  const words = ["lineage", "Train/1", "--openlineage", endpoint];
  const sent = await project.flow(words, { env });
  expect([sent.code, sent.stderr]).toEqual([0, `✓ 6 events to ${endpoint}\n`]);
  expect(got.map(({ url, headers }) => [url, headers["content-type"], headers.authorization])).toEqual(
    Array.from({ length: 6 }, () => ["/api/v1/lineage", "application/json", "Bearer the-key-7"]),
  );
  for (const { body } of got) openLineageEvent.parse(body);
  expect(got.map(({ body }) => body.eventType)).toEqual([
    "START",
    "COMPLETE",
    "START",
    "COMPLETE",
    "START",
    "COMPLETE",
  ]);
  got.length = 0;
  await project.flow([...words, "--depth", "0", "--key-env", "OTHER"], { env });
  expect(got.map(({ headers }) => headers.authorization)).toEqual(["Bearer other-key", "Bearer other-key"]);
});

/** The events of one run, sent without waiting for long. */
async function send(options: Parameters<typeof sendEvents>[2] = {}): Promise<number> {
  const { metadata } = await project.stores();
  const [run] = await metadata.runByNumber({ name: "Rows" }, 1);
  const lineage = await traceLineage(metadata, run!);
  return await sendEvents(new URL(endpoint), openLineageEvents(metadata, lineage), { waitsMs: [1, 1], ...options });
}

test("what may pass is tried again, and each event arrives in the end", async () => {
  answer = (response, count) => {
    response.statusCode = [503, 429, 200, 408, 201][count - 1] ?? 200;
    response.end();
  };
  expect(await send()).toBe(2);
  expect(got.map(({ body }) => body.eventType)).toEqual(["START", "START", "START", "COMPLETE", "COMPLETE"]);
});

test("what an endpoint refuses, or sends elsewhere, is told with how far it came, and the key is not", async () => {
  answer = (response, count) => {
    response.statusCode = count === 1 ? 200 : 422;
    response.end("bad event for the-key-7");
  };
  await expect(send({ key: "the-key-7" })).rejects.toMatchObject({
    code: "FLOW_LINEAGE_NOT_SENT",
    message: `Cannot send to "${endpoint}": it answered 422 (bad event for …), after 1 events were sent`,
  });
  expect(got).toHaveLength(2);
  got.length = 0;
  answer = (response) => {
    response.writeHead(307, { location: `${endpoint}/elsewhere` });
    response.end();
  };
  await expect(send({ key: "k" })).rejects.toMatchObject({ message: expect.stringContaining("it answered 307") });
  expect(got.map(({ url }) => url)).toEqual(["/api/v1/lineage"]);
});

test("silence has an end, and so has an endpoint that always fails", async () => {
  answer = () => {};
  await expect(send({ timeoutMs: 50 })).rejects.toMatchObject({
    message: expect.stringContaining("it gave no answer within 50 ms in 3 attempts, after 0 events"),
  });
  const closed = await project.flow(["lineage", "Rows/1", "--openlineage", "http://127.0.0.1:9/x?token=hush"]);
  expect(closed.code).toBe(1);
  expect(closed.stderr).toContain('Cannot send to "http://127.0.0.1:9/x": it cannot be reached in 4 attempts');
  expect(closed.stderr).not.toContain("hush");
}, 60_000);

test("credentials in the address, a missing key and a file in the store are refused", async () => {
  for (const [words, code, why] of [
    [["--openlineage", "http://me:hush@127.0.0.1:9/x"], 2, "must not hold a user or a password"],
    [["--openlineage", endpoint, "--key-env", "NOWHERE"], 2, 'the environment variable "NOWHERE" holds nothing'],
    [["--openlineage", "out.ndjson", "--key-env", "NOWHERE"], 2, "a file needs none"],
    [["--openlineage", ".millrace/millrace.db"], 1, "it lies in the store"],
    [["--openlineage", "no/such/folder"], 1, "FLOW_CLI_OUTPUT_NOT_WRITABLE"],
  ] as const) {
    const refused = await project.flow(["lineage", "Rows/1", ...words]);
    expect([refused.code, refused.stdout], words.join(" ")).toEqual([code, ""]);
    expect(refused.stderr).toContain(why);
    expect(refused.stderr).not.toContain("hush");
  }
  expect(got).toEqual([]);
});

test("datasets tell their fields: those of declared schemas, and the columns of tables", {
  timeout: 120_000,
}, async () => {
  project.write({
    "tables.ts": flowText(
      "Tables",
      `declared = artifact(z.object({
        threshold: z.number().describe("Above it the alarm rings"),
        names: z.array(z.string()),
        best: z.object({ at: z.string().nullable() }),
      }));
      rows = artifact(z.array(z.object({ x: z.number(), label: z.enum(["a", "b"]) })));
      score = artifact(z.number());
      table!: Record<string, unknown>; parquet!: StoredModel<Table>; arrow!: StoredModel<Table>; model!: unknown; uneven!: unknown; huge!: unknown;
      @step({ next: "end" }) async start() {
        this.declared = { threshold: 1, names: ["a"], best: { at: null } };
        this.rows = [{ x: 1, label: "a" }];
        this.score = 1;
        this.table = { delay: Float64Array.of(1, 2), origin: ["LAS", "ATL"], flights: Int32Array.of(1, 2) };
        const table = { delay: Float64Array.of(1, 2), origin: ["LAS", "ATL"] };
        this.parquet = await storeTable(table, { format: "parquet" });
        this.arrow = await storeTable(table, { format: "arrow" });
        this.model = { trees: 3 };
        this.uneven = { a: Float64Array.of(1), b: Float64Array.of(1, 2) };
        this.huge = { column: new Float64Array(1_100_000) };
      }
      @step() end() {}`,
      `import { artifact } from "@millrace/core"; import { storeTable, type StoredModel, type Table } from "@millrace/ml";`,
    ),
    "reads.ts": flowText(
      "Reads",
      `readonly source = upstream(Tables); sum!: number;
      @step() start() { this.sum = this.source.data.score + Object.keys(this.source.data.table).length; }`,
      `import Tables from "./tables.ts";`,
    ),
  });
  for (const file of ["tables.ts", "reads.ts"]) {
    const { code, stderr } = await project.here(["run", file, "--quiet"]);
    expect(code, stderr).toBe(0);
  }
  const { lines } = await project.flow(["lineage", "Reads/1", "--openlineage", "-"]);
  const [, tables, , reads] = lines.map((line) => openLineageEvent.parse(line));
  const fieldsOf = (datasets: readonly { name: string; facets: any }[]) =>
    Object.fromEntries(datasets.map(({ name, facets }) => [name.split(".")[1], facets.schema?.fields]));
  const table = [
    { name: "delay", type: "float64" },
    { name: "origin", type: "string" },
    { name: "flights", type: "int32" },
  ];
  expect(fieldsOf(tables!.outputs)).toEqual({
    declared: [
      { name: "threshold", type: "number", description: "Above it the alarm rings" },
      { name: "names", type: "array<string>" },
      { name: "best", type: "object", fields: [{ name: "at", type: "string | null" }] },
    ],
    rows: [
      { name: "x", type: "number" },
      { name: "label", type: "string" },
    ],
    score: [{ name: "score", type: "number" }],
    table,
    parquet: table.slice(0, 2),
    arrow: table.slice(0, 2),
    model: undefined,
    uneven: undefined,
    huge: undefined, // More than is read for it.
  });
  expect(fieldsOf(reads!.inputs)).toEqual({ score: [{ name: "score", type: "number" }], table });
  expect(tables!.outputs.find(({ name }) => name === "Tables.table")!.facets.schema!._schemaURL).toBe(
    "https://openlineage.io/spec/facets/1-1-1/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet",
  );
});
