/**
 * Takes built flows whose manifest, definitions or source map somebody has changed, with a digest that fits, as many as it is
 * told, and prints one line of JSON about what came of it: node --max-old-space-size=256 built-flow-program.ts FILE FROM TO SEED
 */
import fs from "node:fs";
import path from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { isFlowError } from "../../packages/core/src/errors/flow-error.ts";
import { seededRandom } from "../../packages/core/src/flow/random.ts";
import { checkGraph } from "../../packages/core/src/graph/check-graph.ts";
import { loadFlowArchive } from "../../packages/core/src/package/flow-archive.ts";
import { loadPackage } from "../../packages/core/src/package/load-package.ts";
import { packageDigest } from "../../packages/core/src/package/package-digest.ts";
import { describeUserError } from "../../packages/core/src/package/user-stack.ts";
import { readTar, writeTar } from "../../packages/core/src/util/tar.ts";

const [file, from, to, seed] = process.argv.slice(2) as [string, string, string, string];
const random = seededRandom(`millrace:hostile:built:${seed}:${from}`);
const below = (limit: number): number => Math.floor(random() * limit);
const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;

const whole: ReadonlyMap<string, Buffer> = new Map(
  [...readTar(gunzipSync(fs.readFileSync(file)))!].map(([name, bytes]) => [name, Buffer.from(bytes)]),
);
const KEYS = ["__proto__", "constructor", "then", "toString", "length", "../../x", "", "file", "0"];
const VALUES: readonly (() => unknown)[] = [
  () => null,
  () => pick([0, -1, 1e300, 2 ** 53, 5]),
  () =>
    pick([
      "",
      "x",
      "../../../../etc/passwd",
      "/etc/passwd",
      "\0",
      "millrace:",
      "x".repeat(5_000),
      "node:fs",
      "AAAA;;;;zzzz",
    ]),
  () => pick([true, false]),
  () => [],
  () => ({}),
  () => [null, 1, "x", {}],
  () => JSON.parse('{"__proto__":{"polluted":1},"file":5,"location":{"file":"x"}}'),
];

/** A copy in which some value, wherever it stands, is another one, is gone or has another name. */
function changed(value: unknown, depth = 0): unknown {
  if (depth > 0 && below(4) === 0) return pick(VALUES)();
  if (Array.isArray(value) && value.length > 0) {
    const copy = [...value];
    const at = below(copy.length);
    if (below(6) === 0) copy.splice(at, 1);
    else copy[at] = changed(copy[at], depth + 1);
    return copy;
  }
  if (typeof value !== "object" || value === null || Object.keys(value).length === 0) return pick(VALUES)();
  const key = pick(Object.keys(value));
  const { [key]: old, ...rest } = value as Record<string, unknown>;
  const kind = below(6);
  if (kind === 0) return rest;
  if (kind === 1) return { ...rest, [pick(KEYS)]: old };
  return { ...rest, [key]: changed(old, depth + 1) };
}

/** Text that somebody changed: as JSON, or as bytes. */
function mutated(bytes: Buffer): Buffer {
  if (below(4) > 0) return Buffer.from(JSON.stringify(changed(JSON.parse(bytes.toString("utf8")))) ?? "");
  const copy = Buffer.from(bytes);
  for (let times = 1 + below(4); times > 0; times--) copy[below(copy.length)] = below(256);
  return below(3) === 0 ? copy.subarray(0, below(copy.length)) : copy;
}

const PARTS = ["flow.json", "manifest.json", "flow.mjs.map"];
const wrong: unknown[] = [];
const codes: Record<string, number> = {};
const tally = { loaded: 0, described: 0, slowest: 0 };
for (let at = Number(from); at < Number(to); at++) {
  const part = PARTS[at % PARTS.length]!;
  const entries = new Map(whole).set(part, mutated(whole.get(part)!));
  const content = {
    code: entries.get("flow.mjs")!,
    map: entries.get("flow.mjs.map")!,
    manifest: entries.get("manifest.json")!,
  };
  if (part !== "flow.json") {
    const facts = JSON.parse(whole.get("flow.json")!.toString("utf8"));
    entries.set("flow.json", Buffer.from(JSON.stringify({ ...facts, digest: packageDigest(content) })));
  }
  const hostile = path.join(path.dirname(file), `hostile-${at}.flow`);
  fs.writeFileSync(hostile, gzipSync(writeTar([...entries])));
  const begin = process.cpuUsage();
  try {
    const pack = await loadFlowArchive(hostile, path.join(path.dirname(file), "cache"));
    for (const { definition } of pack.flows) checkGraph(definition);
    const { default: Train } = (await loadPackage(pack)) as { readonly default: { prototype: { fails(): void } } };
    tally.loaded++;
    try {
      Train.prototype.fails();
    } catch (error) {
      // Where it happened is told by the map, or is not told: an error is an error all the same.
      if (describeUserError(error, path.dirname(file)).message === "as always") tally.described++;
    }
  } catch (error) {
    if (isFlowError(error) && error.code !== "FLOW_INTERNAL") codes[error.code] = (codes[error.code] ?? 0) + 1;
    else
      wrong.push({
        at,
        part,
        text: entries.get(part)!.toString("latin1").slice(0, 300),
        error: String((error as Error)?.stack ?? error).slice(0, 600),
      });
  }
  const used = process.cpuUsage(begin);
  tally.slowest = Math.max(tally.slowest, (used.user + used.system) / 1_000);
  fs.rmSync(hostile);
}
const polluted = Object.keys(Object.prototype).concat("polluted" in {} ? ["polluted"] : []);
console.log(JSON.stringify({ ...tally, codes, count: wrong.length, wrong: wrong.slice(0, 5), polluted }));
