/**
 * The flags that a flow brings along: its parameters, its files and, for each upstream, whose run to read. Names of fields
 * are accepted as they stand (`--foldCount`) beside the flag (`--fold-count`).
 */
import type { FlowDefinition, ParamDefinition, Problem } from "@millrace/core/internal";
import type { Flag } from "./flag.ts";

/** Flags of a flow, each with the key under which its value is handed on (`param:x`, `tag:x`, `run:x`). */
export interface FlowFlags {
  readonly params: readonly Flag[];
  readonly upstreams: readonly Flag[];
  /** Secret parameters, which have no flag: name and what help says. */
  readonly secrets: readonly (readonly [name: string, help: string])[];
}

export function flowFlags(definition: FlowDefinition): FlowFlags {
  const params = definition.params.filter((param) => !param.secret).map(paramFlag);
  const files = [...definition.configs, ...definition.files].map(
    (file): Flag => ({
      name: file.flag,
      ...aliasOf(file.name, file.flag),
      key: `param:${file.name}`,
      type: "text",
      placeholder: "FILE",
      help: sentence([
        file.help ?? "",
        file.defaultPath === undefined ? "" : `default ${file.defaultPath}`,
        file.required ? "required" : "",
      ]),
    }),
  );
  const upstreams = definition.upstreams.flatMap((upstream): readonly Flag[] => {
    const flag = kebabCase(upstream.name);
    const usual =
      upstream.tags.length > 0
        ? `default ${upstream.tags.join(", ")}`
        : upstream.sameAs !== undefined
          ? `default: the same as ${upstream.sameAs.join(".")}`
          : "";
    return [
      {
        name: `${flag}-tag`,
        ...aliasOf(`${upstream.name}-tag`, `${flag}-tag`),
        key: `tag:${upstream.name}`,
        type: "list",
        placeholder: "TAG",
        help: sentence([
          upstream.help ?? "",
          `the newest successful run of ${upstream.flow.name} with this tag`,
          usual,
        ]),
      },
      {
        name: `${flag}-run`,
        ...aliasOf(`${upstream.name}-run`, `${flag}-run`),
        key: `run:${upstream.name}`,
        type: "text",
        placeholder: "RUN",
        help: `This very run: ${upstream.flow.name}/17, or its id`,
      },
    ];
  });
  const secrets = definition.params
    .filter((param) => param.secret && !param.hidden)
    .map((param): readonly [string, string] => {
      const from = `secret: from environment ${secretVariable(param)} or --params only`;
      return [param.name, sentence([param.help ?? "", param.required ? "required" : "", from])];
    });
  return { params: [...params, ...files], upstreams, secrets };
}

/** Flags that a flow may not bring because the command, or another field, has them. */
export function flagClashes(flow: FlowFlags, own: readonly Flag[]): readonly Problem[] {
  const taken = new Map<string, string>();
  for (const flag of own) for (const word of wordsOf(flag)) taken.set(word, "flow run itself");
  const problems: Problem[] = [];
  for (const flag of [...flow.params, ...flow.upstreams]) {
    const field = flag.key!.slice(flag.key!.indexOf(":") + 1);
    const clash = wordsOf(flag).find((word) => taken.has(word) && taken.get(word) !== `"${field}"`);
    if (clash !== undefined) {
      problems.push({
        code: "FLOW_CLI_FLAG_CLASH",
        message: `The flag ${clash} of "${field}" is already that of ${taken.get(clash)}`,
        hint: `Rename the field "${field}"`,
      });
    }
    for (const word of wordsOf(flag)) if (!taken.has(word)) taken.set(word, `"${field}"`);
  }
  return problems;
}

/** The variable that a secret is read from: its own, else the one that every parameter has. */
export function secretVariable({ env, flag }: Pick<ParamDefinition, "env" | "flag">): string {
  return env ?? `MILLRACE_PARAM_${flag.replaceAll("-", "_").toUpperCase()}`;
}

/** `foldCount` -> `fold-count`, `useGPU` -> `use-gpu`. */
export function kebabCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1-$2")
    .toLowerCase();
}

function paramFlag(param: ParamDefinition): Flag {
  const isBoolean = param.type === "boolean";
  const facts = [
    param.help ?? "",
    param.choices === undefined || isBoolean ? "" : `one of ${param.choices.join(", ")}`,
    param.defaultText === undefined ? "" : `default ${param.defaultText}`,
    param.required ? "required" : "",
    param.env === undefined ? "" : `or ${param.env} in the environment`,
  ];
  return {
    name: param.flag,
    ...aliasOf(param.name, param.flag),
    ...(param.short === undefined ? {} : { short: param.short }),
    key: `param:${param.name}`,
    // Values are checked by the flow's own schema, which can say more than a table of flags.
    type: isBoolean ? "boolean" : param.type === "array" ? "list" : "text",
    negatable: isBoolean,
    hidden: param.hidden,
    placeholder:
      param.type === "number" ? "NUMBER" : param.type === "integer" ? "N" : param.type === "object" ? "JSON" : "VALUE",
    help: sentence(facts),
  };
}

function aliasOf(name: string, flag: string): { readonly aliases?: readonly string[] } {
  return name === flag ? {} : { aliases: [name] };
}

function sentence(facts: readonly string[]): string {
  return facts
    .filter((fact) => fact !== "")
    .map((fact) => fact.replace(/[.\s]+$/, ""))
    .join("; ");
}

function wordsOf(flag: Flag): readonly string[] {
  return [
    ...[flag.name, ...(flag.aliases ?? [])].map((name) => `--${name}`),
    ...(flag.short === undefined ? [] : [`-${flag.short}`]),
  ];
}
