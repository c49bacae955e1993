/** The documents of the formats, held to what the program does. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { openReader } from "../../../packages/core/src/metadata/sqlite/connection.ts";

const document = (name: string) => fs.readFileSync(new URL(`../../../docs/formats/${name}.md`, import.meta.url), "utf8");

test("the example of tag-log.md hashes to the digest beside it", () => {
  const [text, digest] = [...document("tag-log").matchAll(/```\n([^`]*)\n```/g)].map((match) => match[1]!);
  expect(text).toMatch(/^millrace-tag-event 1\n64:0{64},/);
  expect(createHash("sha256").update(text!).digest("hex")).toBe(digest);
});

test("schema.md names every table and every column, and no other column of the tables it shows", () => {
  const text = document("schema");
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "millrace-documents-"));
  fs.copyFileSync(new URL("./store/millrace.db", import.meta.url), path.join(folder, "millrace.db"));
  const db = openReader(path.join(folder, "millrace.db"));
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").pluck().all() as string[];
  for (const table of tables) {
    const section = text.split(/^## /m).find((each) => each.split("\n")[0]!.split(", ").includes(table));
    expect(section, `a section about ${table}`).toBeDefined();
    const columns = db.prepare("SELECT name FROM pragma_table_info(?)").pluck().all(table) as string[];
    expect(columns.filter((column) => !section!.includes(`\`${column}\``)), `columns of ${table}`).toEqual([]);
    const rows = [...section!.matchAll(/^\| (`[^|]*`) \|/gm)].flatMap((match) => match[1]!.split(", ").map((name) => name.slice(1, -1)));
    expect(rows.filter((name) => !columns.includes(name)), `columns that ${table} has not`).toEqual([]);
  }
  db.close();
  fs.rmSync(folder, { recursive: true });
});
