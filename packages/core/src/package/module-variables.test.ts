import { expect, test } from "vitest";
import { MODULE_VARIABLES_EXPORT, withModuleVariables } from "./module-variables.ts";

const none = () => undefined;

async function evaluated(code: string, textOf: (path: string) => string | undefined = none) {
  const added = await withModuleVariables(code, textOf);
  const namespace = await import(`data:text/javascript,${encodeURIComponent(added)}`);
  return { namespace, variables: namespace[MODULE_VARIABLES_EXPORT] as { names: string[]; read(): unknown[] } };
}

test("variables that a function assigns and collections are told, with what they hold now", async () => {
  const { namespace, variables } = await evaluated(
    `var count = 0; let last; const cache = new Map(), list = [], table = {}, name = "x"; var once = 1; once = 2;
     function hidden() { let own = 0; own++; } class A { static n = 0; }
     export function change() { count++; last = "now"; cache.set(1, 2); hidden(); }`,
  );
  expect(variables.names).toEqual(["count", "last", "cache", "list", "table"]);
  namespace.change();
  expect(variables.read()).toEqual([1, "now", new Map([[1, 2]]), [], {}]);
});

test("modules that are loaded late keep theirs to themselves: filling them is loading, no change", async () => {
  const { namespace, variables } = await evaluated(
    `var __esm = (fn) => () => Object.values(fn)[0](); var late, counter; var init = __esm({ "late.ts"() { late = new Map(); counter = 0; } });
     let seen = 0; export function change() { init(); counter++; seen++; }`,
  );
  expect(variables.names).toEqual(["seen"]);
  namespace.change();
  expect(variables.read()).toEqual([1]);
});

test("they are called as their module calls them", async () => {
  const texts: Record<string, string> = { "lib/a.ts": "let count = 0;", "b.ts": "let count2 = 0;" };
  const { variables } = await evaluated(
    `// lib/a.ts\nvar count2 = 0;\nfunction up() { count2++; }\n// a comment\n// b.ts\nvar count22 = 0;\nfunction up2() { count22++; }\nexport { up, up2 };\n`,
    (path) => texts[path],
  );
  expect(variables.names).toEqual(["count of lib/a.ts", "count of b.ts"]);
});

test("a bundle without any is left as it is, and the address of its map stays last", async () => {
  const plain = "export const a = 1;\n//# sourceMappingURL=flow.mjs.map\n";
  expect(await withModuleVariables(plain, none)).toBe(plain);
  const added = await withModuleVariables(
    `let n = 0; export const f = () => n++;\n//# sourceMappingURL=flow.mjs.map\n`,
    none,
  );
  expect(added.endsWith("//# sourceMappingURL=flow.mjs.map\n")).toBe(true);
});
