import type { ArtifactRef, BlobRow } from "../artifact.ts";
import type { ArtifactStore, PayloadOptions } from "../artifact-store.ts";
import type { FileContent } from "./file-content.ts";
import { StoredFile, StoredFolder } from "./stored-file.ts";

/** A file or folder that lies in a store. */
export function storedFile(
  { kind, name }: { readonly kind: "file" | "folder"; readonly name: string },
  artifacts: Pick<ArtifactStore, "pieces" | "payloadSync">,
  ref: ArtifactRef,
  row: BlobRow,
  options: PayloadOptions,
): StoredFile | StoredFolder {
  const content: FileContent = {
    size: () => ref.sizeBytes,
    pieces: () => artifacts.pieces(ref, row, options),
    whole: () => artifacts.payloadSync(ref, row, options),
    stored: { ref, store: artifacts },
  };
  return kind === "file" ? new StoredFile(name, content) : new StoredFolder(name, content);
}
