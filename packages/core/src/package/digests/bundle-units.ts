/**
 * A bundle in pieces: each declaration of its top level, each import, each statement. A piece is what a digest counts or
 * leaves out as a whole; the classes of flows are cut further, into their members (`flow-members.ts`).
 */

import { isCoreSpecifier } from "../core-package.ts";
import { EXTERNAL_SCHEME } from "../external-scheme.ts";
import { LOCAL_MODULE } from "../localize-source.ts";
import { factsOf } from "./code-facts.ts";
import type { BundleNames, CodeFacts } from "./facts.ts";
import { boundNames, calleeName, isClass, isFunction, listAt, type Node, nameOf, nodeAt, textOf } from "./syntax.ts";

export interface Unit {
  /**
   * `statement`: runs for its effect alone; `helper`: a call that the bundler wrote, which belongs to one name;
   * `member`: of a flow's class.
   */
  readonly kind: "import" | "declaration" | "statement" | "helper" | "member";
  /** Said before the code: what the code itself does not say, such as the name of a field. */
  readonly label: string;
  readonly node: Node;
  readonly facts: CodeFacts;
  /** Names that the unit gives a value to as its whole purpose. */
  readonly defines: readonly string[];
  /** Of an import: where from, as it stands in the bundle. */
  readonly source?: string;
  /** Of an import of core: it only serves to define a flow, so core's version says nothing about what a step does. */
  readonly isDefining?: boolean;
}

export interface BundleUnits {
  readonly names: BundleNames;
  readonly units: readonly Unit[];
  /** Local name behind each export. */
  readonly exports: ReadonlyMap<string, string>;
  /** Specifiers of imports without a name: they are there for what they do. */
  readonly sideEffectImports: readonly string[];
}

const DEFINING = new Set(["Flow", "step", "join", "choose", "param", "upstream", "config", "includeFile"]);

type Parsed = typeof import("oxc-parser");

/** @returns undefined when the code is not of the form that the bundler writes */
export function bundleUnits(
  code: string,
  { parseSync, visitorKeys }: Pick<Parsed, "parseSync" | "visitorKeys">,
): BundleUnits | undefined {
  const parsed = parseSync("flow.mjs", code, { preserveParens: false });
  if (parsed.errors.length > 0) return undefined;
  const body = (parsed.program as unknown as Node).body as readonly Node[];
  // The bundler's helpers stand before the first comment at the beginning of a line: the name of the first source.
  const helpersEnd = code.startsWith("// ") ? 0 : code.indexOf("\n// ");
  const helpers = new Set(
    body.filter((node) => node.end <= helpersEnd).flatMap((node) => declaredBy(node, visitorKeys)),
  );
  const own = body.filter((node) => node.start >= helpersEnd);
  const imports = own.filter((node) => node.type === "ImportDeclaration");
  const names: BundleNames = {
    code,
    visitorKeys,
    helpers,
    topLevel: new Set(own.flatMap((node) => declaredBy(node, visitorKeys)).filter((name) => !helpers.has(name))),
    coreImports: new Map(imports.flatMap(importedFromCore)),
    loaders: new Set(own.flatMap((node) => loadersIn(node, localSources(imports)))),
  };
  const units: Unit[] = [];
  const exports = new Map<string, string>();
  const sideEffectImports: string[] = [];
  for (const node of own) {
    if (node.type === "ExportNamedDeclaration" && node.source === null && node.declaration === null) {
      for (const specifier of listAt(node, "specifiers"))
        exports.set(exportName(nodeAt(specifier, "exported")), String(nameOf(nodeAt(specifier, "local"))));
    } else if (node.type === "ImportDeclaration") {
      const source = String(textOf(nodeAt(node, "source")));
      if (listAt(node, "specifiers").length === 0) sideEffectImports.push(source);
      units.push(...importUnits(node, source, names));
    } else if (/^Export/.test(node.type)) return undefined;
    else units.push(...unitsOf(node, names));
  }
  return { names, units, exports, sideEffectImports };
}

/** A unit of a node. */
export function unitOf(node: Node, names: BundleNames, rest: Partial<Unit> & Pick<Unit, "kind">): Unit {
  const facts = factsOf(node, names, rest.kind === "member");
  const defines = rest.defines ?? [];
  // To be declared is not to be touched.
  const without = (touched: ReadonlySet<string>): ReadonlySet<string> =>
    new Set([...touched].filter((name) => !defines.includes(name)));
  const touches = without(facts.touches);
  const evaluatedTouches = without(facts.evaluatedTouches);
  const writes = without(facts.writes);
  return { label: "", ...rest, node, defines, facts: { ...facts, touches, evaluatedTouches, writes } };
}

