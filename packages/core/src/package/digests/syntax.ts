/** The little that is read of the parser's nodes (ESTree), and small questions about them. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

export function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}

/** The nodes below a node, by the keys that the parser's own visitor uses. */
export function childrenOf(node: Node, keys: Readonly<Record<string, readonly string[]>>): readonly Node[] {
  const children: Node[] = [];
  for (const key of keys[node.type] ?? []) {
    const value = node[key];
    if (isNode(value)) children.push(value);
    else if (Array.isArray(value)) for (const item of value) if (isNode(item)) children.push(item);
  }
  return children;
}

export function nodeAt(node: Node, key: string): Node | undefined {
  const value = node[key];
  return isNode(value) ? value : undefined;
}

export function listAt(node: Node, key: string): readonly Node[] {
  const value = node[key];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

/** The name of a plain identifier. */
export function nameOf(node: Node | undefined): string | undefined {
  return node?.type === "Identifier" ? (node.name as string) : undefined;
}

/** The text of a string literal. */
export function textOf(node: Node | undefined): string | undefined {
  return node?.type === "Literal" && typeof node.value === "string" ? node.value : undefined;
}

/** What a member, property or class element is called: `x`, `"x"`, `#x`; undefined when it is computed. */
export function keyOf(node: Node): string | undefined {
  const key = nodeAt(node, "key") ?? nodeAt(node, "property");
  if (key === undefined) return undefined;
  if (key.type === "PrivateIdentifier") return `#${String(key.name)}`;
  if (node.computed === true) return textOf(key);
  return nameOf(key) ?? (key.type === "Literal" ? String(key.value) : undefined);
}

/** The function that a call calls by its name alone. */
export function calleeName(node: Node): string | undefined {
  return node.type === "CallExpression" ? nameOf(nodeAt(node, "callee")) : undefined;
}

/** Names that a declaration's pattern binds: `a`, `{ a, b: [c] }`. */
export function boundNames(pattern: Node | undefined): string[] {
  switch (pattern?.type) {
    case "Identifier":
      return [pattern.name as string];
    case "ObjectPattern":
      return listAt(pattern, "properties").flatMap((property) =>
        boundNames(nodeAt(property, property.type === "RestElement" ? "argument" : "value")),
      );
    case "ArrayPattern":
      return listAt(pattern, "elements").flatMap(boundNames);
    case "AssignmentPattern":
      return boundNames(nodeAt(pattern, "left"));
    case "RestElement":
      return boundNames(nodeAt(pattern, "argument"));
    default:
      return [];
  }
}

/** The name at the root of `a.b[c].d`; also through calls of its methods (`a.of(x).d`). */
export function rootName(node: Node | undefined): string | undefined {
  for (let current = node; current !== undefined; ) {
    if (current.type === "Identifier") return current.name as string;
    if (current.type === "MemberExpression") current = nodeAt(current, "object");
    else if (current.type === "CallExpression") current = nodeAt(current, "callee");
    else if (current.type === "ChainExpression") current = nodeAt(current, "expression");
    else return undefined;
  }
  return undefined;
}

export function isFunction(node: Node | undefined): boolean {
  return (
    node?.type === "FunctionExpression" ||
    node?.type === "FunctionDeclaration" ||
    node?.type === "ArrowFunctionExpression"
  );
}

export function isClass(node: Node | undefined): boolean {
  return node?.type === "ClassExpression" || node?.type === "ClassDeclaration";
}
