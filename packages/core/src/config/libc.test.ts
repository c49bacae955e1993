import { expect, test } from "vitest";
import { libcOfLdd, readLibc } from "./libc.ts";

test.each([
  ["    echo 'ldd (Debian GLIBC 2.36-9+deb12u14) 2.36'", "glibc 2.36"],
  ["    echo 'ldd (GNU libc) 2.34'\n    printf $\"Copyright (C) %s\" 2021", "glibc 2.34"],
  ["    echo 'ldd (Ubuntu GLIBC 2.35-0ubuntu3.8) 2.35'", "glibc 2.35"],
  ['#!/bin/sh\nexec /lib/ld-musl-x86_64.so.1 --list -- "$@"', "musl"],
  ["#!/bin/sh\necho nothing", undefined],
])("the text of ldd %j tells %s", (text, libc) => {
  expect(libcOfLdd(text)).toBe(libc);
});

test.runIf(process.platform === "linux")("it is what Node reports of this very process", () => {
  const report = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  const { glibcVersionRuntime: version } = report.header;
  expect(readLibc()).toBe(version === undefined ? "musl" : `glibc ${version}`);
});
