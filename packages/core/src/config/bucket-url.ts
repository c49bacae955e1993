/**
 * What a text that names a store means: a folder, or a bucket of an object store. Plain data; nothing is looked up. What
 * a URL does not say is left to the conventions of the service's own library, and credentials never stand in one.
 */
import { resolve } from "node:path";
import { FlowError } from "../errors/flow-error.ts";

/** A place for a store in an object store. */
export interface BucketUrl {
  readonly kind: "s3" | "gs" | "azure";
  /** Name of the bucket; with Azure of the container. */
  readonly bucket: string;
  /** What every key of the store begins with, without slashes at its ends; may be empty. */
  readonly prefix: string;
  readonly options: BucketOptions;
  /** The URL as it is shown: normalised, and without secrets. Parsing it again gives the same. */
  readonly text: string;
}

export interface BucketOptions {
  /** Where the service is, `http://…` or `https://…`. */
  readonly endpoint?: string;
  /** Of S3. */
  readonly region?: string;
  /** Whether the bucket's name stands in the path, not in the host's name (S3). */
  readonly pathStyle?: boolean;
  /** A named set of credentials in the files of the service's own tools (S3). */
  readonly profile?: string;
  /** Of Azure: the storage account. */
  readonly account?: string;
}

/** What a text names. */
export type StorePlace =
  | { readonly kind: "folder"; readonly folder: string }
  | { readonly kind: "bucket"; readonly bucket: BucketUrl };

/** Options that a URL may have, by scheme, in the order in which they are shown. */
const OPTIONS = {
  s3: ["endpoint", "region", "pathStyle", "profile"],
  gs: ["endpoint"],
  azure: ["account", "endpoint"],
} as const satisfies Readonly<Record<BucketUrl["kind"], readonly (keyof BucketOptions)[]>>;

