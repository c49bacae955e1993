import { expect, test } from "vitest";
import { openMemoryBlobStore } from "./memory-blob-store.ts";
import { openOverlayBlobStore } from "./overlay-blob-store.ts";

const bytes = (text: string): readonly Uint8Array[] => [Buffer.from(text)];
const read = (store: { getSync(key: string): Uint8Array | undefined }, key: string): string | undefined => {
  const value = store.getSync(key);
  return value === undefined ? undefined : Buffer.from(value).toString();
};

test("what is put is seen there and nowhere else", async () => {
  const base = openMemoryBlobStore();
  base.putSync("old", bytes("kept"));
  const overlay = openOverlayBlobStore(base);
  expect(read(overlay, "old")).toBe("kept");
  expect(overlay.putSync("old", bytes("other"))).toBe("exists");
  expect(await overlay.put("new", bytes("mine"))).toBe("created");
  expect([read(overlay, "old"), read(overlay, "new"), read(base, "new")]).toEqual(["kept", "mine", undefined]);
  overlay.replaceSync("old", bytes("mended"));
  expect([read(overlay, "old"), read(base, "old")]).toEqual(["mended", "kept"]);
  expect(await overlay.stat("new")).toMatchObject({ sizeBytes: 4 });
  expect(await overlay.get("old", { start: 0, end: 2 })).toEqual(new Uint8Array(Buffer.from("me")));
  await overlay.delete("old");
  expect(read(base, "old")).toBe("kept");
  await overlay.close();
  expect(read(base, "old")).toBe("kept");
});
