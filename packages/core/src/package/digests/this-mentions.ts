/** What code asks of `this` where `this` may be the flow: members by name, or all of them when it goes out of sight. */
import { calleeName, keyOf, listAt, type Node, nameOf, nodeAt } from "./syntax.ts";

export interface AskedOfThis {
  readonly members: readonly string[];
  /** It is handed to where it cannot be followed. */
  readonly isAll?: boolean;
  /** A member whose name is worked out. */
  readonly isUntold?: boolean;
}

export interface ThisContext {
  /** The bundler's own functions, which ask for nothing. */
  readonly helpers: ReadonlySet<string>;
  /** Whether a function of this name is part of what is looked at: what it asks of its own `this` counts by itself. */
  readonly isFollowed: (name: string) => boolean;
}

const NOTHING: AskedOfThis = { members: [] };

export function askedOfThis(node: Node, parent: Node | undefined, context: ThisContext): AskedOfThis {
  if (parent?.type === "MemberExpression" && parent.object === node) {
    const member = keyOf(parent);
    return member === undefined ? { members: [], isUntold: true } : { members: [member] };
  }
  if (parent?.type === "VariableDeclarator" && parent.init === node) {
    const members = destructured(nodeAt(parent, "id"));
    if (members !== undefined) return { members };
  }
  return isHandedOnSafely(node, parent, context) ? NOTHING : { members: [], isAll: true };
}

export function askedOfSuper(parent: Node | undefined): AskedOfThis {
  if (parent?.type !== "MemberExpression") return NOTHING;
  const member = keyOf(parent);
  return member === undefined ? { members: [], isUntold: true } : { members: [member] };
}

/** `const { a, b } = this`: the members are named. */
function destructured(pattern: Node | undefined): readonly string[] | undefined {
  if (pattern?.type !== "ObjectPattern") return undefined;
  const keys: string[] = [];
  for (const property of listAt(pattern, "properties")) {
    const key = property.type === "RestElement" ? undefined : keyOf(property);
    if (key === undefined) return undefined;
    keys.push(key);
  }
  return keys;
}

/** Compared, handed to a helper of the bundler, or the `this` of a function that is itself looked at. */
function isHandedOnSafely(node: Node, parent: Node | undefined, { helpers, isFollowed }: ThisContext): boolean {
  if (parent?.type === "BinaryExpression") return parent.operator === "in" || /^[=!]==?$/.test(String(parent.operator));
  if (parent?.type !== "CallExpression") return false;
  if (helpers.has(calleeName(parent) ?? "")) return true;
  const callee = nodeAt(parent, "callee");
  if (callee?.type !== "MemberExpression" || listAt(parent, "arguments")[0] !== node) return false;
  if (!["call", "apply", "bind"].includes(keyOf(callee) ?? "")) return false;
  const called = nodeAt(callee, "object");
  if (called?.type === "CallExpression") return helpers.has(calleeName(called) ?? "");
  if (called?.type === "MemberExpression")
    return ["ThisExpression", "Super"].includes(nodeAt(called, "object")?.type ?? "");
  const name = nameOf(called);
  return name !== undefined && isFollowed(name);
}
