import type { Problem } from "../errors/flow-error.ts";
import { locate } from "../util/call-site.ts";
import { defineArtifact } from "./define-artifacts.ts";
import { defineFile } from "./define-files.ts";
import type { DefineFlowOptions } from "./define-flow.ts";
import { defineParam } from "./define-params.ts";
import { defineUpstream } from "./define-upstreams.ts";
import type {
  ArtifactDefinition,
  FileDefinition,
  FlowDefinition,
  ParamDefinition,
  UpstreamDefinition,
} from "./definition.ts";
import { type ArtifactFact, type FieldFact, factOf } from "./field-facts.ts";
import type { ProbedFlow } from "./probe-flow.ts";
import type { FlowClass } from "./public-types.ts";
import { isSchema, jsonSchemaOf, oneWayPart } from "./schema-facts.ts";

export type DefinedFields = Pick<
  FlowDefinition,
  "params" | "upstreams" | "artifacts" | "terms" | "schemas" | "configs" | "files" | "constants"
>;

/** How the checks of one field tell what they found. */
export type Report = (code: Problem["code"], message: string, hint?: string) => void;

/** The fields of a flow by kind, and into `problems` what is wrong with each definition. */
export function defineFields(
  flowClass: FlowClass,
  probed: ProbedFlow | undefined,
  options: DefineFlowOptions,
  problems: Problem[],
): DefinedFields {
  const params: ParamDefinition[] = [];
  const upstreams: UpstreamDefinition[] = [];
  const artifacts: string[] = [];
  const terms: ArtifactDefinition[] = [];
  const schemas: Record<string, Readonly<Record<string, unknown>>> = {};
  const configs: FileDefinition[] = [];
  const files: FileDefinition[] = [];
  const constants: string[] = [];
  const names = new Map<FieldFact, string>();

  checkAccessors(flowClass, probed, problems);
  for (const [name, field] of probed?.fields ?? []) {
    if (field.kind === "constant") constants.push(name);
    if (field.kind !== "definition") continue;
    const { fact } = field;
    const report = reporter(fact, problems);
    const before = names.get(fact);
    if (before !== undefined) {
      report(
        "FLOW_DEFINITION_SHARED",
        `"${before}" and "${name}" hold the same definition`,
        "Write one call for each field",
      );
      continue;
    }
    names.set(fact, name);
    switch (fact.kind) {
      case "param":
        if (checkSchema(name, fact.schema, report)) params.push(defineParam(name, fact, report));
        break;
      case "artifact":
        if (checkSchema(name, fact.schema, report)) {
          const definition = defineArtifact(name, fact, report);
          artifacts.push(name);
          const schema = keptSchema(fact.schema);
          if (schema !== undefined) schemas[name] = schema;
          if (definition.transient !== undefined || definition.ttlMs !== undefined) terms.push(definition);
        }
        break;
      case "config":
        if (checkSchema(name, fact.schema, report)) configs.push(defineFile(name, fact, report));
        break;
      case "file":
        files.push(defineFile(name, fact, report));
        break;
      case "upstream":
        upstreams.push(defineUpstream(name, fact, names, options, report));
        break;
      case "upstream-of":
        report(
          "FLOW_DEFINITION_BAD_UPSTREAM",
          `"${name}" is set to an upstream of another upstream, which is no definition of its own`,
          `Write ${name} = upstream(Producer, { sameAs: this.${names.get(fact.of) ?? "model"}.upstreams.${fact.path.join(".upstreams.")} })`,
        );
        break;
    }
  }
  return {
    params,
    upstreams,
    artifacts,
    ...(terms.length === 0 ? {} : { terms }),
    ...(Object.keys(schemas).length === 0 ? {} : { schemas }),
    configs,
    files,
    constants,
  };
}

/** A schema of this size is generated, and kept with every code package it would cost more than it tells. */
const MAX_SCHEMA_CHARACTERS = 64 * 1024;

/** What a schema says of a value, for readers without its code; undefined where that is nothing. */
function keptSchema(schema: ArtifactFact["schema"]): Readonly<Record<string, unknown>> | undefined {
  const { $schema: _, ...said } = jsonSchemaOf(schema, "output") as Readonly<Record<string, unknown>>;
  const text = JSON.stringify(said);
  if (text.length > MAX_SCHEMA_CHARACTERS || text === "{}") return undefined;
  return JSON.parse(text) as Readonly<Record<string, unknown>>; // plain data, whatever zod has hidden in it
}

function reporter(fact: FieldFact, problems: Problem[]): Report {
  return (code, message, hint) => {
    const location = locate(fact.site);
    problems.push({
      code,
      message,
      ...(hint === undefined ? {} : { hint }),
      ...(location === undefined ? {} : { location }),
    });
  };
}

function checkSchema(name: string, schema: unknown, report: Report): boolean {
  if (!isSchema(schema)) {
    report(
      "FLOW_DEFINITION_BAD_OPTION",
      `"${name}" is not given a zod schema`,
      "Write a schema of z from @millrace/core, zod 4 or later",
    );
    return false;
  }
  if (oneWayPart(schema) === undefined) return true;
  report(
    "FLOW_DEFINITION_ONE_WAY",
    `The schema of "${name}" holds a one-way transform, so its value could not be stored as it was given`,
    "Use z.coerce, z.stringbool or z.codec, or compute the value in a step",
  );
  return false;
}

/**
 * A field declared with `accessor` lies behind a getter and setter of the prototype. With a definition inside, the
 * getter shows it; otherwise only the text that compilers generate for it tells it from a pair that the user wrote.
 */
function checkAccessors(flowClass: FlowClass, probed: ProbedFlow | undefined, problems: Problem[]): void {
  for (
    let level: object = flowClass.prototype;
    level !== null && level !== Object.prototype;
    level = Object.getPrototypeOf(level)
  ) {
    for (const [name, { get, set }] of Object.entries(Object.getOwnPropertyDescriptors(level))) {
      if (get === undefined || set === undefined) continue;
      if (!isGeneratedAccessor(name, get, set) && !holdsDefinition(get, probed?.flow)) continue;
      problems.push({
        code: "FLOW_DEFINITION_ACCESSOR",
        message: `"${name}" is declared with accessor and could not be kept as an artifact`,
        hint: `Write ${name}!: … without the keyword accessor`,
      });
    }
  }
}

function isGeneratedAccessor(name: string, get: () => unknown, set: (value: unknown) => void): boolean {
  const escaped = name.replaceAll("$", "\\$");
  const getter = new RegExp(
    `^get ${escaped}\\(\\) \\{\\s*return (?:this\\.#${escaped}\\d*|__privateGet\\(this, _+${escaped}\\d*\\));\\s*\\}$`,
  );
  return getter.test(String(get)) && String(set).startsWith(`set ${name}(_) {`);
}

function holdsDefinition(get: () => unknown, flow: object | undefined): boolean {
  if (flow === undefined) return false;
  try {
    return factOf(get.call(flow)) !== undefined;
  } catch {
    return false; // a user's getter that needs a running step
  }
}
