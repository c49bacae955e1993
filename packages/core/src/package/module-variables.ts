import type { Node } from "oxc-parser";

/** Under this name a bundle exports `{ names, read }`: the variables of its modules. No module can use the name itself. */
export const MODULE_VARIABLES_EXPORT = "millrace:variables";

const LOCAL_NAME = "millraceVariables_";

/**
 * Lets a bundle tell what the top-level variables of its modules hold, so that a worker notices when a task leaves one
 * changed: those that some function assigns, and those that hold a collection. Modules that are loaded late, and
 * CommonJS, keep theirs to themselves.
 *
 * @param code the bundle; what is added stands at its end, where it moves no line
 * @param textOf the source of a module, by its path as the bundle has it
 */
export async function withModuleVariables(code: string, textOf: (path: string) => string | undefined): Promise<string> {
  const variables = await variablesOf(code);
  if (variables.length === 0) return code;
  const names = variables.map(({ name }) => name);
  const shown = JSON.stringify(variables.map((variable) => shownName(code, variable, textOf)));
  const added = `var ${LOCAL_NAME} = { names: ${shown}, read: () => [${names.join(", ")}] };
export { ${LOCAL_NAME} as ${JSON.stringify(MODULE_VARIABLES_EXPORT)} };
`;
  const comment = code.lastIndexOf("//# sourceMappingURL=");
  return comment === -1 ? code + added : code.slice(0, comment) + added + code.slice(comment);
}

interface Variable {
  readonly name: string;
  /** Where in the bundle it is declared. */
  readonly start: number;
}

/** `cache of lib/load.ts`: as the module has it, where the bundler had to call it `cache2`. */
function shownName(code: string, { name, start }: Variable, textOf: (path: string) => string | undefined): string {
  // The bundler writes the path of each module before its first line.
  const path = [...code.slice(0, start).matchAll(/^\/\/ (\S.*)$/gm)].findLast(
    ([, found]) => textOf(found!) !== undefined,
  )?.[1];
  if (path === undefined) return name;
  const isOwn = new RegExp(`(?<![\\w$])${name.replaceAll("$", "\\$")}(?![\\w$])`).test(textOf(path)!);
  return `${isOwn ? name : name.replace(/\d+$/, "")} of ${path}`;
}

async function variablesOf(code: string): Promise<readonly Variable[]> {
  const { parseSync, Visitor } = await import("oxc-parser");
  const { program, errors } = parseSync("flow.mjs", code);
  if (errors.length > 0 || code.includes(LOCAL_NAME)) return [];
  const declared = new Map<string, Variable>();
  const collections = new Set<string>();
  for (const statement of program.body) {
    const declaration = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement;
    if (declaration?.type !== "VariableDeclaration") continue;
    for (const { id, init } of declaration.declarations) {
      if (id.type !== "Identifier") continue;
      declared.set(id.name, { name: id.name, start: id.start });
      if (isCollection(init)) collections.add(id.name);
    }
  }
  const assigned = new Set<string>();
  const late = new Set<string>();
  /** For each function around: whether it is the body of a module that is loaded late. */
  const functions: boolean[] = [];
  const bodies = new Set<number>();
  const enter = (node: { readonly start: number }): void => void functions.push(bodies.has(node.start));
  const leave = (): void => void functions.pop();
  const assign = (target: { readonly type: string }): void => {
    const name = target.type === "Identifier" ? (target as unknown as { name: string }).name : undefined;
    if (name === undefined || !declared.has(name)) return;
    if (functions.includes(true)) late.add(name);
    else if (functions.length > 0) assigned.add(name);
  };
  new Visitor({
    CallExpression({ callee, arguments: [first] }) {
      // esbuild's wrapper: __esm({ "file.ts"() { … } })
      if (callee.type !== "Identifier" || callee.name !== "__esm" || first?.type !== "ObjectExpression") return;
      for (const property of first.properties) if (property.type === "Property") bodies.add(property.value.start);
    },
    FunctionDeclaration: enter,
    "FunctionDeclaration:exit": leave,
    FunctionExpression: enter,
    "FunctionExpression:exit": leave,
    ArrowFunctionExpression: enter,
    "ArrowFunctionExpression:exit": leave,
    AssignmentExpression: ({ left }) => assign(left),
    UpdateExpression: ({ argument }) => assign(argument),
  }).visit(program);
  return [...declared.values()].filter(({ name }) => !late.has(name) && (assigned.has(name) || collections.has(name)));
}

function isCollection(init: Node | null): boolean {
  if (init === null) return false;
  if (init.type === "ArrayExpression" || init.type === "ObjectExpression") return true;
  return init.type === "NewExpression" && init.callee.type === "Identifier" && /^(?:Map|Set)$/.test(init.callee.name);
}
