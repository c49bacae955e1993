import path from "node:path";

/** What a bundle imports to reach the loader's side; see `load-hooks.ts`. */
export const LOCAL_MODULE = "millrace:@local";
/** Stands before a source path: a virtual module of the bundle with that source's `meta`, `resolve` and `load`. */
export const SOURCE_SCHEME = "millrace-source:";

/**
 * What a module can say that depends on where it lies, and the name that is put in its place. Each name is as long as what
 * it replaces, so columns in the source map stay right without any correction.
 */
const NAMES = { meta: "sourceMeta_", resolve: "sourceResolve__", load: "source_" } as const;
type Local = keyof typeof NAMES;

interface Replacement {
  readonly start: number;
  readonly end: number;
  readonly local: Local;
}

/**
 * Lets `import.meta`, `__filename`, `__dirname`, `require.resolve()` and `require(expression)` of a module mean its source
 * file: within the bundle they would mean the bundle.
 *
 * Expressions are found by the parser, so text in strings and comments stays. What replaces them is imported at the end of
 * the module, where it moves no line, or, in CommonJS, declared before its first character.
 *
 * @param text the module as it is written
 * @param relative its path relative to the root, which is all that the bundle knows of it
 */
export async function localizeSource(text: string, relative: string): Promise<string> {
  const usesFolder = /\b__(?:dirname|filename)\b/.test(text);
  if (!usesFolder && !/\bimport\s*\.\s*meta\b|\brequire\b/.test(text)) return text;
  const { parseSync } = await import("oxc-parser");
  const parsed = parseSync(path.basename(relative), text);
  if (parsed.errors.length > 0) return text; // esbuild reports the error, with its place.
  const isModule = parsed.module.hasModuleSyntax;
  const replacements = await findReplacements(parsed.program);
  const names = freeNames(text);
  const used = new Set(replacements.map((replacement) => replacement.local));
  let result = text;
  for (const { start, end, local } of replacements.toSorted((a, b) => b.start - a.start)) {
    result = result.slice(0, start) + names[local].padEnd(end - start) + result.slice(end);
  }
  if (isModule) {
    if (used.size === 0) return text;
    const bindings = [...used].map((local) => `${local} as ${names[local]}`).join(", ");
    return `${result}\nimport { ${bindings} } from ${JSON.stringify(SOURCE_SCHEME + relative)};\n`;
  }
  const bindings = [...used].map((local) => `${local}: ${names[local]}`);
  if (usesFolder) bindings.push("meta: { filename: __filename, dirname: __dirname }");
  if (bindings.length === 0) return text;
  return `var { ${bindings.join(", ")} } = require(${JSON.stringify(LOCAL_MODULE)}).source(${JSON.stringify(relative)}); ${result}`;
}

/** The virtual module behind `SOURCE_SCHEME`. */
export function sourceModuleText(relative: string): string {
  return `import { source } from ${JSON.stringify(LOCAL_MODULE)};\nexport const { meta, resolve, load } = source(${JSON.stringify(relative)});\n`;
}

type Program = Parameters<InstanceType<typeof import("oxc-parser").Visitor>["visit"]>[0];

async function findReplacements(program: Program): Promise<readonly Replacement[]> {
  const { Visitor } = await import("oxc-parser");
  const metas: Replacement[] = [];
  const requires: Replacement[] = [];
  let isRequireBound = false;
  const bind = (node: { readonly type: string; readonly name?: unknown }): void => {
    if (node.type === "Identifier" && node.name === "require") isRequireBound = true;
  };
  new Visitor({
    MetaProperty(node) {
      if (node.meta.name === "import") metas.push({ start: node.start, end: node.end, local: "meta" });
    },
    MemberExpression(node) {
      if (node.computed || node.object.type !== "Identifier" || node.object.name !== "require") return;
      if (node.property.type === "Identifier" && node.property.name === "resolve")
        requires.push({ start: node.start, end: node.end, local: "resolve" });
    },
    CallExpression({ callee, arguments: [first] }) {
      if (callee.type !== "Identifier" || callee.name !== "require" || first === undefined) return;
      // What the bundler can follow is left to it.
      if (["Literal", "TemplateLiteral", "ConditionalExpression"].includes(first.type)) return;
      requires.push({ start: callee.start, end: callee.end, local: "load" });
    },
    VariableDeclarator: (node) => bind(node.id),
    FunctionDeclaration: (node) => node.params.forEach((parameter) => void bind(parameter as { type: string })),
    FunctionExpression: (node) => node.params.forEach((parameter) => void bind(parameter as { type: string })),
    ArrowFunctionExpression: (node) => node.params.forEach((parameter) => void bind(parameter as { type: string })),
    ImportSpecifier: (node) => bind(node.local),
  }).visit(program);
  return isRequireBound ? metas : [...metas, ...requires];
}

/** Names that the module does not use. */
function freeNames(text: string): Readonly<Record<Local, string>> {
  const free = (name: string): string => {
    for (let number = 0; ; number++) {
      const suffix = number === 0 ? "" : String(number);
      const candidate = name.slice(0, name.length - suffix.length) + suffix;
      if (!text.includes(candidate)) return candidate;
    }
  };
  return { meta: free(NAMES.meta), resolve: free(NAMES.resolve), load: free(NAMES.load) };
}
