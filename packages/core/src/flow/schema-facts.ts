import { z } from "../util/zod.ts";
import type { ParamDefinition } from "./definition.ts";
import { jsonSafe } from "./json-safe.ts";

/** What a schema says about a parameter, as far as the command line needs it. */
export interface SchemaFacts {
  readonly type: ParamDefinition["type"];
  readonly choices?: readonly string[];
  readonly help?: string;
  /** Whether the schema accepts that nothing is given. */
  readonly isOptional: boolean;
  /** JSON text of the schema's own default, encoded as input. */
  readonly defaultText?: string;
}

/** A JSON Schema, as far as it is looked at here; `true` and `false` stand for schemas that take anything or nothing. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly (JsonSchema | boolean)[];
  readonly oneOf?: readonly (JsonSchema | boolean)[];
  readonly allOf?: readonly (JsonSchema | boolean)[];
  /** What the items of a list are; behind `prefixItems`, the remaining ones. */
  readonly items?: JsonSchema | boolean;
  /** The first items of a tuple, one by one. */
  readonly prefixItems?: readonly (JsonSchema | boolean)[];
  readonly description?: string;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
}

/** Whether a value looks like a zod 4 schema, of whichever copy of zod. */
export function isSchema(value: unknown): value is z.ZodType {
  return typeof value === "object" && value !== null && "_zod" in value && "safeParse" in value;
}

/** The JSON Schema of what a schema takes (`input`) or gives (`output`); `{}` for what JSON Schema cannot say. */
export function jsonSchemaOf(schema: z.ZodType, io: "input" | "output"): JsonSchema {
  try {
    return z.toJSONSchema(schema, { io, unrepresentable: "any" }) as JsonSchema;
  } catch {
    return {}; // a schema that JSON Schema has no words for has neither choices nor a type to show
  }
}

/** Reads type, choices, help and default off a schema. */
export function schemaFacts(schema: z.ZodType): SchemaFacts {
  const input = jsonSchemaOf(schema, "input");
  const output = jsonSchemaOf(schema, "output");
  const choices = choicesOf(input);
  const isOptional = schema._zod.optin !== undefined;
  const defaultText = isOptional ? defaultTextOf(schema) : undefined;
  const help = input.description ?? output.description ?? z.globalRegistry.get(schema)?.description;
  return {
    type: typeOf(input, output),
    isOptional,
    ...(choices === undefined ? {} : { choices }),
    ...(help === undefined ? {} : { help }),
    ...(defaultText === undefined ? {} : { defaultText }),
  };
}

/** Why a schema cannot be reversed, or undefined when it can: a transform or preprocess anywhere inside it. */
export function oneWayPart(schema: z.ZodType): "transform" | undefined {
  const seen = new Set<unknown>();
  const pending: unknown[] = [schema];
  while (pending.length > 0) {
    const next = pending.pop();
    if (!isSchema(next) || seen.has(next)) continue;
    seen.add(next);
    const def = next._zod.def as unknown as Record<string, unknown> & { readonly type: string };
    if (def.type === "transform") return "transform";
    pending.push(...childrenOf(def));
  }
  return undefined;
}

const CHILDREN = [
  "innerType",
  "in",
  "out",
  "element",
  "rest",
  "keyType",
  "valueType",
  "left",
  "right",
  "catchall",
] as const;

function childrenOf(def: Readonly<Record<string, unknown>>): readonly unknown[] {
  const children: unknown[] = CHILDREN.map((key) => def[key]);
  for (const list of [def.options, def.items]) if (Array.isArray(list)) children.push(...list);
  if (typeof def.shape === "object" && def.shape !== null) children.push(...Object.values(def.shape));
  if (typeof def.getter === "function") children.push((def.getter as () => unknown)());
  return children;
}

function defaultTextOf(schema: z.ZodType): string | undefined {
  // Asked twice, because a default may be a function of the time or of chance: such a default is not known.
  const [first, second] = [encodedDefault(schema), encodedDefault(schema)];
  return first === second ? first : undefined;
}

function encodedDefault(schema: z.ZodType): string | undefined {
  try {
    const parsed = schema.safeParse(undefined);
    if (!parsed.success || parsed.data === undefined) return undefined;
    const encoded = jsonSafe(z.encode(schema, parsed.data));
    return encoded.kind === "json" ? JSON.stringify(encoded.value) : undefined;
  } catch {
    return undefined; // asynchronous checks, one-way transforms: `define-params.ts` says so
  }
}

/** The values that are allowed, when the schema is an enum or a union of literals. */
function choicesOf(schema: JsonSchema): readonly string[] | undefined {
  const values = literalsOf(schema);
  return values === undefined || values.length === 0 ? undefined : values.filter((value) => value !== null).map(String);
}

function literalsOf(schema: JsonSchema | boolean): readonly unknown[] | undefined {
  if (typeof schema === "boolean") return undefined;
  if (schema.enum !== undefined) return schema.enum;
  if ("const" in schema) return [schema.const];
  const options = schema.anyOf ?? schema.oneOf;
  if (options === undefined) return schema.type === "null" ? [null] : undefined;
  const lists = options.map(literalsOf);
  return lists.every((list) => list !== undefined) ? lists.flat() : undefined;
}

function typeOf(input: JsonSchema, output: JsonSchema): ParamDefinition["type"] {
  const [given, result] = [typesOf(input), typesOf(output)];
  // z.stringbool takes a string and gives a boolean: for people it is a switch, so what comes out counts first.
  for (const types of [result, given]) {
    if (types.length === 1) return asParamType(types[0]!);
  }
  return "unknown";
}

/** The schema of one item of a list or tuple; `{}` where nothing is said. */
export function itemSchemaOf(schema: JsonSchema, index: number): JsonSchema {
  const item = schema.prefixItems?.[index] ?? schema.items;
  return typeof item === "object" ? item : {};
}

/** The JSON types that a schema may have, without null. */
export function typesOf(schema: JsonSchema): readonly string[] {
  const types = new Set<string>();
  const add = (part: JsonSchema | boolean): void => {
    if (typeof part === "boolean") return;
    for (const type of part.type === undefined ? [] : [part.type].flat()) types.add(type);
    if (part.type === undefined)
      for (const value of part.enum ?? ("const" in part ? [part.const] : [])) types.add(jsonType(value));
    for (const option of [...(part.anyOf ?? []), ...(part.oneOf ?? []), ...(part.allOf ?? [])]) add(option);
  };
  add(schema);
  types.delete("null");
  return [...types];
}

function jsonType(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

function asParamType(type: string): ParamDefinition["type"] {
  switch (type) {
    case "string":
    case "number":
    case "integer":
    case "boolean":
    case "array":
    case "object":
      return type;
    default:
      return "unknown";
  }
}
