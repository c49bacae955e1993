/**
 * A real store in a temporary folder, with runs written through the records themselves: what a runner would leave, without
 * running anything. Faults are planted by hand, in files and by SQL on a connection of its own.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EncodedArtifact } from "../../packages/core/src/artifact/artifact.ts";
import { type ItemPage, ItemPageWriter } from "../../packages/core/src/artifact/item-pages.ts";
import { encodeValue } from "../../packages/core/src/artifact/value-codec.ts";
import { readProcessIdentity } from "../../packages/core/src/config/process-identity.ts";
import type { UpstreamDefinition } from "../../packages/core/src/flow/definition.ts";
import { newRunId } from "../../packages/core/src/ids/run-id.ts";
import {
  type ResolvedUpstream,
  resolveUpstreams,
  type UpstreamRequest,
} from "../../packages/core/src/lineage/resolve-upstreams.ts";
import type {
  ArtifactRow,
  NewBlob,
  NewTask,
  RunRow,
  TaskSequence,
  UpstreamRead,
} from "../../packages/core/src/metadata/metadata-store.ts";
import { type Connection, openWriter } from "../../packages/core/src/metadata/sqlite/connection.ts";
import { type OpenStores, openStores } from "../../packages/core/src/wiring/open-stores.ts";

export const PROJECT = "shop";

export interface WrittenRun {
  readonly project?: string;
  readonly formerly?: readonly string[];
  readonly status?: "succeeded" | "failed" | "cancelled" | "running";
  readonly tags?: readonly string[];
  readonly parameters?: Readonly<Record<string, string | number>>;
  /** What the start task sets; the end task inherits it. */
  readonly artifacts?: Readonly<Record<string, unknown>>;
  /** The same, encoded already: for bytes that this program would not write. */
  readonly encoded?: Readonly<Record<string, EncodedArtifact>>;
  /** Items of a foreach between start and end: one task each, that sets `square`. */
  readonly items?: number;
  /** Items that the start task split into, without tasks for them. */
  readonly pages?: readonly ItemPage[];
  readonly upstreams?: readonly ResolvedUpstream[];
  /** Artifacts that the start task read, by upstream: `{ model: ["modeler"] }`. */
  readonly reads?: Readonly<Record<string, readonly string[]>>;
  /** An artifact read through the client, without an upstream field. */
  readonly clientReads?: readonly { readonly producer: RunRow; readonly artifact: ArtifactRow }[];
  readonly createdAt?: Date;
  readonly packageDigest?: RunRow["packageDigest"];
}

export class WrittenStore {
  readonly folder: string;
  readonly stores: OpenStores;

  private constructor(folder: string, stores: OpenStores) {
    this.folder = folder;
    this.stores = stores;
  }

  static async create(): Promise<WrittenStore> {
    const folder = join(mkdtempSync(join(tmpdir(), "millrace-client-")), "store");
    return new WrittenStore(folder, await openStores({ store: folder, cwd: tmpdir(), environment: {}, create: true }));
  }

  get metadata(): OpenStores["metadata"] {
    return this.stores.metadata;
  }

