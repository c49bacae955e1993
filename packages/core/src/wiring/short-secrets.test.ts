import { expect, test } from "vitest";
import { SecretMask } from "../runner/secret-mask.ts";
import { shortSecrets } from "./short-secrets.ts";

const field = (name: string, value: unknown, secret = true) =>
  ({ name, kind: "parameter", value, encoded: value, secret, origin: "flag" }) as never;
const policies = (secrets: Readonly<Record<string, string>>) =>
  new Map([["start", { placement: { isolate: "thread", secrets } } as const]]);

test("secrets that are not masked are named, once for all of them", () => {
  const fields = [field("pin", "12"), field("token", "123"), field("plain", "1", false), field("none", "")];
  const [warning, ...more] = shortSecrets({ fields, policies: policies({ KEY: "k", LONG: "long enough" }) });
  expect(more).toEqual([]);
  expect(warning).toMatchObject({ code: "FLOW_RUNNER_SHORT_SECRET", message: expect.stringMatching(/: pin, KEY$/) });
  // Just these are shown as they are.
  expect(new SecretMask(["12", "123", "k"]).text("12 k 123")).toBe("12 k ***");
});

test("where all are masked nothing is said", () => {
  expect(shortSecrets({ fields: [field("token", "123")], policies: policies({ KEY: "long enough" }) })).toEqual([]);
});
