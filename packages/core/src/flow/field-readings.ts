import type * as z from "zod";
import { itemSchemaOf, type JsonSchema, jsonSchemaOf, typesOf } from "./schema-facts.ts";

/** What a text may mean to a schema: tried in order, the first that fits counts, and the first tells what is wrong. */
export type Readings =
  | { readonly kind: "readings"; readonly values: readonly [unknown, ...unknown[]] }
  | { readonly kind: "not-json"; readonly why: string };

/** Readings of a flag or environment variable. A flag that is given several times is a list; a bare one is `true`. */
export function readingsOfText(given: string | readonly string[] | boolean, schema: z.ZodType): Readings {
  const input = jsonSchemaOf(schema, "input");
  if (typeof given === "boolean") return { kind: "readings", values: [given, String(given)] };
  if (typeof given === "string") return readText(given, input);
  if (given.length === 1 && given[0]?.trimStart().startsWith("[")) return readText(given[0], input);
  const items = given.map((item, index) => firstReading(item, itemSchemaOf(input, index)));
  return {
    kind: "readings",
    values: typesOf(input).includes("array") || given.length !== 1 ? [items] : readingsOrText(given[0]!, input),
  };
}

/** Readings of a value from a `--params` file: as it is, and as text for schemas that take text (`z.stringbool`). */
export function readingsOfJson(given: unknown): readonly [unknown, ...unknown[]] {
  return typeof given === "boolean" || typeof given === "number" ? [given, String(given)] : [given];
}

function readText(text: string, schema: JsonSchema): Readings {
  const types = typesOf(schema);
  const wantsText = types.length === 0 || types.includes("string");
  const values: unknown[] = wantsText ? [text] : [];
  const json = parseJson(text);
  if ((types.includes("number") || types.includes("integer")) && isNumeral(text)) values.push(Number(text));
  if (types.includes("boolean") && (text === "true" || text === "false")) values.push(text === "true");
  const isStructure = json.kind === "value" && typeof json.value === "object" && json.value !== null;
  if (isStructure && (types.length === 0 || types.includes(Array.isArray(json.value) ? "array" : "object")))
    values.push(json.value);
  if (json.kind === "value" && json.value === null && !wantsText) values.push(null);
  if (types.includes("array") && !isStructure && !/^\s*[[{]/.test(text))
    values.push([firstReading(text, itemSchemaOf(schema, 0))]);
  const wantsJson = types.length > 0 && types.every((type) => type === "object" || type === "array");
  if (wantsJson && values.length === 0 && json.kind === "broken") return { kind: "not-json", why: json.why };
  if (!wantsText) values.push(text);
  return { kind: "readings", values: values as [unknown, ...unknown[]] };
}

function readingsOrText(text: string, schema: JsonSchema): readonly [unknown, ...unknown[]] {
  const read = readText(text, schema);
  return read.kind === "readings" ? read.values : [text];
}

function firstReading(text: string, schema: JsonSchema): unknown {
  return readingsOrText(text, schema)[0];
}

function isNumeral(text: string): boolean {
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text.trim());
}

function parseJson(
  text: string,
): { readonly kind: "value"; readonly value: unknown } | { readonly kind: "broken"; readonly why: string } {
  try {
    return { kind: "value", value: JSON.parse(text) };
  } catch (error) {
    return { kind: "broken", why: (error as Error).message };
  }
}
