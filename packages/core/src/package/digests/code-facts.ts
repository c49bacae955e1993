/**
 * What a piece of bundled code is and touches: its canonical text, the names it mentions, what it asks of `this`, what
 * it changes. Everything is taken by name and on the side of too much: a name counts wherever it occurs, and what cannot
 * be followed says so (`isUntold`, `needsAllMembers`).
 */
import { EXTERNAL_SCHEME } from "../external-scheme.ts";
import { canonicalText, type Leaf } from "./canonical-text.ts";
import { Changes, GLOBAL_OBJECTS, isEffectFree } from "./code-changes.ts";
import { isReadOnlyMethod } from "./effect-words.ts";
import type { BundleNames, CodeFacts } from "./facts.ts";
import { blankedOptions } from "./step-options.ts";
import {
  boundNames,
  calleeName,
  childrenOf,
  isFunction,
  keyOf,
  listAt,
  type Node,
  nameOf,
  nodeAt,
  rootName,
  textOf,
} from "./syntax.ts";
import { type AskedOfThis, askedOfSuper, askedOfThis } from "./this-mentions.ts";

/** Longer strings are no names of members. */
const MAX_WORD_LENGTH = 64;
const GLOBALS = new Set(Object.getOwnPropertyNames(globalThis));

/** Where a node stands. */
interface Scope {
  /** Whether `this` may be the flow: not in the methods of other classes. */
  readonly isFlow: boolean;
  /** Functions around the node: what is in one runs when it is called. */
  readonly depth: number;
}

export function factsOf(node: Node, names: BundleNames, isFlow: boolean): CodeFacts {
  const scope = { isFlow, depth: 0 };
  const walk = new Walk(names);
  walk.visit(node, scope);
  return walk.facts(node);
}

class Walk {
  readonly #names: BundleNames;
  readonly #leaves: Leaf[] = [];
  readonly #ancestors: Node[] = [];
  readonly #declared = new Set<string>();
  readonly #bare = new Set<string>();
  readonly #memberMentions = new Map<string, Set<string>>();
  readonly #thisMembers = new Set<string>();
  readonly #words = new Set<string>();
  readonly #sources = new Set<string>();
  readonly #changes = new Changes();
  readonly #touched = new Set<string>();
  readonly #evaluated = new Set<string>();
  readonly #evaluatedTouches = new Set<string>();
  #needsAllMembers = false;
  #hasEffects = false;
  #isUntold = false;

  constructor(names: BundleNames) {
    this.#names = names;
  }