/** What a sequence of expressions stands for, one by one. */
export function expressionsOf(statement: Node): readonly Node[] {
  const expression = nodeAt(statement, "expression");
  if (expression === undefined) return [];
  return expression.type === "SequenceExpression" ? listAt(expression, "expressions") : [expression];
}

function unitsOf(node: Node, names: BundleNames): readonly Unit[] {
  if (node.type === "EmptyStatement") return [];
  if (isFunction(node)) return [unitOf(node, names, { kind: "declaration", defines: boundNames(nodeAt(node, "id")) })];
  if (isClass(node)) return classUnits(node, node, names);
  if (node.type === "VariableDeclaration")
    return listAt(node, "declarations").flatMap((declarator) => {
      const init = nodeAt(declarator, "init");
      if (init === undefined) return [];
      if (isClass(init)) return classUnits(declarator, init, names);
      return unitOf(declarator, names, { kind: "declaration", defines: boundNames(nodeAt(declarator, "id")) });
    });
  if (node.type === "ExpressionStatement") return expressionsOf(node).flatMap((item) => expressionUnit(item, names));
  return [unitOf(node, names, { kind: "statement", defines: varNames(node, names.visitorKeys) })];
}

/**
 * A class, and by themselves the decorators that the bundler evaluates where the class says what it extends:
 * `class _A extends (_a = Base, _start_dec = [step()], _a) {}`.
 */
function classUnits(node: Node, classNode: Node, names: BundleNames): readonly Unit[] {
  const whole = unitOf(node, names, { kind: "declaration", defines: boundNames(nodeAt(node, "id")) });
  const apart = heritageOf(classNode).assignments;
  const assigned = new Set(apart.map((assignment) => String(nameOf(nodeAt(assignment, "left")))));
  const { base } = heritageOf(classNode);
  const writes = new Set([...whole.facts.writes].filter((name) => !assigned.has(name) && name !== nameOf(base)));
  return [
    { ...whole, facts: { ...whole.facts, writes } },
    ...apart.map((assignment) =>
      unitOf(assignment, names, { kind: "declaration", defines: [String(nameOf(nodeAt(assignment, "left")))] }),
    ),
  ];
}

/** What a class extends, and what is assigned on the way. */
export function heritageOf(classNode: Node): {
  /** The expression whose value is extended; of `(_a = Base, …, _a)` it is `Base`. */
  readonly parent: Node | undefined;
  /** The variable that the bundler keeps it in. */
  readonly base: Node | undefined;
  readonly assignments: readonly Node[];
} {
  const expression = nodeAt(classNode, "superClass");
  if (expression?.type !== "SequenceExpression") return { parent: expression, base: undefined, assignments: [] };
  const parts = listAt(expression, "expressions");
  const base = parts.at(-1);
  const assignments = parts.filter(
    (part) => part.type === "AssignmentExpression" && nameOf(nodeAt(part, "left")) !== undefined,
  );
  const kept = assignments.find((part) => nameOf(nodeAt(part, "left")) === nameOf(base));
  return {
    parent: kept === undefined ? expression : nodeAt(kept, "right"),
    base,
    assignments: assignments.filter((part) => part !== kept),
  };
}

/** The record of decorators of a class, which only the bundler's helpers read. */
const RECORD_HELPERS = /^__(?:decoratorStart|decoratorMetadata|runInitializers)/;

function expressionUnit(expression: Node, names: BundleNames): readonly Unit[] {
  const left =
    expression.type === "AssignmentExpression" && expression.operator === "=" ? nodeAt(expression, "left") : undefined;
  const value = left === undefined ? expression : nodeAt(expression, "right")!;
  const target = nameOf(left);
  const name = calleeName(value);
  const helper = name !== undefined && names.helpers.has(name) ? name : undefined;
  if (helper !== undefined && RECORD_HELPERS.test(helper)) return [];
  const kind = helper === undefined ? "declaration" : "helper";
  if (target !== undefined && names.topLevel.has(target))
    return [unitOf(expression, names, { kind, defines: [target] })];
  // `__decorateElement(record, flags, "start", decorators, Class)`; of all others the first argument is what it is about.
  const about = listAt(expression, "arguments")[helper?.startsWith("__decorateElement") ? 4 : 0];
  const defines = helper === undefined || about === undefined ? [] : boundNames(about);
  if (helper?.startsWith("__privateAdd")) defines.push(...boundNames(listAt(expression, "arguments")[1]));
  return [unitOf(expression, names, { kind: defines.length === 0 ? "statement" : "helper", defines })];
}

