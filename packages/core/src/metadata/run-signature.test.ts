import { createPrivateKey, verify } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Digest } from "../artifact/artifact.ts";
import type { RunId } from "../ids/run-id.ts";
import { differingFacts, isSignedBy, readStatement, type SignedFacts, signStatement } from "./run-signature.ts";
import { publicKeyOf, publicKeyText, readPublicKey } from "./signing-key.ts";

/** The first private key of RFC 8032, section 7.1, in PKCS #8: whoever reads this can sign with it. */
const key = createPrivateKey({
  key: Buffer.from(
    "302e020100300506032b6570042204209d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "hex",
  ),
  format: "der",
  type: "pkcs8",
});
const digest = (letter: string) => letter.repeat(64) as Digest;
const facts: SignedFacts = {
  run: {
    id: "0190c8a2-7b3e-7000-8000-000000000001" as RunId,
    store: "9f2c0000-0000-4000-8000-000000000000",
    name: "shop/Train/17",
  },
  startDigest: digest("a"),
  endDigest: digest("b"),
  packageDigest: digest("c"),
  artifacts: [
    { name: "größe", codec: "cbor", digest: digest("d") },
    { name: "modeler", codec: "float64", digest: digest("e") },
  ],
};
const by = { at: new Date("2026-11-17T12:00:00Z"), actor: "ana", host: "north" };

describe("a statement", () => {
  test("is the text of its form to the last character, and its signature that of every Ed25519", () => {
    const { keyId, statement, signature } = signStatement(key, facts, by);
    expect(statement).toBe(
      `{"actor":"ana","artifacts":[{"codec":"cbor","digest":"${digest("d")}","name":"größe"},{"codec":"float64","digest":"${digest("e")}","name":"modeler"}],` +
        `"at":"2026-11-17T12:00:00.000Z","endDigest":"${digest("b")}","host":"north","keyId":"${keyId}","packageDigest":"${digest("c")}",` +
        `"run":{"id":"${facts.run.id}","name":"shop/Train/17","store":"${facts.run.store}"},"schema":"millrace-run-statement 1","startDigest":"${digest("a")}"}`,
    );
    expect({ keyId, signature }).toMatchInlineSnapshot(`
      {
        "keyId": "06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9",
        "signature": "bf5e563ccd0cfb4becf0898eb93e6dd29f7147866d61dfb2022ccce331488b4323acab683ecd76b76eb0773d6b81b0739e9bbe68775bba020d5abe712f518106",
      }
    `);
    expect(verify(null, Buffer.from(statement), publicKeyOf(key).key, Buffer.from(signature, "hex"))).toBe(true);
  });

  test("is read back as what was signed; what is none is none", () => {
    const { statement } = signStatement(key, facts, by);
    const read = readStatement(statement)!;
    expect(differingFacts(read, facts)).toEqual([]);
    expect(read).toMatchObject({ actor: "ana", host: "north", at: "2026-11-17T12:00:00.000Z" });
    for (const text of [
      "",
      "null",
      "[]",
      "{}",
      statement.replace("statement 1", "statement 2"),
      statement.replace('"artifacts":[', '"x":['),
      statement.slice(1),
    ])
      expect(readStatement(text)).toBeUndefined();
  });

  test.each([
    ["run", { run: { ...facts.run, name: "shop/Train/18" } }],
    ["startDigest", { startDigest: digest("0") }],
    ["endDigest", { endDigest: digest("0") }],
    ["packageDigest", { packageDigest: digest("0") }],
    ["artifacts", { artifacts: facts.artifacts.slice(1) }],
  ])("differs in %s", (name, change) => {
    expect(differingFacts({ ...facts, ...change }, facts)).toEqual([name]);
  });
});

test("a signature is of one text and one key", () => {
  const signed = signStatement(key, facts, by);
  const own = publicKeyOf(key);
  expect(isSignedBy(signed, own)).toBe(true);
  expect(isSignedBy({ ...signed, statement: `${signed.statement} ` }, own)).toBe(false);
  expect(
    isSignedBy({ ...signed, signature: signed.signature.replace(/^./, (first) => (first === "0" ? "1" : "0")) }, own),
  ).toBe(false);
  expect(readPublicKey(publicKeyText(own), "a test").keyId).toBe(own.keyId);
});