/** What the services ask of a bucket's name everywhere; each has further rules, which it states itself. */
const BUCKET_NAMES: Readonly<Record<BucketUrl["kind"], { readonly pattern: RegExp; readonly rule: string }>> = {
  s3: {
    pattern: /^(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
    rule: "3 to 63 characters of a-z, 0-9, '-' and '.', with a letter or digit at both ends",
  },
  gs: {
    pattern: /^(?!.*\.\.)[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/,
    rule: "3 to 63 characters of a-z, 0-9, '-', '_' and '.', with a letter or digit at both ends",
  },
  azure: {
    pattern: /^(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/,
    rule: "3 to 63 characters of a-z, 0-9 and single '-', with a letter or digit at both ends",
  },
};

/** Keys have 200 characters at most, and the longest that a store makes has fewer than 100. */
const MAX_PREFIX = 100;

const NAMES = "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, azure://CONTAINER/PREFIX, file:FOLDER or a folder";

/**
 * Reads what `--store`, `MILLRACE_STORE` and `millrace.json` say.
 *
 * @param text  `s3://bucket/prefix`, `gs://…`, `azure://container/prefix`, each with options behind `?`; `file:…` with
 *   percent escapes; anything else is a folder
 * @param from.base  the folder that relative folders start from
 * @param from.setting  where the text stands, for messages: `--store`
 * @throws FlowError FLOW_CONFIG_BAD_STORE with all that is wrong; it never repeats what may be a secret
 */
export function parseStoreText(text: string, from: { readonly base: string; readonly setting: string }): StorePlace {
  const scheme = /^([a-z][a-z0-9+.-]+):(\/\/)?/i.exec(text);
  const name = scheme?.[1]?.toLowerCase();
  if (scheme === null || name === undefined) {
    const kind = /^(s3|gs|azure)\/\//i.exec(text)?.[1]?.toLowerCase();
    if (kind !== undefined)
      throw badStore(from.setting, [`"${kind}" is not followed by "://"`], `Write ${kind}://BUCKET/PREFIX`);
    return { kind: "folder", folder: resolve(from.base, text) };
  }
  if (name === "file") return { kind: "folder", folder: folderOf(text.slice(5), from) };
  const isBucket = name in OPTIONS;
  if (scheme[2] === undefined && !isBucket) return { kind: "folder", folder: resolve(from.base, text) };
  if (!isBucket) throw badStore(from.setting, [`"${name}://" is no kind of store`], `Name one of ${NAMES}`);
  if (scheme[2] === undefined)
    throw badStore(from.setting, [`"${name}:" is not followed by "//"`], `Write ${name}://BUCKET/PREFIX`);
  return { kind: "bucket", bucket: bucketOf(name as BucketUrl["kind"], text.slice(scheme[0].length), from.setting) };
}

function bucketOf(kind: BucketUrl["kind"], rest: string, setting: string): BucketUrl {
  const problems: string[] = [];
  const [place = "", ...queries] = rest.split("?");
  const query = queries.join("?");
  if (rest.includes("#")) problems.push('it has a "#", which begins nothing here');
  // Whatever stands before an "@" was meant as a user and a password, or as a key.
  if (place.includes("@"))
    problems.push("it has credentials inside: commands and settings are seen by others, and are kept in logs");
  const slash = place.indexOf("/");
  const bucket = slash === -1 ? place : place.slice(0, slash);
  const prefix = (slash === -1 ? "" : place.slice(slash)).replace(/^\/+|\/+$/g, "");
  if (!place.includes("@")) problems.push(...bucketProblems(kind, bucket), ...prefixProblems(prefix));
  const options = optionsOf(kind, query, problems);
  if (problems.length > 0) throw badStore(setting, problems, hintFor(kind, problems));
  return Object.freeze({
    kind,
    bucket,
    prefix,
    options: Object.freeze(options),
    text: textOf(kind, prefix === "" ? bucket : `${bucket}/${prefix}`, options),
  });
}

function bucketProblems(kind: BucketUrl["kind"], bucket: string): readonly string[] {
  const what = kind === "azure" ? "container" : "bucket";
  const { pattern, rule } = BUCKET_NAMES[kind];
  if (pattern.test(bucket)) return [];
  if (bucket === "") return [`it names no ${what}`];
  // Such as "AKIA…:secret": only what could be meant as a name is repeated.
  const shown = /^[\w.-]{1,63}$/.test(bucket) ? `"${bucket}" is` : "what stands there is";
  return [`${shown} no name of a ${what}: it takes ${rule}`];
}

function prefixProblems(prefix: string): readonly string[] {
  const odd = /[^a-z0-9/._-]/.exec(prefix)?.[0];
  if (odd !== undefined)
    return [`its prefix has the character ${JSON.stringify(odd)}: it takes a-z, 0-9, '.', '_', '-' and '/'`];
  if (prefix.split("/").some((part) => part === "." || part === ".."))
    return ["its prefix has a part that is '.' or '..'"];
  if (prefix.includes("//")) return ["its prefix has an empty part"];
  if (prefix.length > MAX_PREFIX) return [`its prefix has ${prefix.length} characters, and ${MAX_PREFIX} fit`];
  return [];
}

/** The options of a URL's query; what is wrong with them goes to the problems, by name and never by value. */
function optionsOf(kind: BucketUrl["kind"], query: string, problems: string[]): BucketOptions {
  const known: readonly string[] = OPTIONS[kind];
  const options: Record<string, string | boolean> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    const shown = /^[\w-]{1,40}$/.test(name) ? `"${name}"` : "of a strange name";
    if (!known.includes(name)) problems.push(`the option ${shown} is not known: ${kind} takes ${known.join(", ")}`);
    else if (name in options) problems.push(`the option ${shown} stands there twice`);
    else if (value === "") problems.push(`the option ${shown} has no value`);
    else {
      const wrong = optionProblem(name as keyof BucketOptions, value);
      if (wrong === undefined) options[name] = name === "pathStyle" ? value === "true" : trimEnd(name, value);
      else problems.push(wrong);
    }
  }
  return options as BucketOptions;
}

function trimEnd(name: string, value: string): string {
  return name === "endpoint" ? value.replace(/\/+$/, "") : value;
}

function optionProblem(name: keyof BucketOptions, value: string): string | undefined {
  switch (name) {
    case "pathStyle":
      return value === "true" || value === "false" ? undefined : 'the option "pathStyle" is neither true nor false';
    case "endpoint":
      return endpointProblem(value);
    default:
      return /^[\w.@+ -]{1,100}$/.test(value) ? undefined : `the option "${name}" has characters that no name has`;
  }
}

function endpointProblem(value: string): string | undefined {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:"))
    return 'the option "endpoint" is no URL of http or https';
  if (url.username !== "" || url.password !== "") return 'the option "endpoint" has credentials inside';
  if (url.search !== "" || url.hash !== "") return 'the option "endpoint" has more than a host, a port and a path';
  return undefined;
}

/** The one way to write it. */
function textOf(kind: BucketUrl["kind"], place: string, options: BucketOptions): string {
  const query = OPTIONS[kind].flatMap((name: keyof BucketOptions) => {
    const value = options[name];
    // An endpoint is readable as it is: of its characters, only these would mean something else here.
    return value === undefined ? [] : [`${name}=${String(value).replace(/[%&+# ]/g, encodeURIComponent)}`];
  });
  return `${kind}://${place}${query.length === 0 ? "" : `?${query.join("&")}`}`;
}

const CREDENTIALS: Readonly<Record<BucketUrl["kind"], string>> = {
  s3: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile",
  gs: "GOOGLE_APPLICATION_CREDENTIALS",
  azure: "AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_KEY",
};

function hintFor(kind: BucketUrl["kind"], problems: readonly string[]): string {
  const example = `${kind}://${kind === "azure" ? "CONTAINER" : "BUCKET"}/PREFIX`;
  return problems.some((problem) => problem.includes("credentials"))
    ? `Write ${example}, and give the credentials by ${CREDENTIALS[kind]}`
    : `Write ${example}`;
}

/** The folder of a `file:` URL, which may be relative: `file:data/store`, `file:///data/store`. */
function folderOf(rest: string, from: { readonly base: string; readonly setting: string }): string {
  const host = /^\/\/([^/]*)/.exec(rest);
  if (host !== null && host[1] !== "" && host[1] !== "localhost")
    throw badStore(from.setting, ["its folder is on another machine"], "Write file:///FOLDER, with three slashes");
  if (/[?#]/.test(rest))
    throw badStore(from.setting, ["a folder has no options"], 'Write "?" as %3F and "#" as %23 in a file: URL');
  let decoded: string;
  try {
    decoded = decodeURIComponent(host === null ? rest : rest.slice(host[0].length));
  } catch {
    throw badStore(from.setting, ['a "%" in it begins no escape'], 'Write "%" as %25 in a file: URL');
  }
  if (decoded === "" || decoded.includes("\0"))
    throw badStore(from.setting, ["it names no folder"], "Write file:FOLDER");
  const path = /^\/[a-z]:/i.test(decoded) && process.platform === "win32" ? decoded.slice(1) : decoded;
  return resolve(from.base, path);
}

function badStore(setting: string, problems: readonly string[], hint: string): FlowError {
  return new FlowError("FLOW_CONFIG_BAD_STORE", {
    message: `Cannot use the store that ${setting} names: ${problems.join("; ")}`,
    hint,
    context: { setting, problems },
  });
}
