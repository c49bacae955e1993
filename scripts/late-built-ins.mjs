/**
 * What takes long to load and is not needed by each command, or not at once: loaded by the first call. node:crypto takes 8 ms,
 * node:fs/promises 5, of which most is readline.
 */
const LATE = new Set([
  "node:child_process",
  "node:crypto",
  "node:fs/promises",
  "node:stream/consumers",
  "node:timers/promises",
  "node:v8",
  "node:vm",
  "node:zlib",
]);

/**
 * Takes built-in modules without `import`. Importing one makes Node build a facade with all of its exports, which loads
 * what they are lazy about: with node:fs the streams and the promises, with node:crypto every algorithm. Measured with a
 * warm compile cache, that is 10 of the 25 ms that `flow graph` takes beyond a bare node. Some are only loaded when they are
 * used. Lines stay where they are, so that the source maps still fit.
 */
export function lateBuiltIns(code) {
  let count = 0;
  return code.replace(
    /^import (\* as [\w$]+|[\w$]+|\{[^}]*\}|[\w$]+, \{[^}]*\}) from "(node:[a-z_0-9/]+)";/gm,
    (statement, clause, module) => {
      const taken = `process.getBuiltinModule("${module}")`;
      const [, whole, named] = /^(?:\* as )?([\w$]+)?(?:, )?(\{[^}]*\})?$/s.exec(clause) ?? [];
      if (whole === undefined && named === undefined) return statement;
      const names = namesOf(named);
      if (LATE.has(module) && names.every(({ name, local }) => mayBeLate(module, name, local, code))) {
        const place = `late$${count++}`;
        const late = `(${place} ??= ${taken})`;
        const parts = names.map(({ name, local }) =>
          typeof exportOf(module, name) === "function"
            ? `${local} = (...words) => ${late}.${name}(...words)`
            : `${local} = ${lateObject(`${late}.${name}`)}`,
        );
        if (whole !== undefined) parts.push(`${whole} = ${lateObject(late)}`);
        return `let ${place}; const ${parts.join(", ")};${lineBreaks(statement)}`;
      }
      const parts = [];
      if (whole !== undefined) parts.push(`${whole} = ${taken}`);
      if (named !== undefined) parts.push(`${named.replaceAll(/([\w$]+) as ([\w$]+)/g, "$1: $2")} = ${taken}`);
      return `const ${parts.join(", ")};`;
    },
  );
}

function namesOf(named = "{}") {
  return [...named.matchAll(/([\w$]+)(?: as ([\w$]+))?/g)].map(([, name, local = name]) => ({ name, local }));
}

function exportOf(module, name) {
  return process.getBuiltinModule(module)[name];
}

/** Functions that are called, and objects that are read: what is a class here, or is looked at as a value, stays what it is. */
function mayBeLate(module, name, local, code) {
  const value = exportOf(module, name);
  if (typeof value === "object") return true;
  const word = local.replaceAll("$", "\\$");
  const asValue = new RegExp(`\\b(new |extends |instanceof |promisify\\()${word}(?![\\w$])|(?<![\\w$.])${word}\\.`);
  return typeof value === "function" && !asValue.test(code);
}

function lateObject(value) {
  return `new Proxy({}, { get: (_, key) => ${value}[key] })`;
}

function lineBreaks(text) {
  return "\n".repeat(text.split("\n").length - 1);
}
