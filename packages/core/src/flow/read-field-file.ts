import type { Problem } from "../errors/flow-error.ts";
import { checkValue } from "./check-value.ts";
import type { ConfigFact, FileFact } from "./field-facts.ts";
import { flagOf } from "./flag-names.ts";
import type { Given } from "./pick-source.ts";
import type { ResolvedField } from "./resolve-fields.ts";

type ReadFile =
  | { readonly value: unknown; readonly encoded?: unknown; readonly source: ResolvedField["source"] }
  | { readonly problems: readonly Problem[] };

/** The value of a config or an included file: from code as it is, otherwise from the path that was given or is the default. */
export async function readFieldFile(
  name: string,
  fact: ConfigFact | FileFact,
  given: Given | undefined,
  readFile: (path: string) => Promise<Uint8Array>,
): Promise<ReadFile> {
  if (given?.source === "code") return fromCode(fact, given);
  const source = given?.source ?? "default";
  const path = given?.value ?? fact.options.default;
  if (path === undefined) return withoutPath(name, fact);
  if (typeof path !== "string" || path === "")
    return {
      problems: [
        {
          code: "FLOW_PARAMETER_INVALID",
          message: `${given?.label ?? `--${flagOf(name)}`}: Expected the path of a file`,
        },
      ],
    };

  const label = `--${flagOf(name)} "${path}"`;
  const bad = (why: string, hint?: string): ReadFile => ({
    problems: [
      { code: "FLOW_PARAMETER_BAD_FILE", message: `${label}: ${why}`, ...(hint === undefined ? {} : { hint }) },
    ],
  });
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    return bad(
      `Cannot read the file: ${reasonOf(error)}`,
      `Give the path of a file that can be read: --${flagOf(name)} PATH`,
    );
  }
  if (fact.kind === "file" && fact.options.encoding !== "utf8") return { value: bytes, source };
  let text: string;
  try {
    // The mark at the beginning is part of an included text, but no part of JSON.
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: fact.kind === "file" }).decode(bytes);
  } catch {
    return bad(
      "It is not UTF-8",
      fact.kind === "file" ? "Leave out the encoding to get the bytes" : "Save the file as UTF-8",
    );
  }
  if (fact.kind === "file") return { value: text, source };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return bad(`Not JSON: ${(error as Error).message}`, "Correct the file");
  }
  const checked = await checkValue(fact.schema, { kind: "input", readings: [json] }, { label, isSecret: false });
  return "problems" in checked ? checked : { ...checked, source };
}

async function fromCode(fact: ConfigFact | FileFact, given: Given): Promise<ReadFile> {
  const { value, label } = given;
  if (fact.kind === "config") {
    const checked = await checkValue(fact.schema, { kind: "output", value }, { label, isSecret: false });
    return "problems" in checked ? checked : { ...checked, source: "code" };
  }
  const fits = fact.options.encoding === "utf8" ? typeof value === "string" : value instanceof Uint8Array;
  if (fits) return { value, source: "code" };
  return {
    problems: [
      {
        code: "FLOW_PARAMETER_INVALID",
        message: `${label}: Expected ${fact.options.encoding === "utf8" ? "a string" : "a Uint8Array"}`,
      },
    ],
  };
}

async function withoutPath(name: string, fact: ConfigFact | FileFact): Promise<ReadFile> {
  if (fact.kind === "config" && fact.schema._zod.optin !== undefined) {
    const checked = await checkValue(
      fact.schema,
      { kind: "input", readings: [undefined] },
      { label: `the default of "${name}"`, isSecret: false },
    );
    return "problems" in checked ? checked : { ...checked, source: "default" };
  }
  return {
    problems: [
      { code: "FLOW_PARAMETER_MISSING", message: `--${flagOf(name)}: Required`, hint: `Give --${flagOf(name)} PATH` },
    ],
  };
}

function reasonOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null)?.code;
  if (code === "ENOENT") return "no such file";
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  if (code === "EISDIR") return "it is a folder";
  return error instanceof Error ? error.message : String(error);
}
