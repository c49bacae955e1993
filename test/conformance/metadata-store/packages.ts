import { describe, expect, test } from "vitest";
import { blobOf, digestOf } from "./records.ts";
import type { MetadataStoreUnderTest } from "./suite.ts";

export function packageVerb(under: MetadataStoreUnderTest): void {
  describe("code packages", () => {
    test("keeps a manifest and its files; storing it again changes nothing", async () => {
      const pack = {
        digest: digestOf("package"),
        manifest: '{"schema":1}',
        blobs: [blobOf("bundle"), blobOf("map"), blobOf("map")],
      };
      await under.store.putPackage(pack);
      await under.store.putPackage({ ...pack, manifest: "changed" });
      expect(await under.store.package(pack.digest)).toEqual({ digest: pack.digest, manifest: '{"schema":1}' });
      expect(await under.store.blob(digestOf("bundle"))).toEqual(blobOf("bundle"));
      expect(await under.store.package(digestOf("other"))).toBeUndefined();
    });
  });

  describe("info", () => {
    test("names the schema and one id for all who open the store", async () => {
      const info = await under.store.info();
      expect(info.schemaVersion).toBeGreaterThanOrEqual(1);
      expect(info.storeId).toMatch(/^[0-9a-f-]{36}$/);
      expect(Math.abs(info.createdAt.getTime() - Date.now())).toBeLessThan(600_000);
      const other = await under.fixture.reopen();
      expect(await other.info()).toEqual(info);
      await other.close();
    });
  });
}