  /** Writes a whole run: start, perhaps one task an item, end. */
  async run(flow: string, options: WrittenRun = {}): Promise<RunRow> {
    const { metadata } = this;
    const createdAt = options.createdAt ?? new Date();
    const blobs: NewBlob[] = [];
    const keep = (name: string, value: unknown): ArtifactRow => keepEncoded(name, encodeValue(value));
    const keepEncoded = (name: string, encoded: EncodedArtifact): ArtifactRow => {
      blobs.push(this.stores.artifacts.storeSync(encoded));
      return { name, codec: encoded.codec, digest: encoded.digest, sizeBytes: encoded.sizeBytes };
    };
    const values = Object.entries(options.parameters ?? {}).map(([name, value]) => ({
      ...keep(name, value),
      kind: "parameter" as const,
    }));
    const upstreams = options.upstreams ?? [];
    const run = await metadata.createRun({
      id: newRunId(),
      flow: { project: options.project ?? PROJECT, name: flow },
      formerly: options.formerly ?? [],
      createdAt,
      tags: options.tags ?? [],
      systemTags: [],
      parameters: options.parameters ?? {},
      secretParameters: [],
      values,
      ...(options.packageDigest === undefined ? {} : { packageDigest: options.packageDigest }),
      environment: {
        millrace: "0.1.0",
        node: "v24",
        os: "linux",
        arch: "x64",
        host: "here",
        actor: "ana",
        cwd: "/",
        command: [],
      },
      upstreams,
      blobs: blobs.splice(0),
      actor: "ana",
      host: "here",
      execution: { runner: readProcessIdentity(), command: [] },
    });
    const status = options.status ?? "succeeded";
    const items = options.items;
    const first = await metadata.reserveTasks(2 + (items ?? 0));
    const sequence = (index: number) => (first + index) as TaskSequence;
    const task = (index: number, step: string, path: string, inherits?: TaskSequence): NewTask => ({
      sequence: sequence(index),
      run: run.sequence,
      step,
      path,
      attempt: 1,
      startedAt: createdAt,
      ...(inherits === undefined ? {} : { inherits }),
    });
    const artifacts = [
      ...Object.entries(options.artifacts ?? {}).map(([name, value]) => keep(name, value)),
      ...Object.entries(options.encoded ?? {}).map(([name, encoded]) => keepEncoded(name, encoded)),
    ];
    const reads = [
      ...(await this.#reads(sequence(0), upstreams, options)),
      ...(options.clientReads ?? []).map(
        ({ producer, artifact }): UpstreamRead => ({
          task: sequence(0),
          producer: producer.id,
          artifact: artifact.name,
          codec: artifact.codec,
          digest: artifact.digest,
        }),
      ),
    ];
    const pages = (options.pages ?? pagesOf(options.items)).map(
      ({ first, count, encoded: { codec, digest, sizeBytes, chunks } }) => {
        blobs.push(this.stores.artifacts.storeSync({ codec, digest, sizeBytes, chunks }));
        return { first, count, codec, digest, sizeBytes };
      },
    );
    const fanOut = items ?? options.pages?.reduce((sum, page) => sum + page.count, 0);
    await metadata.commitTick({
      run: run.sequence,
      execution: 1,
      started: [task(0, "start", "")],
      blobs: blobs.splice(0),
      finished:
        status === "running"
          ? []
          : [
              {
                sequence: sequence(0),
                status: "succeeded",
                finishedAt: createdAt,
                artifacts,
                pages,
                ...(fanOut === undefined ? {} : { fanOut }),
              },
            ],
      reads,
      logs: [{ task: sequence(0), attempt: 1, stream: "stdout", at: createdAt, text: `hello from ${flow}\n` }],
    });
    if (status === "running") return (await metadata.run(run.sequence))!;
    const indices = Array.from({ length: items ?? 0 }, (_, index) => index);
    const finished = indices.map((index) => ({
      sequence: sequence(1 + index),
      status: "succeeded" as const,
      finishedAt: createdAt,
      artifacts: [keep("square", index * index)],
      pages: [],
    }));
    await metadata.commitTick({
      run: run.sequence,
      execution: 1,
      started: indices.map((index) => task(1 + index, "work", String(index), sequence(0))),
      blobs: blobs.splice(0),
      finished,
      reads: [],
      logs: [],
    });
    const end = sequence(1 + (items ?? 0));
    const isDone = status === "succeeded";
    await metadata.commitTick({
      run: run.sequence,
      execution: 1,
      started: [task(1 + (items ?? 0), "end", "", sequence(0))],
      blobs: [],
      finished: [
        {
          sequence: end,
          status,
          finishedAt: createdAt,
          artifacts: [],
          pages: [],
          ...(isDone ? {} : { error: { code: "FLOW_STEP_FAILED", name: "Error", message: "no luck" } }),
        },
      ],
      reads: [],
      logs: [],
    });
    return await metadata.finishRun({
      run: run.sequence,
      execution: 1,
      status,
      finishedAt: createdAt,
      ...(isDone
        ? { endTask: end }
        : { failure: { task: "end", error: { code: "FLOW_STEP_FAILED", name: "Error", message: "no luck" } } }),
    });
  }

  async #reads(
    task: TaskSequence,
    upstreams: readonly ResolvedUpstream[],
    options: WrittenRun,
  ): Promise<readonly UpstreamRead[]> {
    const reads: UpstreamRead[] = [];
    for (const [upstream, names] of Object.entries(options.reads ?? {})) {
      const [first, ...further] = upstream.split(".upstreams.");
      let producer = upstreams.find((each) => each.name === first)!.run!;
      for (const name of further) {
        const edge = (await this.metadata.upstreams(producer.sequence)).find((each) => each.name === name)!;
        producer = (await this.metadata.runById(edge.producer!))!;
      }
      for (const name of names) {
        const artifact = await this.artifact(producer, name);
        reads.push({
          task,
          upstream,
          producer: producer.id,
          artifact: name,
          codec: artifact.codec,
          digest: artifact.digest,
        });
      }
    }
    return reads;
  }

  /** Resolves upstreams as a runner would. */
  async resolve(
    definitions: readonly UpstreamDefinition[],
    requests: Readonly<Record<string, UpstreamRequest>> = {},
    options: {
      readonly strict?: boolean;
      readonly now?: Date;
      readonly lateTags?: Readonly<Record<string, readonly string[]>>;
      readonly project?: string;
    } = {},
  ) {
    return await resolveUpstreams({
      metadata: this.metadata,
      definitions,
      requests,
      lateTags: options.lateTags ?? {},
      now: options.now ?? new Date(),
      strict: options.strict ?? false,
      project: options.project ?? PROJECT,
    });
  }

