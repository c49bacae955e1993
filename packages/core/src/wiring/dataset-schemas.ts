/**
 * Which columns or fields a dataset of an OpenLineage event has. What a flow declares with `artifact(schema)` stands in the record of
 * its code package. Of tables that were not declared the values are looked at, because nothing else says what columns they have:
 * small ones alone, each once, and no more than a bound in all, since a lineage may have a thousand runs.
 */
import type { ArtifactRef } from "../artifact/artifact.ts";
import type { ArtifactStore } from "../artifact/artifact-store.ts";
import { isStoredInstance } from "../artifact/cbor/kept-values.ts";
import { decodeValue } from "../artifact/value-codec.ts";
import { isFlowError } from "../errors/flow-error.ts";
import type { MetadataReader, RunRow } from "../metadata/metadata-store.ts";
import { readObject } from "../metadata/stored-json.ts";
import type { PackagedFlow } from "../package/flow-package.ts";
import type { KeptManifest } from "./kept-package.ts";

/** A field as the schema facet has it. */
export interface SchemaField {
  readonly name: string;
  readonly type?: string;
  readonly description?: string;
  readonly fields?: readonly SchemaField[];
}

/** Values that are read to see their columns: how large one may be, and all of them together. Bytes. */
const MAX_VALUE_BYTES = 8 * 1024 * 1024;
const MAX_ALL_BYTES = 256 * 1024 * 1024;
/** Fields of one dataset, and how deep they lie in each other: a schema may name itself. */
const MAX_FIELDS = 1_000;
const MAX_DEPTH = 10;

type Declared = ReadonlyMap<string, readonly SchemaField[]>;

/** The fields of datasets; one for all events of an export, since it remembers what it has looked at. */
export class DatasetSchemas {
  readonly #metadata: MetadataReader;
  readonly #artifacts: Pick<ArtifactStore, "payload"> | undefined;
  readonly #declared = new Map<string, Declared>();
  readonly #columns = new Map<string, readonly SchemaField[] | undefined>();
  #readBytes = 0;

  /** @param artifacts without them no values are looked at, and only declared schemas are told */
  constructor(metadata: MetadataReader, artifacts?: Pick<ArtifactStore, "payload">) {
    this.#metadata = metadata;
    this.#artifacts = artifacts;
  }

  /**
   * The fields of an artifact, by its declared schema or else by the columns of a table.
   *
   * @param run the run that left it, where it is known
   * @returns undefined where nothing says what fields it has
   */
  async fieldsOf(
    run: Pick<RunRow, "flow"> & { readonly packageDigest?: RunRow["packageDigest"] },
    artifact: Pick<ArtifactRef, "codec" | "digest"> & { readonly name: string },
  ): Promise<readonly SchemaField[] | undefined> {
    return (await this.#declaredBy(run)).get(artifact.name) ?? (await this.#columnsOf(artifact));
  }

  async #declaredBy(run: Parameters<DatasetSchemas["fieldsOf"]>[0]): Promise<Declared> {
    if (run.packageDigest === undefined) return new Map();
    const key = `${run.packageDigest} ${run.flow.name}`;
    let known = this.#declared.get(key);
    if (known === undefined) {
      const pack = await this.#metadata.package(run.packageDigest);
      const manifest = pack === undefined ? {} : readObject<Partial<KeptManifest>>(pack.manifest, "package.manifest");
      // A record may be of an older version, or have been imported: it is data of others.
      const flows = Array.isArray(manifest.flows) ? (manifest.flows as readonly (PackagedFlow | undefined)[]) : [];
      const schemas = flows.find((flow) => flow?.definition?.name === run.flow.name)?.definition.schemas ?? {};
      known = new Map(Object.entries(schemas).map(([name, schema]) => [name, fieldsOfSchema(schema, name)]));
      this.#declared.set(key, known);
    }
    return known;
  }

