/**
 * The class of a flow in pieces, so that a step counts the members that it reaches and not its neighbours: methods,
 * accessors, fields with their initialisers, static members and decorators, over all classes of the bundle that it
 * extends.
 */
import { isCoreSpecifier } from "../core-package.ts";
import { type BundleUnits, expressionsOf, externalOf, heritageOf, type Unit, unitOf } from "./bundle-units.ts";
import { calleeName, isClass, keyOf, listAt, type Node, nameOf, nodeAt, textOf } from "./syntax.ts";

export interface FlowMembers {
  /** Every name by which the bundle knows the class and those that it extends, with how far up the class is. */
  readonly names: ReadonlyMap<string, number>;
  readonly byName: ReadonlyMap<string, readonly Unit[]>;
  /** What belongs to every step: constructors' own code, static blocks, class decorators, computed members. */
  readonly common: readonly Unit[];
  /** Private members, by the variable that the bundler keeps them in. */
  readonly private: ReadonlyMap<string, readonly Unit[]>;
  /** Members that change a variable of the top level, by its name. */
  readonly writers: ReadonlyMap<string, readonly Unit[]>;
  /** It extends something that is no class of the bundle and may ask anything of `this`. */
  readonly isOpen: boolean;
  /** Declarations of these classes as wholes: for this flow, their members stand in their place. */
  readonly wholes: ReadonlySet<Unit>;
}

/** Calls that make a definition: the value that a task sees is recorded with the run, so their code does not count. */
const DEFINITIONS = new Set(["param", "upstream", "config", "includeFile"]);

/** @returns undefined when no class is found behind the name: a class made by a function, or loaded late */
export function flowMembers(bundle: BundleUnits, local: string): FlowMembers | undefined {
  const names = new Map<string, number>();
  const byName = new Map<string, Unit[]>();
  const privates = new Map<string, Unit[]>();
  const common: Unit[] = [];
  const wholes = new Set<Unit>();
  let isOpen = false;
  let found = classBehind(bundle, local);
  if (found === undefined) return undefined;
  for (let level = 0; found !== undefined; level++) {
    const { whole, classNode, variable } = found;
    wholes.add(whole);
    for (const name of found.names) names.set(name, level);
    for (const { name, unit } of [...elementsOf(bundle, classNode, level), ...attachedTo(bundle, variable)]) {
      if (unit.kind === "member" && unit.defines[0] !== undefined) add(privates, unit.defines[0], unit);
      else if (name === undefined) common.push(unit);
      else add(byName, name, unit);
    }
    const { parent, base } = heritageOf(classNode);
    const kept = nameOf(base);
    if (kept !== undefined) names.set(kept, level + 1);
    const parentName = nameOf(parent);
    found = parentName === undefined ? undefined : classBehind(bundle, parentName);
    if (found === undefined && parent !== undefined && !isCoreFlow(bundle, parentName)) {
      isOpen = true;
      common.push(unitOf(parent, bundle.names, { kind: "member", label: "extends " }));
    }
  }
  const writers = new Map<string, Unit[]>();
  for (const unit of [...byName.values(), ...privates.values()].flat())
    for (const name of unit.facts.writes) add(writers, name, unit);
  return { names, byName, common, private: privates, writers, isOpen, wholes };
}

interface ClassFound {
  /** Those that lead to it, and its own. */
  readonly names: readonly string[];
  readonly variable: string;
  readonly classNode: Node;
  readonly whole: Unit;
}

/** Follows `var Train = _Train` to the class. */
function classBehind(bundle: BundleUnits, local: string): ClassFound | undefined {
  const names = new Set<string>();
  for (let name: string | undefined = local; name !== undefined && !names.has(name); ) {
    names.add(name);
    const current: string = name;
    const whole = bundle.units.find(
      (unit) => unit.kind === "declaration" && unit.defines.includes(current) && isDeclaration(unit.node),
    );
    if (whole === undefined) return undefined;
    const classNode = isClass(whole.node) ? whole.node : nodeAt(whole.node, "init");
    if (classNode !== undefined && isClass(classNode)) {
      const inner = nameOf(nodeAt(classNode, "id"));
      if (inner !== undefined && bundle.names.topLevel.has(inner)) names.add(inner);
      return { names: [...names], variable: current, classNode, whole };
    }
    name = nameOf(classNode);
  }
  return undefined;
}

function isDeclaration(node: Node): boolean {
  return node.type === "VariableDeclarator" || isClass(node);
}

function isCoreFlow(bundle: BundleUnits, name: string | undefined): boolean {
  return name !== undefined && bundle.names.coreImports.get(name) === "Flow";
}

interface Element {
  /** Undefined for what belongs to all steps. */
  readonly name: string | undefined;
  readonly unit: Unit;
}

