import type { Report } from "./define-fields.ts";
import { checkKnownOptions, wayIn } from "./define-params.ts";
import type { FileDefinition } from "./definition.ts";
import type { ConfigFact, FileFact } from "./field-facts.ts";
import { flagOf } from "./flag-names.ts";
import { schemaFacts } from "./schema-facts.ts";

const KNOWN = { config: ["default", "short", "env"], file: ["encoding", "default", "short", "env"] } as const;

/** A config or an included file as plain data. */
export function defineFile(name: string, fact: ConfigFact | FileFact, report: Report): FileDefinition {
  const { options } = fact;
  checkKnownOptions(name, options, KNOWN[fact.kind], report);
  wayIn(name, options, report);
  const path = options.default;
  if (path !== undefined && (typeof path !== "string" || path === "")) {
    report(
      "FLOW_DEFINITION_BAD_OPTION",
      `"default" of "${name}" is not the path of a file`,
      'Write default: "config.json"',
    );
  }
  if (fact.kind === "file" && fact.options.encoding !== undefined && fact.options.encoding !== "utf8") {
    report(
      "FLOW_DEFINITION_BAD_OPTION",
      `"encoding" of "${name}" is ${JSON.stringify(fact.options.encoding)} instead of "utf8"`,
      "Leave it out to get the bytes",
    );
  }
  const facts = fact.kind === "config" ? schemaFacts(fact.schema) : undefined;
  return {
    name,
    flag: flagOf(name),
    ...(typeof path === "string" ? { defaultPath: path } : {}),
    required: path === undefined && facts?.isOptional !== true,
    ...(facts?.help === undefined ? {} : { help: facts.help }),
  };
}
