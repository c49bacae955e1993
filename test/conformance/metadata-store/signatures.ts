import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { RunRow } from "../../../packages/core/src/metadata/metadata-store.ts";
import { MAX_SIGNATURES, type RunSignature, signStatement } from "../../../packages/core/src/metadata/run-signature.ts";
import { digestOf, finishedRun, noon, noSuchRun } from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

const { privateKey } = generateKeyPairSync("ed25519");

function signatureOf({ id }: Pick<RunRow, "id">, actor = "ana"): RunSignature {
  const run = { id, store: "a store", name: "shop/Train/1" };
  const facts = { run, startDigest: digestOf("start"), endDigest: digestOf("end"), artifacts: [] };
  return signStatement(privateKey, facts, { at: noon, actor, host: "here" });
}

export function signaturesVerb(under: MetadataStoreUnderTest): void {
  describe("signatures", () => {
    test("are kept in the order in which they came, to the last character, for everyone who opens the store", async () => {
      const run = await finishedRun(under.store);
      const other = await finishedRun(under.store);
      const signatures = [signatureOf(run, "größe"), signatureOf(run, "ben")];
      for (const signature of signatures) await under.store.addSignature(run.sequence, signature);
      for (const reader of [under.store, await under.fixture.reopen(), await under.fixture.openReadOnly()]) {
        expect(await reader.signatures(run.sequence)).toEqual(signatures);
        expect(await reader.signatures(other.sequence)).toEqual([]);
        if (reader !== under.store) await reader.close();
      }
    });

    test("of a run that is not there, of another run, and more than a run may have are refused", async () => {
      const run = await finishedRun(under.store);
      const other = await finishedRun(under.store);
      const add = (sequence: RunRow["sequence"], signature: RunSignature) =>
        under.store.addSignature(sequence, signature);
      await expect(add(noSuchRun, signatureOf(run))).rejects.toMatchObject({ code: "FLOW_METADATA_NO_RUN" });
      await expect(add(other.sequence, signatureOf(run))).rejects.toMatchObject({ code: "FLOW_METADATA_BAD_ARGUMENT" });
      await expect(add(run.sequence, { ...signatureOf(run), statement: "{}" })).rejects.toMatchObject({
        code: "FLOW_METADATA_BAD_ARGUMENT",
      });
      for (let count = 0; count < MAX_SIGNATURES; count++) await add(run.sequence, signatureOf(run));
      await expect(add(run.sequence, signatureOf(run))).rejects.toMatchObject({ code: "FLOW_SIGN_TOO_MANY" });
      expect(await under.store.signatures(run.sequence)).toHaveLength(MAX_SIGNATURES);
    });
  });
}
