import { nearestName } from "../util/nearest-name.ts";
import { z } from "../util/zod.ts";
import type { Report } from "./define-fields.ts";
import type { ParamDefinition } from "./definition.ts";
import type { ParamFact } from "./field-facts.ts";
import { environmentVariablesOf, flagOf } from "./flag-names.ts";
import { issueText } from "./issue-text.ts";
import { jsonSafe } from "./json-safe.ts";
import { schemaFacts } from "./schema-facts.ts";

const KNOWN = ["short", "env", "hidden", "secret", "default"];

/** A parameter as plain data: what the schema says, and what the options add. */
export function defineParam(name: string, fact: ParamFact, report: Report): ParamDefinition {
  const { schema, options } = fact;
  checkKnownOptions(name, options, KNOWN, report);
  const isLate = options.default !== undefined;
  if (isLate && typeof options.default !== "function") {
    report(
      "FLOW_DEFINITION_BAD_DEFAULT",
      `The late default of "${name}" is no function`,
      "Write default: () => value, or .default(value) behind the schema",
    );
  }
  if (!isLate) checkDefault(name, schema, report);
  const facts = schemaFacts(schema);
  return {
    name,
    flag: flagOf(name),
    ...wayIn(name, options, report),
    hidden: options.hidden === true,
    secret: options.secret === true,
    ...(options.secret === true ? { environment: environmentVariablesOf(name, options.env) } : {}),
    ...(facts.help === undefined ? {} : { help: facts.help }),
    required: !facts.isOptional && !isLate,
    ...(facts.defaultText === undefined || isLate ? {} : { defaultText: facts.defaultText }),
    ...(facts.choices === undefined ? {} : { choices: facts.choices }),
    type: facts.type,
  };
}

/** Short flag and environment variable, checked. */
export function wayIn(
  name: string,
  options: { readonly short?: unknown; readonly env?: unknown },
  report: Report,
): { readonly short?: string; readonly env?: string } {
  const { short, env } = options;
  const isShort = typeof short === "string" && /^[A-Za-z]$/.test(short);
  const isEnv = typeof env === "string" && /^[A-Za-z_][A-Za-z0-9_]*$/.test(env);
  if (short !== undefined && !isShort)
    report("FLOW_DEFINITION_BAD_OPTION", `"short" of "${name}" is ${JSON.stringify(short)} instead of one letter`);
  if (env !== undefined && !isEnv)
    report(
      "FLOW_DEFINITION_BAD_OPTION",
      `"env" of "${name}" is ${JSON.stringify(env)}, which cannot be the name of an environment variable`,
    );
  return { ...(isShort ? { short } : {}), ...(isEnv ? { env } : {}) };
}

/** Reports options that nobody knows, with the one that was probably meant. */
export function checkKnownOptions(name: string, options: object, known: readonly string[], report: Report): void {
  for (const [option, value] of Object.entries(options)) {
    if (value === undefined || known.includes(option)) continue;
    const near = nearestName(option, known);
    report(
      "FLOW_DEFINITION_BAD_OPTION",
      `"${name}" has the unknown option "${option}"`,
      near === undefined ? `Known options are ${known.join(", ")}` : `Did you mean "${near}"?`,
    );
  }
}

/** Reports a default of the schema's own that cannot be used. */
function checkDefault(name: string, schema: z.ZodType, report: Report): void {
  const why = defaultProblem(schema);
  if (why === undefined) return;
  report("FLOW_DEFINITION_BAD_DEFAULT", `The default of "${name}" ${why}`, "Correct the default behind the schema");
}

/** zod does not check a `.default()`, so the value is encoded, which does, and must come out as JSON. */
function defaultProblem(schema: z.ZodType): string | undefined {
  if (schema._zod.optin === undefined) return undefined;
  try {
    const parsed = schema.safeParse(undefined);
    if (!parsed.success) return `does not fit its schema: ${issueText(parsed.error.issues[0])}`;
    if (parsed.data === undefined) return undefined;
    const encoded = z.safeEncode(schema, parsed.data);
    if (!encoded.success) return `does not fit its schema: ${issueText(encoded.error.issues[0])}`;
    const safe = jsonSafe(encoded.data);
    if (safe.kind === "json") return undefined;
    return `cannot be written as JSON: it holds ${safe.what}${safe.path === "" ? "" : ` at ${safe.path}`}`;
  } catch {
    return undefined; // asynchronous checks cannot be made here; `resolveFields` makes them
  }
}