function importUnits(node: Node, source: string, names: BundleNames): readonly Unit[] {
  return listAt(node, "specifiers").map((specifier) => {
    const imported =
      specifier.type === "ImportNamespaceSpecifier"
        ? "*"
        : specifier.type === "ImportDefaultSpecifier"
          ? "default"
          : exportName(nodeAt(specifier, "imported"));
    const local = nodeAt(specifier, "local")!;
    const isDefining = DEFINING.has(names.coreImports.get(String(nameOf(local))) ?? "");
    return unitOf(local, names, {
      kind: "import",
      label: `import ${imported} from ${JSON.stringify(source)} as `,
      defines: boundNames(local),
      source,
      ...(isDefining ? { isDefining } : {}),
    });
  });
}

function exportName(node: Node | undefined): string {
  return nameOf(node) ?? String(textOf(node));
}

function declaredBy(node: Node, visitorKeys: BundleNames["visitorKeys"]): readonly string[] {
  if (node.type === "ImportDeclaration")
    return listAt(node, "specifiers").flatMap((item) => boundNames(nodeAt(item, "local")));
  if (isFunction(node) || isClass(node)) return boundNames(nodeAt(node, "id"));
  return varNames(node, visitorKeys);
}

/** Variables of a statement, also those that a block at the top level declares with `var`. */
function varNames(node: Node, visitorKeys: BundleNames["visitorKeys"]): readonly string[] {
  if (node.type === "VariableDeclaration")
    return listAt(node, "declarations").flatMap((item) => boundNames(nodeAt(item, "id")));
  if (isFunction(node) || isClass(node) || node.type === "ExpressionStatement") return [];
  return (visitorKeys[node.type] ?? []).flatMap((key) => {
    const value = node[key];
    const nodes = (Array.isArray(value) ? value : [value]) as readonly unknown[];
    return nodes.flatMap((item) =>
      typeof item === "object" && item !== null ? varNames(item as Node, visitorKeys) : [],
    );
  });
}

function importedFromCore(node: Node): readonly (readonly [local: string, imported: string])[] {
  const source = externalOf(String(textOf(nodeAt(node, "source"))));
  if (source === undefined || !isCoreSpecifier(source.specifier)) return [];
  return listAt(node, "specifiers").flatMap((item) => {
    const local = nameOf(nodeAt(item, "local"));
    return item.type === "ImportSpecifier" && local !== undefined
      ? [[local, exportName(nodeAt(item, "imported"))] as const]
      : [];
  });
}

/** Under which name the bundle has the loader's `source`; see `localize-source.ts`. */
function localSources(imports: readonly Node[]): ReadonlySet<string> {
  const local = imports.filter((node) => textOf(nodeAt(node, "source")) === LOCAL_MODULE);
  return new Set(
    local
      .flatMap((node) => listAt(node, "specifiers"))
      .filter((item) => exportName(nodeAt(item, "imported")) === "source")
      .flatMap((item) => boundNames(nodeAt(item, "local"))),
  );
}

/** Names by which a module requires what only it knows at run time: `load` of `var { load } = source("…")`. */
function loadersIn(node: Node, sources: ReadonlySet<string>): readonly string[] {
  if (node.type !== "VariableDeclaration") return [];
  return listAt(node, "declarations").flatMap((declarator) => {
    const init = nodeAt(declarator, "init");
    if (init === undefined || !sources.has(calleeName(init) ?? "")) return [];
    return listAt(nodeAt(declarator, "id")!, "properties")
      .filter((property) => nameOf(nodeAt(property, "key")) === "load")
      .flatMap((property) => boundNames(nodeAt(property, "value")));
  });
}

/** `millrace:<key>/<specifier>` in its parts. */
export function externalOf(source: string): { readonly key: string; readonly specifier: string } | undefined {
  const found = new RegExp(`^${EXTERNAL_SCHEME}([^/]*)/(.+)$`, "s").exec(source);
  return found === null ? undefined : { key: found[1]!, specifier: found[2]! };
}