  async #columnsOf({
    codec,
    digest,
  }: Pick<ArtifactRef, "codec" | "digest">): Promise<readonly SchemaField[] | undefined> {
    if (codec !== "cbor" || this.#artifacts === undefined) return undefined;
    if (!this.#columns.has(digest)) this.#columns.set(digest, await this.#look({ codec, digest }));
    return this.#columns.get(digest);
  }

  async #look({ codec, digest }: Pick<ArtifactRef, "codec" | "digest">): Promise<readonly SchemaField[] | undefined> {
    const blob = await this.#metadata.blob(digest);
    const sizeBytes = blob?.sizeBytes ?? Number.POSITIVE_INFINITY;
    if (sizeBytes > MAX_VALUE_BYTES || this.#readBytes + sizeBytes > MAX_ALL_BYTES) return undefined;
    this.#readBytes += sizeBytes;
    try {
      const payload = await this.#artifacts!.payload({ codec, digest, sizeBytes }, blob);
      return columnsOfTable(decodeValue(codec, payload, { unknownClasses: "keep" }));
    } catch (error) {
      if (isFlowError(error)) return undefined; // What is damaged or gone is for `flow validate`.
      throw error;
    }
  }
}

interface JsonSchema {
  readonly type?: unknown;
  readonly description?: unknown;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly items?: unknown;
  readonly anyOf?: unknown;
}

/** An object has its properties as fields, a list of objects those of its objects; every other value is one field. */
function fieldsOfSchema(schema: unknown, name: string): readonly SchemaField[] {
  const room = { left: MAX_FIELDS };
  const inner = innerFields(schema, room, 0);
  return inner.length > 0 ? inner : [fieldOf(name, schema, room, MAX_DEPTH)];
}

function innerFields(schema: unknown, room: { left: number }, depth: number): readonly SchemaField[] {
  const { properties, items } = asSchema(schema);
  if (depth === MAX_DEPTH) return [];
  if (typeof properties !== "object" || properties === null)
    return items === undefined ? [] : innerFields(items, room, depth + 1);
  return Object.entries(properties)
    .filter(() => room.left-- > 0)
    .map(([name, inner]) => fieldOf(name, inner, room, depth + 1));
}

function fieldOf(name: string, schema: unknown, room: { left: number }, depth: number): SchemaField {
  const { description } = asSchema(schema);
  const type = typeText(schema, 0);
  const fields = innerFields(schema, room, depth);
  return {
    name,
    ...(type === undefined ? {} : { type }),
    ...(typeof description === "string" ? { description } : {}),
    ...(fields.length === 0 ? {} : { fields }),
  };
}

/** `number`, `array<string>`, `string | null`; undefined where the schema takes anything. */
function typeText(schema: unknown, depth: number): string | undefined {
  const { type, items, anyOf } = asSchema(schema);
  if (depth === MAX_DEPTH) return undefined;
  if (type === "array") {
    const item = typeText(items, depth + 1);
    return item === undefined ? "array" : `array<${item}>`;
  }
  if (typeof type === "string") return type;
  const parts = Array.isArray(type) ? type : Array.isArray(anyOf) ? anyOf.map((part) => typeText(part, depth + 1)) : [];
  const texts = [...new Set(parts)].filter((part) => typeof part === "string");
  return texts.length === 0 ? undefined : texts.join(" | ");
}

function asSchema(schema: unknown): JsonSchema {
  return typeof schema === "object" && schema !== null ? schema : {};
}

/** Columns of a table: an object of columns of one length, or a table that was stored as an Arrow or Parquet file. */
function columnsOfTable(value: unknown): readonly SchemaField[] | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (isStoredInstance(value)) return columnsOfStored(value.data);
  const columns = Object.entries(value);
  if (Object.getPrototypeOf(value) !== Object.prototype) return columnsOfStored(value);
  const types = columns.map(([, column]) => columnType(column));
  const lengths = new Set(columns.map(([, column]) => (column as ArrayLike<unknown>)?.length));
  if (columns.length === 0 || lengths.size > 1 || types.includes(undefined)) return undefined;
  return columns.slice(0, MAX_FIELDS).map(([name], place) => ({ name, type: types[place]! }));
}

/** `float64` of a `Float64Array`; `string` of a list of texts. Undefined for what is no column. */
function columnType(column: unknown): string | undefined {
  if (Array.isArray(column)) return column.every((cell) => typeof cell === "string") ? "string" : undefined;
  return ArrayBuffer.isView(column) && "length" in column
    ? column.constructor.name.replace(/Array$/, "").toLowerCase()
    : undefined;
}

/** Formats of tables among those of stored models; their signature names the columns. */
const TABLES: readonly unknown[] = ["arrow", "arrow-columns", "parquet"];

function columnsOfStored(data: unknown): readonly SchemaField[] | undefined {
  const { codec, facts } = (data ?? {}) as {
    readonly codec?: unknown;
    readonly facts?: { readonly signature?: { readonly outputs?: unknown } };
  };
  const outputs = facts?.signature?.outputs;
  if (!TABLES.includes(codec) || !Array.isArray(outputs)) return undefined;
  const fields = outputs
    .slice(0, MAX_FIELDS)
    .flatMap((part: { readonly name?: unknown; readonly type?: unknown }) =>
      typeof part?.name === "string"
        ? [{ name: part.name, ...(typeof part.type === "string" ? { type: part.type } : {}) }]
        : [],
    );
  return fields.length === 0 ? undefined : fields;
}