function* elementsOf(bundle: BundleUnits, classNode: Node, level: number): Generator<Element> {
  for (const element of listAt(nodeAt(classNode, "body")!, "body")) {
    if (element.kind === "constructor") yield* constructorElements(bundle, element, level);
    else {
      const name = element.type === "StaticBlock" ? undefined : keyOf(element);
      const value = nodeAt(element, "value");
      const isPlain = element.type === "PropertyDefinition" && (value === undefined || isDefinition(bundle, value));
      yield isPlain && name !== undefined
        ? { name, unit: emptyField(bundle, element, level) }
        : { name, unit: unitOf(element, bundle.names, { kind: "member", label: label(level) }) };
    }
  }
}

/** The bundler puts fields into the constructor: `__publicField(this, "rows", [])`. */
function* constructorElements(bundle: BundleUnits, element: Node, level: number): Generator<Element> {
  const { helpers } = bundle.names;
  const member = (node: Node, defines: readonly string[] = []): Unit =>
    unitOf(node, bundle.names, { kind: "member", label: label(level), defines });
  for (const statement of listAt(nodeAt(nodeAt(element, "value")!, "body")!, "body")) {
    const expressions = statement.type === "ExpressionStatement" ? expressionsOf(statement) : [];
    if (expressions.length === 0) yield { name: undefined, unit: member(statement) };
    for (const expression of expressions) {
      const [, second, value] = listAt(expression, "arguments");
      const helper = calleeName(expression) ?? "";
      const isHelper = helpers.has(helper);
      const field = isHelper && helper.startsWith("__publicField") ? textOf(second) : assignedField(expression);
      if (isHelper && helper.startsWith("__runInitializers")) continue;
      if (isPlainSuper(expression)) continue;
      if (isHelper && helper.startsWith("__privateAdd")) {
        if (value !== undefined) yield { name: "", unit: member(expression, [String(nameOf(second))]) };
      } else if (field !== undefined) {
        const initial = isHelper ? value : nodeAt(expression, "right");
        const isPlain = initial === undefined || isDefinition(bundle, initial);
        yield { name: field, unit: isPlain ? emptyField(bundle, expression, level) : member(expression) };
      } else yield { name: undefined, unit: member(expression) };
    }
  }
}

/** `this.rows = …` in a constructor: how fields look where a tsconfig wants assignments. */
function assignedField(expression: Node): string | undefined {
  const left =
    expression.type === "AssignmentExpression" && expression.operator === "=" ? nodeAt(expression, "left") : undefined;
  return left?.type === "MemberExpression" && nodeAt(left, "object")?.type === "ThisExpression"
    ? keyOf(left)
    : undefined;
}

function isPlainSuper(expression: Node): boolean {
  if (nodeAt(expression, "callee")?.type !== "Super") return false;
  return listAt(expression, "arguments").every((argument) => argument.type === "SpreadElement");
}

function isDefinition(bundle: BundleUnits, value: Node | undefined): boolean {
  if (value?.type !== "CallExpression") return false;
  const name = calleeName(value);
  if (name !== undefined) return DEFINITIONS.has(bundle.names.coreImports.get(name) ?? "");
  // `import * as core`: `core.param(…)`.
  const callee = nodeAt(value, "callee")!;
  const object = callee.type === "MemberExpression" ? nameOf(nodeAt(callee, "object")) : undefined;
  const unit = bundle.units.find(
    ({ kind, defines }) => kind === "import" && object !== undefined && defines.includes(object),
  );
  const from = unit?.source === undefined ? undefined : externalOf(unit.source);
  return from !== undefined && isCoreSpecifier(from.specifier) && DEFINITIONS.has(keyOf(callee) ?? "");
}

/** A field without code of its own: there is nothing to count. */
function emptyField(bundle: BundleUnits, node: Node, level: number): Unit {
  const nothing = { type: "EmptyStatement", start: node.start, end: node.start };
  return unitOf(nothing, bundle.names, { kind: "member", label: label(level) });
}

/** Says how far up a class is, so that what is moved between classes is a change: `super` means another member then. */
function label(level: number): string {
  return `member ${level} `;
}

/** Calls of the bundler that give the class a decorator or a static field. */
function* attachedTo(bundle: BundleUnits, variable: string): Generator<Element> {
  for (const unit of bundle.units) {
    if (unit.kind !== "helper" || !unit.defines.includes(variable)) continue;
    const isDecorator = unit.node.type === "AssignmentExpression";
    const call = isDecorator ? nodeAt(unit.node, "right")! : unit.node;
    const helper = calleeName(call) ?? "";
    if (helper.startsWith("__decorateElement"))
      yield { name: isDecorator ? undefined : textOf(listAt(call, "arguments")[2]), unit };
    else if (helper.startsWith("__publicField")) yield { name: textOf(listAt(call, "arguments")[1]), unit };
  }
}

function add(map: Map<string, Unit[]>, name: string, unit: Unit): void {
  const known = map.get(name);
  if (known === undefined) map.set(name, [unit]);
  else known.push(unit);
}
