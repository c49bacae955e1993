import type { CodecId } from "./artifact.ts";

/** What is read as it is kept, without being decoded: the name of the file or folder stands in the id. */
const BY_REFERENCE = /^(file|folder):(.+)$/su;
const MAX_FILE_NAME_BYTES = 255;

/** Whether a text can be the id of a codec: `cbor`, `acme/volume`, `file:model.onnx`. */
export function isCodecId(text: string): text is CodecId {
  const named = BY_REFERENCE.exec(text);
  return named === null ? /^[a-z][a-z0-9./-]{0,63}$/.test(text) : fileNameProblem(named[2]!) === undefined;
}

/** Kind and name of a file or folder artifact; undefined for every other codec. */
export function fileCodec(codec: CodecId): { readonly kind: "file" | "folder"; readonly name: string } | undefined {
  const named = BY_REFERENCE.exec(codec);
  return named === null ? undefined : { kind: named[1] as "file" | "folder", name: named[2]! };
}

/** Why a text cannot name a file artifact; undefined when it can. A name is never a path. */
export function fileNameProblem(name: string): string | undefined {
  if (name === "" || name === "." || name === "..") return `${JSON.stringify(name)} is no name of a file`;
  if (!name.isWellFormed()) return "the name is not well-formed Unicode";
  if (name !== name.normalize("NFC")) return "the name is not in Unicode normal form NFC";
  if (/[/\\\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u.test(name))
    return `the name ${JSON.stringify(name)} holds a separator or a control character`;
  const bytes = Buffer.byteLength(name);
  return bytes > MAX_FILE_NAME_BYTES ? `the name has ${bytes} bytes, the limit is ${MAX_FILE_NAME_BYTES}` : undefined;
}
