import { isDeepStrictEqual } from "node:util";
import type { Problem } from "../errors/flow-error.ts";
import { nearestName } from "../util/nearest-name.ts";
import { z } from "../util/zod.ts";
import { issueText, type SchemaIssue } from "./issue-text.ts";
import { jsonSafe } from "./json-safe.ts";

/** What is to be checked: input with its possible readings, or a value of the output type from code. */
export type ValueToCheck =
  | { readonly kind: "input"; readonly readings: readonly [unknown, ...unknown[]] }
  | { readonly kind: "output"; readonly value: unknown };

export type CheckedValue =
  | { readonly value: unknown; readonly encoded?: unknown }
  | { readonly problems: readonly Problem[] };

/**
 * Checks a value against a schema, and that it can be stored: encoded as JSON and read back, it must be equal.
 *
 * @param about.label where the value comes from, as it stands before a problem
 * @param about.isSecret then no problem says what the value was
 */
export async function checkValue(
  schema: z.ZodType,
  given: ValueToCheck,
  about: { readonly label: string; readonly isSecret: boolean },
): Promise<CheckedValue> {
  const problem = (code: Problem["code"], text: string, hint?: string): CheckedValue => ({
    problems: [
      {
        code,
        message: `${about.label}: ${about.isSecret ? "Invalid value" : text}`,
        ...(hint === undefined || about.isSecret ? {} : { hint }),
      },
    ],
  });
  try {
    let value: unknown;
    if (given.kind === "input") {
      const parsed = await firstThatFits(schema, given.readings);
      if (!parsed.fits) return { problems: issueProblems(parsed.issues, given.readings[0], about) };
      value = parsed.value;
    } else {
      value = given.value;
    }
    if (value === undefined && given.kind === "input") return { value };
    const encoded = await z.safeEncodeAsync(schema, value);
    if (!encoded.success)
      return { problems: issueProblems(encoded.error.issues as readonly SchemaIssue[], value, about) };
    if (encoded.data === undefined) return { value };
    const safe = jsonSafe(encoded.data);
    if (safe.kind === "unsafe") {
      const where = safe.path === "" ? "" : ` at ${safe.path}`;
      return problem(
        "FLOW_PARAMETER_NOT_STORABLE",
        `Cannot be stored as JSON: it holds ${safe.what}${where}`,
        "Use a schema that encodes to JSON, such as z.codec()",
      );
    }
    const again = await schema.safeParseAsync(structuredClone(safe.value));
    if (!again.success || !isDeepStrictEqual(again.data, value)) {
      return problem(
        "FLOW_PARAMETER_NOT_STORABLE",
        "Cannot be stored: encoded and read back it is another value",
        "Use z.coerce, z.codec, or a schema that does not change what it reads",
      );
    }
    return { value, encoded: safe.value };
  } catch (error) {
    // A check of the user's that throws instead of refusing, or a one-way transform that was not seen when the flow was loaded.
    return problem(
      "FLOW_PARAMETER_INVALID",
      `The check failed: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

type Parsed =
  | { readonly fits: true; readonly value: unknown }
  | { readonly fits: false; readonly issues: readonly SchemaIssue[] };

async function firstThatFits(schema: z.ZodType, readings: readonly unknown[]): Promise<Parsed> {
  let issues: readonly SchemaIssue[] | undefined;
  for (const reading of readings) {
    const parsed = await schema.safeParseAsync(reading);
    if (parsed.success) return { fits: true, value: parsed.data };
    issues ??= parsed.error.issues as readonly SchemaIssue[];
  }
  return { fits: false, issues: issues ?? [] };
}

function issueProblems(
  issues: readonly SchemaIssue[],
  given: unknown,
  about: { readonly label: string; readonly isSecret: boolean },
): readonly Problem[] {
  const code = "FLOW_PARAMETER_INVALID";
  if (about.isSecret) return [{ code, message: `${about.label}: Invalid value` }];
  return issues.map((issue) => {
    const choices = issue.code === "invalid_value" && issue.path.length === 0 ? (issue.values ?? []).map(String) : [];
    const near = typeof given === "string" ? nearestName(given, choices) : undefined;
    return {
      code,
      message: `${about.label}: ${issueText(issue)}`,
      ...(near === undefined ? {} : { hint: `Did you mean "${near}"?` }),
    };
  });
}
