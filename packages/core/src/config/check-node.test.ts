import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { checkNode } from "./check-node.ts";

test("a Node from that of package.json on is taken, an older one is named", () => {
  const { engines } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const [, oldest] = /^>=(\d+\.\d+)$/.exec(engines.node)!;
  for (const version of [`${oldest}.0`, "22.20.1", "24.0.0", "100.1.0"])
    expect(checkNode(version, "node")).toBeUndefined();
  for (const version of ["20.20.2", "22.14.0", "9.99.0"])
    expect(() => checkNode(version, "/usr/bin/node")).toThrow(
      expect.objectContaining({
        code: "FLOW_CONFIG_OLD_NODE",
        message: `Cannot load Millrace: it needs Node ${oldest} or newer, this is Node ${version} (/usr/bin/node)`,
      }),
    );
});