  facts(node: Node): CodeFacts {
    const { topLevel, helpers, code } = this.#names;
    const isLocal = (name: string): boolean => this.#declared.has(name) && !GLOBALS.has(name);
    const isUnbound = (name: string): boolean => !topLevel.has(name) && !helpers.has(name) && !this.#declared.has(name);
    const text = canonicalText(
      { code, start: node.start, end: node.end },
      this.#leaves,
      (name) => topLevel.has(name),
      isLocal,
    );
    return {
      ...text,
      bare: this.#bare,
      memberMentions: this.#memberMentions,
      thisMembers: this.#thisMembers,
      needsAllMembers: this.#needsAllMembers,
      words: this.#words,
      sources: this.#sources,
      writes: new Set([...this.#changes.roots].filter((name) => topLevel.has(name))),
      touches: this.#touched,
      hasEffects: this.#hasEffects,
      evaluated: this.#evaluated,
      evaluatedTouches: this.#evaluatedTouches,
      changesGlobals:
        [...this.#changes.roots].some(isUnbound) || [...this.#changes.globalRoots].some((name) => isUnbound(name)),
      isUntold: this.#isUntold,
    };
  }

  visit(node: Node, scope: Scope): void {
    this.#ancestors.push(node);
    const inner = this.#look(node, scope);
    if (inner !== undefined) this.#visitAll(childrenOf(node, this.#names.visitorKeys), inner);
    this.#ancestors.pop();
  }

  #visitAll(nodes: readonly Node[], scope: Scope): void {
    for (const node of nodes) this.visit(node, scope);
  }

  /** Takes what a node says; returns the scope of its children, or nothing when they have been looked at. */
  #look(node: Node, scope: Scope): Scope | undefined {
    switch (node.type) {
      case "Identifier":
        this.#mention(node, scope);
        return undefined;
      case "PrivateIdentifier":
        this.#text(node, `#${String(node.name)}`);
        return undefined;
      case "Literal":
        this.#literal(node);
        return undefined;
      case "TemplateElement":
      case "MetaProperty":
        this.#text(node, this.#names.code.slice(node.start, node.end));
        return undefined;
      case "ThisExpression":
        if (scope.isFlow)
          this.#ask(askedOfThis(node, this.#above(1), { helpers: this.#names.helpers, isFollowed: this.#isFollowed }));
        return undefined;
      case "Super":
        this.#ask(askedOfSuper(this.#above(1)));
        return undefined;
      case "MemberExpression":
        this.#member(node, scope);
        return undefined;
      case "Property":
        this.#property(node, scope);
        return undefined;
      case "MethodDefinition":
      case "PropertyDefinition":
      case "AccessorProperty":
        this.#classElement(node, scope);
        return undefined;
      case "LabeledStatement":
      case "BreakStatement":
      case "ContinueStatement":
        this.#label(node, scope);
        return undefined;
      case "FunctionDeclaration":
      case "FunctionExpression":
        this.#declare(nodeAt(node, "id"), ...listAt(node, "params"));
        return { isFlow: true, depth: this.#depthIn(scope.depth) };
      case "ArrowFunctionExpression":
        this.#declare(...listAt(node, "params"));
        return { ...scope, depth: this.#depthIn(scope.depth) };
      case "ClassDeclaration":
      case "ClassExpression":
        this.#class(node, { ...scope, isFlow: false });
        return undefined;
      case "VariableDeclarator":
        this.#declare(nodeAt(node, "id"));
        return scope;
      case "CatchClause":
        this.#declare(nodeAt(node, "param"));
        return scope;
      case "AssignmentExpression":
      case "ForInStatement":
      case "ForOfStatement":
        this.#changes.change(nodeAt(node, "left"));
        return scope;
      case "UpdateExpression":
        this.#changes.change(nodeAt(node, "argument"));
        return scope;
      case "UnaryExpression":
        if (node.operator === "delete") this.#changes.change(nodeAt(node, "argument"));
        return scope;
      case "ImportExpression":
        if (textOf(nodeAt(node, "source")) === undefined) this.#isUntold = true;
        this.#effectAt(scope);
        return scope;
      case "AwaitExpression":
      case "TaggedTemplateExpression":
        this.#effectAt(scope);
        return scope;
      case "CallExpression":
      case "NewExpression":
        this.#call(node, scope);
        return scope;
      default:
        return scope;
    }
  }

  #class(node: Node, scope: Scope): void {
    this.#declare(nodeAt(node, "id"));
    const heritage = nodeAt(node, "superClass");
    for (const child of childrenOf(node, this.#names.visitorKeys)) {
      // What the bundler evaluates on the way to the base class are units of their own.
      const isApart = child === heritage && child.type === "SequenceExpression";
      this.visit(child, isApart ? { ...scope, depth: 1 } : scope);
    }
  }

  #effectAt({ depth }: Scope): void {
    if (depth === 0) this.#hasEffects = true;
  }

  #label(node: Node, scope: Scope): void {
    const label = nodeAt(node, "label");
    if (label !== undefined) this.#text(label, String(nameOf(label)));
    const body = nodeAt(node, "body");
    if (body !== undefined) this.visit(body, scope);
  }

  #declare(...patterns: readonly (Node | undefined)[]): void {
    for (const pattern of patterns)
      for (const name of boundNames(pattern)) if (!this.#names.topLevel.has(name)) this.#declared.add(name);
  }

  #text(node: Node, text: string): void {
    this.#leaves.push({ kind: "text", start: node.start, end: node.end, text });
  }

