import { expect, test } from "vitest";
import { asideName, asideWriter } from "./aside-name.ts";

test("the writer of a file aside is known also by the files that SQLite puts beside records", () => {
  const name = asideName("TMP");
  for (const ending of ["", "0", ".rebuilt", ".rebuilt-wal", ".rebuilt-shm", "-wal", "-shm", "0-journal"])
    expect(asideWriter(`${name}${ending}`)).toBe(process.pid);
  for (const ending of [".txt", ".rebuilt.txt", "-wal2"]) expect(asideWriter(`${name}${ending}`)).toBeUndefined();
});
