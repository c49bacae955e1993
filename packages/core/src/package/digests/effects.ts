/**
 * What runs when a bundle is loaded, and whom it concerns. A statement of the top level concerns those who reach what it
 * mentions; a declaration whose value is computed by a call may change other state on the way (`const id = register(x)`)
 * and concerns those who reach that state; what changes global objects concerns everyone.
 */
import { isCoreSpecifier } from "../core-package.ts";
import { type BundleUnits, externalOf, type Unit } from "./bundle-units.ts";
import { isClass, isFunction, listAt, nodeAt } from "./syntax.ts";

export interface Effect {
  readonly unit: Unit;
  /** Whether it is enough that one of the names it mentions is reached. */
  readonly isStatement: boolean;
  /** State that it may change, through all that it calls. */
  readonly touches: ReadonlySet<string>;
  readonly concernsAll: boolean;
}

export interface BundleEffects {
  readonly effects: readonly Effect[];
  /** Units that give a name its value: its declaration and whatever assigns or changes it. */
  readonly valuesOf: ReadonlyMap<string, readonly Unit[]>;
  /** Names whose value may be another at another time. */
  readonly state: ReadonlySet<string>;
  /** What decorators say that are handed the flow as a value (`around`), by their unit: it may name members of it. */
  readonly wrapping: ReadonlyMap<Unit, ReadonlySet<string>>;
}

export function bundleEffects({ units, names }: BundleUnits): BundleEffects {
  const valuesOf = new Map<string, Unit[]>();
  const add = (name: string, unit: Unit): void => {
    const known = valuesOf.get(name);
    if (known === undefined) valuesOf.set(name, [unit]);
    else if (known.at(-1) !== unit) known.push(unit);
  };
  for (const unit of units) for (const name of new Set([...unit.defines, ...unit.facts.writes])) add(name, unit);
  const state = new Set<string>();
  for (const [name, givers] of valuesOf)
    if (givers.some((unit) => unit.kind !== "helper" && (!unit.defines.includes(name) || mayChange(unit))))
      state.add(name);
  const effects = units.flatMap((unit) => effectOf(unit, valuesOf) ?? []);
  const wrapping = units
    .filter(
      ({ kind, facts }) => kind !== "import" && facts.names.some((name) => names.coreImports.get(name) === "around"),
    )
    .map((unit) => [unit, wordsWithin(unit, valuesOf)] as const);
  return { effects, valuesOf, state, wrapping: new Map(wrapping) };
}

function wordsWithin(unit: Unit, valuesOf: ReadonlyMap<string, readonly Unit[]>): ReadonlySet<string> {
  return new Set([unit, ...closure(unit.facts.names, valuesOf)].flatMap(({ facts }) => [...facts.words]));
}

/** Whether a declared value can be changed in place. */
function mayChange(unit: Unit): boolean {
  if (unit.kind === "import") return false;
  const value = nodeAt(unit.node, "init") ?? nodeAt(unit.node, "right");
  if (value?.type === "Identifier") return false; // Another name: what it names is looked at itself.
  if (value === undefined) return !isFunction(unit.node) && !isClass(unit.node);
  return !(isFunction(value) || isClass(value) || value.type === "Literal" || value.type === "TemplateLiteral");
}

function effectOf(unit: Unit, valuesOf: ReadonlyMap<string, readonly Unit[]>): Effect | undefined {
  const { facts } = unit;
  const isStatement = unit.kind === "statement";
  const decorators = decoratorsOf(unit);
  if (!isStatement && decorators === undefined && !facts.hasEffects && !facts.changesGlobals) return undefined;
  const roots = decorators ?? (isStatement ? facts.names : facts.evaluated);
  const reached = closure(roots, valuesOf);
  const touches = new Set<string>(decorators === undefined ? facts.writes : []);
  if (decorators === undefined)
    for (const name of isStatement ? facts.touches : facts.evaluatedTouches) touches.add(name);
  for (const other of reached) {
    if (other === unit) continue;
    for (const name of other.facts.touches) touches.add(name);
    for (const name of other.facts.writes) touches.add(name);
  }
  const concernsAll =
    facts.changesGlobals ||
    [...reached].some((other) => other.facts.changesGlobals || (isStatement && isForeign(other)));
  return { unit, isStatement, touches, concernsAll };
}

/** The decorators that a helper applies, which may do anything. */
function decoratorsOf(unit: Unit): readonly string[] | undefined {
  if (unit.kind !== "helper") return undefined;
  const call = unit.node.type === "AssignmentExpression" ? nodeAt(unit.node, "right")! : unit.node;
  const list = listAt(call, "arguments");
  return list.length >= 5 && list[3]?.type === "Identifier" ? [String(list[3].name)] : undefined;
}

/** An installed package or a part of Node: what a statement does with it cannot be seen. */
function isForeign(unit: Unit): boolean {
  if (unit.kind !== "import") return false;
  const from = externalOf(unit.source!);
  return from === undefined ? !unit.source!.startsWith("millrace:") : !isCoreSpecifier(from.specifier);
}

function closure(roots: Iterable<string>, valuesOf: ReadonlyMap<string, readonly Unit[]>): ReadonlySet<Unit> {
  const seen = new Set<string>();
  const units = new Set<Unit>();
  const open = [...roots];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    for (const unit of valuesOf.get(name) ?? []) {
      // Who else changes a value is not called by who reads it.
      if (units.has(unit) || !unit.defines.includes(name)) continue;
      units.add(unit);
      open.push(...unit.facts.names);
    }
  }
  return units;
}