  #literal(node: Node): void {
    this.#text(node, String(node.raw));
    if (typeof node.value !== "string") return;
    if (node.value.startsWith(EXTERNAL_SCHEME)) this.#sources.add(node.value);
    else if (node.value.length <= MAX_WORD_LENGTH) this.#words.add(node.value);
  }

  /** The ancestor so many levels above the node that is looked at. */
  #above(levels: number): Node | undefined {
    return this.#ancestors.at(-1 - levels);
  }

  /**
   * A function runs when it is called: at once where it is called on the spot or handed to a call. Helpers of the bundler
   * keep what they are handed for later.
   */
  #depthIn(depth: number): number {
    const isHanded = this.#ancestors.some(
      (ancestor) =>
        (ancestor.type === "CallExpression" && !this.#names.helpers.has(calleeName(ancestor) ?? "")) ||
        ancestor.type === "NewExpression" ||
        ancestor.type === "TaggedTemplateExpression",
    );
    return depth === 0 && isHanded ? 0 : depth + 1;
  }

  #mention(node: Node, { depth }: Scope, key?: string): void {
    const name = node.name as string;
    this.#leaves.push({ kind: "name", start: node.start, end: node.end, name, ...(key === undefined ? {} : { key }) });
    const parent = this.#above(1);
    const isObject = parent?.type === "MemberExpression" && parent.object === node;
    if (name === "eval") this.#isUntold = true;
    if (GLOBAL_OBJECTS.has(name) && !isObject) this.#changes.globalRoots.add(name);
    if (!this.#names.topLevel.has(name)) return;
    const member = isObject ? keyOf(parent) : undefined;
    if (member === undefined) this.#bare.add(name);
    else addTo(this.#memberMentions, name, member);
    const isCalled =
      (parent?.type === "CallExpression" ||
        parent?.type === "NewExpression" ||
        parent?.type === "TaggedTemplateExpression") &&
      (parent.callee === node || parent.tag === node);
    const outer = this.#above(2);
    const isRead =
      member !== undefined && isReadOnlyMethod(member) && outer?.type === "CallExpression" && outer.callee === parent;
    if (depth === 0) this.#evaluated.add(name);
    if (isCalled || isRead) return;
    this.#touched.add(name);
    if (depth === 0) this.#evaluatedTouches.add(name);
  }

  #ask({ members, isAll, isUntold }: AskedOfThis): void {
    for (const member of members) this.#thisMembers.add(member);
    if (isAll === true) this.#needsAllMembers = true;
    if (isUntold === true) this.#isUntold = true;
  }

  /** Whether a function of this name is itself looked at. */
  readonly #isFollowed = (name: string): boolean => this.#declared.has(name) || this.#names.topLevel.has(name);

  #member(node: Node, scope: Scope): void {
    const property = nodeAt(node, "property")!;
    this.visit(nodeAt(node, "object")!, scope);
    if (node.computed === true) this.visit(property, scope);
    else this.#key(property);
    const member = keyOf(node);
    const parent = this.#above(1);
    // `Array.prototype` by itself is on its way to where it may be changed.
    if ((member === "prototype" || member === "__proto__") && parent?.type !== "MemberExpression") {
      const root = rootName(node);
      if (root !== undefined) this.#changes.globalRoots.add(root);
    }
  }

  #key(key: Node): void {
    const name = key.type === "PrivateIdentifier" ? `#${String(key.name)}` : (nameOf(key) ?? String(key.value));
    this.#text(key, name);
    this.#words.add(name);
  }

  #property(node: Node, scope: Scope): void {
    const key = nodeAt(node, "key")!;
    const value = nodeAt(node, "value")!;
    if (node.shorthand === true) {
      // `{ row }` and `{ row: row2 }` are one thing to a bundler that renames.
      const name = value.type === "AssignmentPattern" ? nodeAt(value, "left")! : value;
      this.#words.add(String(nameOf(key)));
      this.#ancestors.push(value);
      this.#mention(name, scope, String(nameOf(key)));
      this.#ancestors.pop();
      if (value.type === "AssignmentPattern") this.visit(nodeAt(value, "right")!, scope);
      return;
    }
    if (node.computed === true) this.visit(key, scope);
    else this.#key(key);
    this.visit(value, scope);
  }

  #classElement(node: Node, scope: Scope): void {
    const key = nodeAt(node, "key")!;
    this.#visitAll(listAt(node, "decorators"), scope);
    if (node.computed === true) this.visit(key, scope);
    else this.#key(key);
    const value = nodeAt(node, "value");
    if (value === undefined) return;
    if (isFunction(value)) {
      // A method's own `this` is the class's, which is the flow only where the flow's members are looked at.
      this.#declare(...listAt(value, "params"));
      this.#ancestors.push(value);
      this.#visitAll(childrenOf(value, this.#names.visitorKeys), { ...scope, depth: this.#depthIn(scope.depth) });
      this.#ancestors.pop();
    } else {
      // The fields of a class that is looked at by itself are initialised whenever the flow is built.
      const isAtOnce = node.static === true || this.#ancestors.length === 1;
      this.visit(value, isAtOnce ? scope : { ...scope, depth: this.#depthIn(scope.depth) });
    }
  }

  #call(node: Node, scope: Scope): void {
    const callee = nodeAt(node, "callee");
    const name = nameOf(callee);
    const { helpers, loaders, coreImports } = this.#names;
    const [first] = listAt(node, "arguments");
    if (name === "Function") this.#isUntold = true;
    if (name !== undefined && (loaders.has(name) || (name === "__require" && textOf(first) === undefined)))
      this.#isUntold = true;
    if (callee?.type === "MemberExpression") this.#changes.methodCall(callee, first);
    if (!isEffectFree(node, callee, helpers)) this.#effectAt(scope);
    const kind = name === undefined ? undefined : coreImports.get(name);
    if ((kind === "step" || kind === "join" || kind === "choose") && first?.type === "ObjectExpression")
      this.#leaves.push(...blankedOptions(first, kind));
  }
}

function addTo(sets: Map<string, Set<string>>, key: string, value: string): void {
  const known = sets.get(key);
  if (known === undefined) sets.set(key, new Set([value]));
  else known.add(value);
}
