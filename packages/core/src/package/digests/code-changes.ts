/** What code changes, by the name at the root: `registry.items.push(x)` changes `registry`. */
import {
  EFFECT_FREE_CONSTRUCTORS,
  EFFECT_FREE_OBJECTS,
  isMutator,
  isReadOnlyMethod,
  REDEFINERS,
} from "./effect-words.ts";
import { keyOf, listAt, type Node, nameOf, nodeAt, rootName } from "./syntax.ts";

export const GLOBAL_OBJECTS: ReadonlySet<string> = new Set(["globalThis", "global", "self"]);

export class Changes {
  readonly roots = new Set<string>();
  /** Roots of what is called or handed on in a way that changes a global object, if the root is one. */
  readonly globalRoots = new Set<string>();

  /** Notes what an assignment, `++` or `delete` changes. */
  change(target: Node | undefined): void {
    if (target === undefined || target.type === "VariableDeclaration") return;
    if (target.type === "ObjectPattern")
      for (const property of listAt(target, "properties"))
        this.change(nodeAt(property, property.type === "RestElement" ? "argument" : "value"));
    else if (target.type === "ArrayPattern") for (const element of listAt(target, "elements")) this.change(element);
    else if (target.type === "AssignmentPattern") this.change(nodeAt(target, "left"));
    else if (target.type === "RestElement") this.change(nodeAt(target, "argument"));
    else {
      const root = rootName(target);
      if (root !== undefined) this.roots.add(root);
    }
  }

  /** Notes what the call of a method may change. */
  methodCall(callee: Node, first: Node | undefined): void {
    const method = keyOf(callee);
    const object = nodeAt(callee, "object");
    const root = rootName(object);
    if (method === undefined || root === undefined) return;
    if (isMutator(method)) this.roots.add(root);
    if (REDEFINERS.has(`${root}.${method}`)) {
      const target = rootName(first);
      if (target !== undefined) this.roots.add(target);
    }
    const isOfGlobal = GLOBAL_OBJECTS.has(root) && object?.type !== "Identifier" && !isReadOnlyMethod(method);
    const changesProcess = root === "process" && /^(?:on|once|add|prepend|set|chdir|umask)/.test(method);
    if (isOfGlobal || changesProcess) this.globalRoots.add(root);
  }
}

/** A call that cannot change anything of the bundle: helpers of the bundler, and built-ins that only compute. */
export function isEffectFree(node: Node, callee: Node | undefined, helpers: ReadonlySet<string>): boolean {
  const name = nameOf(callee);
  if (name !== undefined && helpers.has(name)) return true;
  if (node.type === "NewExpression") return name !== undefined && EFFECT_FREE_CONSTRUCTORS.has(name);
  if (name === "Symbol" || name === "BigInt" || name === "Number" || name === "String") return true;
  const object = callee?.type === "MemberExpression" ? nameOf(nodeAt(callee, "object")) : undefined;
  return object !== undefined && EFFECT_FREE_OBJECTS.has(object);
}