  async artifact(run: RunRow, name: string): Promise<ArtifactRow> {
    const artifact = run.endTask === undefined ? undefined : await this.metadata.visibleArtifact(run.endTask, name);
    if (artifact === undefined) throw new Error(`the test wants an artifact "${name}" that is not there`);
    return artifact;
  }

  async move(
    run: RunRow,
    tags: { readonly add?: readonly string[]; readonly remove?: readonly string[] },
    actor = "bob",
  ): Promise<void> {
    await this.metadata.moveTags({
      run: run.sequence,
      add: tags.add ?? [],
      remove: tags.remove ?? [],
      actor,
      host: "here",
      at: new Date(),
      via: "test",
    });
  }

  /** Makes all records those of a program that wrote no digests over them. */
  forgetDigests(): void {
    this.sql("UPDATE task SET record_digest = NULL");
    this.sql("UPDATE run SET start_digest = NULL");
    this.sql("UPDATE execution SET end_digest = NULL, program_schema = NULL");
  }

  /** Changes records behind the store's back. */
  sql(text: string, ...values: readonly unknown[]): number {
    return this.behindTheBack((database) => database.prepare(text).run(...values).changes);
  }

  /** Works on the database of the store, on a connection of its own. */
  behindTheBack<T>(work: (database: Connection) => T): T {
    const database = openWriter(this.stores.locate().databaseFile);
    try {
      database.pragma("foreign_keys = off");
      return work(database);
    } finally {
      database.close();
    }
  }

  /** Whether a file of the store holds this text. */
  holds(text: string): boolean {
    const files = readdirSync(this.folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return files.some((entry) => readFileSync(join(entry.parentPath, entry.name)).includes(text));
  }

  /** Many runs without tasks, in one transaction: copies of a run, each with the producers that it is given. */
  many(write: (insert: (id: string, index: number, producers: readonly string[]) => void) => void, like: RunRow): void {
    const database = openWriter(this.stores.locate().databaseFile);
    try {
      const run = database.prepare(`
        INSERT INTO run (id, flow, project, flow_name, number, status, created_at, started_at, finished_at, system_tags,
          parameters, secret_parameters, environment)
        SELECT ?, flow, project, flow_name, number + ?, status, created_at, started_at, finished_at, system_tags,
          parameters, secret_parameters, environment FROM run WHERE sequence = ?`);
      const edge = database.prepare(`
        INSERT INTO upstream (run, name, flow_name, selector, producer, candidate_count, candidates, resolved_at)
        VALUES (?, ?, 'Chain', '{"kind":"newest"}', ?, 1, '[]', 0)`);
      database.transaction(() =>
        write((id, index, producers) => {
          const { lastInsertRowid } = run.run(id, index, like.sequence);
          for (const [at, producer] of producers.entries()) edge.run(lastInsertRowid, `before${at}`, producer);
        }),
      )();
      database.prepare("UPDATE flow SET last_number = (SELECT max(number) FROM run WHERE run.flow = flow.id)").run();
    } finally {
      database.close();
    }
  }

  /** Takes away what guards a table against changes of its rows, as someone with the file in hand can. */
  dropTriggers(table: string): void {
    const database = openWriter(this.stores.locate().databaseFile);
    try {
      const triggers = database
        .prepare("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?")
        .all(table) as { readonly name: string }[];
      for (const { name } of triggers) database.exec(`DROP TRIGGER "${name}"`);
    } finally {
      database.close();
    }
  }

  /** The file of a blob that is too large to be kept in the database. */
  blobFile(digest: string): string {
    const found = readdirSync(this.folder, { recursive: true, encoding: "utf8" }).find((file) => file.includes(digest));
    if (found === undefined) throw new Error(`there is no file of ${digest}`);
    return join(this.folder, found);
  }

  /** Turns one bit of a blob's file. */
  flipByte(digest: string): void {
    const file = this.blobFile(digest);
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 1;
    rmSync(file);
    writeFileSync(file, bytes);
  }

  async close(): Promise<void> {
    await this.stores.close();
    rmSync(join(this.folder, ".."), { recursive: true, force: true });
  }
}

/** An upstream definition with everything that is not said left plain. */
export function definition(name: string, flow: string, more: Partial<UpstreamDefinition> = {}): UpstreamDefinition {
  return { name, flow: { project: PROJECT, name: flow }, tags: [], hasLateTags: false, optional: false, ...more };
}

/** A value of some 100 KB that does not compress, so that it is a file of its own. */
export function largeValue(seed: number): Uint8Array {
  const bytes = new Uint8Array(100_000);
  let state = seed + 1;
  for (let index = 0; index < bytes.length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

/** The numbers from 0 as the items of a foreach. */
function pagesOf(items = 0): readonly ItemPage[] {
  const writer = new ItemPageWriter();
  return [...Array.from({ length: items }, (_, index) => writer.add(index)).flat(), ...writer.finish()];
}
