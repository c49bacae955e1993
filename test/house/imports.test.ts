/**
 * Who may import whom (ARCHITECTURE.md, STYLE). An arrow that is not in these tables is a defect of the change that brings
 * it, or a decision that belongs into an ADR and then in here.
 */
import path from "node:path";
import { expect, test } from "vitest";
import { readText, sourcesOf, withoutComments } from "../kit/repository.ts";

const FREE = ["errors", "ids", "util"];

/** Rooms of core and the rooms that they may use; `errors`, `ids` and `util` are free for all. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  ids: [],
  util: [],
  events: [],
  flow: [],
  graph: ["flow"],
  // A loaded bundle is asked what its classes define; when that is wrong, their graphs are told of with it.
  package: ["flow", "graph"],
  artifact: ["storage"],
  storage: [],
  metadata: ["artifact"],
  lineage: ["graph", "metadata"],
  client: ["lineage", "artifact", "metadata"],
  // What looks at a store as a whole.
  admin: ["artifact", "metadata", "storage"],
  runner: ["flow", "graph", "lineage", "artifact", "metadata", "events"],
  config: [],
  // Runs as a file: records, values and tags of one store as another one takes them.
  transfer: ["lineage", "artifact", "metadata"],
  // A store as objects of a bucket: the lines of exported runs, and what they leave out.
  publish: ["transfer", "lineage", "artifact", "metadata", "storage"],
  // The one room where all rooms meet: it opens stores, loads packages and starts runs.
  wiring: [
    "admin",
    "config",
    "artifact",
    "storage",
    "metadata",
    "flow",
    "graph",
    "package",
    "lineage",
    "client",
    "runner",
    "events",
    "transfer",
    "publish",
  ],
  // A run in memory: the same rooms as in wiring, put together for tests.
  testing: [
    "client",
    "config",
    "artifact",
    "flow",
    "graph",
    "lineage",
    "metadata",
    "events",
    "package",
    "runner",
    "wiring",
  ],
};

/** Further arrows that only types may take: nothing of them is left at run time. Each has its reason. */
const TYPE_ARROWS: Readonly<Record<string, readonly string[]>> = {
  // Iterating over a run gives its events: the union is a part of the public types.
  flow: ["events"],
  // FlowIdentity is a pair of names that the records are keyed by; a RunRecord's parts are stored as they are.
  metadata: ["flow", "events"],
  // UpstreamDefinition says what is to be resolved; SelectorRecord is what becomes of it.
  lineage: ["flow", "events"],
  // The client is typed by the flow class of its user, and writes the record whose form `events` defines.
  client: ["flow", "events"],
  // Lines of a file hold the parts of records that events define.
  transfer: ["events"],
  // The environment of a run is a part of its record.
  config: ["events"],
  // A package is named by a digest, and a digest is the artifact room's type.
  package: ["artifact"],
};

/** Single files of a room that a whole room is otherwise kept from: contracts, and no back-end behind them. */
const ONLY_FILES: Readonly<Record<string, readonly string[]>> = {
  "artifact → storage": ["storage/blob-store.ts"],
  "publish → storage": ["storage/blob-store.ts"],
  "admin → storage": ["storage/blob-store.ts", "storage/folder-audit.ts", "storage/sweep.ts"],
};

interface Import {
  readonly file: string;
  readonly target: string;
  readonly isType: boolean;
}

function importsOf(file: string): readonly Import[] {
  const text = withoutComments(readText(file));
  const statements = [...text.matchAll(/^\s*(import|export)\s+(type\s+)?([^;"']*?\sfrom\s+)?"([^"]+)"/gm)].map(
    (match) => ({
      file,
      target: match[4]!,
      isType: match[2] !== undefined || allTypes(match[3]),
    }),
  );
  const dynamic = [...text.matchAll(/\bimport\(\s*["']([^"']+)["']\s*\)/g)].map((match) => ({
    file,
    target: match[1]!,
    isType: false,
  }));
  return [...statements, ...dynamic];
}

/** `{ type A, type B } from`. */
function allTypes(clause: string | undefined): boolean {
  const names = /\{([\s\S]*)\}\s*from\s*$/
    .exec(clause ?? "")?.[1]
    ?.split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  return names !== undefined && names.length > 0 && names.every((name) => name.startsWith("type "));
}

const CORE = "packages/core/src/";
const roomOf = (file: string) => (file.slice(CORE.length).includes("/") ? file.slice(CORE.length).split("/")[0]! : "");

test("rooms of core import along the arrows only", () => {
  const wrong: string[] = [];
  let seen = 0;
  for (const file of sourcesOf("core")) {
    const room = roomOf(file);
    if (room === "") continue; // index.ts and internal.ts are the doors of the house.
    const allowed = ARROWS[room];
    if (allowed === undefined) wrong.push(`${file}: the room "${room}" is not in the table`);
    for (const { target, isType } of importsOf(file)) {
      if (!target.startsWith(".")) continue;
      const full = path.posix.join(path.posix.dirname(file), target);
      const other = roomOf(full);
      if (other === room) continue;
      seen++;
      const arrow = `${room} → ${other}`;
      const isAllowed =
        (FREE.includes(other) || allowed?.includes(other) || (isType && TYPE_ARROWS[room]?.includes(other))) ?? false;
      const only = ONLY_FILES[arrow];
      if (!isAllowed || (FREE.includes(room) && !FREE.includes(other)))
        wrong.push(`${file} imports ${target}: ${arrow}${isType ? " (type)" : ""}`);
      else if (only !== undefined && !only.includes(full.slice(CORE.length)))
        wrong.push(`${file} imports ${target}: only ${only.join(", ")} may be`);
    }
  }
  expect(wrong).toEqual([]);
  expect(seen).toBeGreaterThan(200); // The pattern still finds imports.
});

test("only wiring names a concrete back-end", () => {
  const wrong = sourcesOf("core").flatMap((file) =>
    importsOf(file)
      .map(({ target }) => path.posix.join(path.posix.dirname(file), target))
      .filter((full) => /^packages\/core\/src\/(storage\/(fs|memory|s3|gcs|azure)|metadata\/(sqlite|sql))\//.test(full))
      .filter((full) => !["wiring", roomOf(full)].includes(roomOf(file)))
      .map((full) => `${file} imports ${full}`),
  );
  expect(wrong).toEqual([]);
});

test("the command enters core by its one door, ml by the public one", () => {
  const wrong = ["cli", "ml"].flatMap((name) =>
    sourcesOf(name).flatMap((file) =>
      importsOf(file)
        .filter(({ target }) => target.startsWith("@millrace/") || target.includes("packages/"))
        .filter(({ target }) => target !== (name === "cli" ? "@millrace/core/internal" : "@millrace/core"))
        // What tests codecs runs flows in memory.
        .filter(() => !file.startsWith("packages/ml/src/testing/"))
        .map(({ target }) => `${file} imports ${target}`),
    ),
  );
  expect(wrong).toEqual([]);
});

test("relative imports say their extension", () => {
  const wrong = ["core", "cli", "ml"].flatMap((name) =>
    sourcesOf(name).flatMap((file) =>
      importsOf(file)
        .filter(({ target }) => target.startsWith(".") && !/\.(ts|json)$/.test(target))
        .map(({ target }) => `${file} imports ${target}`),
    ),
  );
  expect(wrong).toEqual([]);
});
