import type { CodeEntry } from "../code-table.ts";

export const artifactCodes = {
  FLOW_ARTIFACT_UNSERIALISABLE: {
    meaning: "A value cannot be saved without losing something; the path says where it stands",
    cause: "A function, promise, socket, class without a codec, or another thing that is no data",
    remedy: "Keep only its data, or register its class with @storable or defineCodec()",
  },
  FLOW_ARTIFACT_TOO_LARGE: {
    meaning: "The encoded value is larger than the limit",
    cause: "A value of more bytes than maxBytes (2 GiB unless told otherwise)",
    remedy: "Split the value into several artifacts, or raise the limit",
  },
  FLOW_ARTIFACT_CORRUPT: {
    meaning: "Stored bytes are no valid encoding; the byte where reading stopped is named",
    cause: "Bytes that another program wrote, or a defect of the program that wrote them",
    remedy: "Run the step that wrote the artifact again",
  },
  FLOW_ARTIFACT_DAMAGED: {
    meaning: "Stored bytes are not those that were written: their digest is another one",
    cause: "A disk fault, or a change of the store by other means than Millrace",
    remedy:
      "Type flow store repair, then run the flow again: the value is mended when it is stored again; or restore the store from a copy",
  },
  FLOW_ARTIFACT_GONE: {
    meaning: "The value of an artifact was given up on purpose; that it was there, and its digest, are still recorded",
    cause: "The field is declared as transient and its run has succeeded, or its time to live (ttl) is over",
    remedy: "Run the flow again for a new value, or declare the artifact without transient and ttl to keep it",
  },
  FLOW_ARTIFACT_MISSING: {
    meaning: "The bytes of an artifact are not in the store",
    cause: "The blob was deleted, or the store was copied in part",
    remedy: "Restore the blob from a copy of the store, or run the step that wrote it again",
  },
  FLOW_ARTIFACT_BAD_FILE: {
    meaning: "What was given to file(), folder() or figure() cannot be kept",
    cause:
      "A path that is not there, a link, something that is no plain file, a name with a separator, a file that changed meanwhile, or a picture that is cut short, has no size or is no PNG, JPEG, SVG or HTML",
    remedy:
      "Give the path of a plain file, or of a folder of plain files, that stays as it is until the step has ended",
  },
  FLOW_ARTIFACT_NO_FILE: {
    meaning: "A folder that is an artifact has no file of this path",
    cause: "A mistyped path; it begins inside of the folder, with / between its parts",
    remedy: "Choose one of its files(): the message names the first of them",
  },
  FLOW_ARTIFACT_FOLDER_TAKEN: {
    meaning: "A folder cannot be written: something is there already",
    cause: "The path of a folder that holds files, which would be mixed with those of the artifact",
    remedy: "Name a folder that is not there yet, or remove what is there",
  },
  FLOW_ARTIFACT_BAD_CODEC: {
    meaning: "A codec cannot be registered as it is described",
    cause: "A reserved or malformed name, a bad version, or a class that the default codec would save only in part",
    remedy: "Do what the message says: choose another name, or give encode and decode",
  },
  FLOW_ARTIFACT_CODEC_TAKEN: {
    meaning: "Two different classes or codecs are registered under one name",
    cause: "A copied @storable line, or two versions of one class in one program",
    remedy: "Give one of them another name",
  },
  FLOW_ARTIFACT_CODEC_FAILED: {
    meaning: "The encode, decode or upgrade function of a codec threw an error or gave a wrong value",
    cause: "A defect of that function, or data of an older version that it does not expect",
    remedy: "Read the cause and mend the function",
  },
  FLOW_ARTIFACT_CODEC_VERSION: {
    meaning: "An instance was stored by another version of its class and cannot be turned into the present one",
    cause: "Newer code wrote it, or the class has no upgrade function for older data",
    remedy: "Run newer code, or give the codec an upgrade function",
  },
  FLOW_ARTIFACT_UNKNOWN_CLASS: {
    meaning: "An instance of a class whose codec is not loaded was read where the class is needed",
    cause: "The file that defines the class is not imported by the flow",
    remedy: "Import the file that registers the class",
  },
  FLOW_ARTIFACT_UNKNOWN_CODEC: {
    meaning: "An artifact is stored by a codec that is not loaded",
    cause: "The package that defines the codec is not imported, or a newer Millrace wrote the artifact",
    remedy: "Import the package that defines the codec, or run a newer Millrace",
  },
  FLOW_ARTIFACT_UNSUPPORTED: {
    meaning: "This version of Node.js has no type for a stored value",
    cause: "A Float16Array read by Node.js 22",
    remedy: "Use Node.js 24 or newer",
  },
} as const satisfies Readonly<Record<`FLOW_${string}`, CodeEntry>>;
