/**
 * Values in a container of Azure Blob Storage: block blobs, created where there is none by `If-None-Match: *` (the service
 * answers 409 where one is, 412 in a few cases), changed by their ETag. Not here: retries, prefixes, caches (wrappers).
 */
import { createHash, randomBytes } from "node:crypto";
import type { BlobStore, BlobStoreCapabilities, ByteRange } from "../blob-store.ts";
import { loadSdk } from "../load-sdk.ts";
import type { LimitedCall } from "../object/limit-call.ts";
import { ObjectBlobStore, type ObjectStoreOptions } from "../object/object-blob-store.ts";
import type {
  ObjectBody,
  ObjectFacts,
  ObjectPage,
  ObjectQuery,
  ObjectService,
  PartCalls,
} from "../object/object-service.ts";
import { brokenAnswer } from "../object/service-error.ts";
import { uploadParts } from "../object/upload-parts.ts";
import { type AzurePlace, findAzureAccess } from "./azure-credentials.ts";
import { azureError, azureStatus, azureWord } from "./azure-error.ts";

type AzureSdk = typeof import("@azure/storage-blob");
type ContainerClient = InstanceType<AzureSdk["ContainerClient"]>;

export interface AzureStoreOptions extends AzurePlace, ObjectStoreOptions {
  readonly container: string;
}

/**
 * Opens a container. Nothing is asked of the service before the first call.
 *
 * @param options.environment where credentials are looked for: AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT
 *   with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN; without them @azure/identity finds some, if it is installed
 * @throws FlowError FLOW_STORAGE_NO_SDK (@azure/storage-blob is not installed), FLOW_STORAGE_CREDENTIALS
 * @example
 * const store = await openAzureBlobStore({ container: "artifacts", account: "team", environment: process.env });
 */
export async function openAzureBlobStore(options: AzureStoreOptions): Promise<BlobStore> {
  const sdk = await loadSdk("@azure/storage-blob", () => import("@azure/storage-blob"));
  const { url, credential } = await findAzureAccess(sdk, options);
  const service = new sdk.BlobServiceClient(url, credential, { retryOptions: { maxTries: 1 } });
  const container = service.getContainerClient(options.container);
  return new ObjectBlobStore(new AzureService(container), options);
}

class AzureService implements ObjectService {
  readonly capabilities: BlobStoreCapabilities = Object.freeze({
    synchronous: false,
    rangeReads: true,
    persistent: true,
    remote: true,
    createOnce: "atomic",
    compareAndSet: true,
    multipart: true,
  });
  /** The service has such a parameter only in its newest version, and not in all regions. */
  readonly listsAfter = false;
  readonly #container: ContainerClient;

  constructor(container: ContainerClient) {
    this.#container = container;
  }

  action(verb: string, key: string): string {
    return `Cannot ${verb} "${key}" of azure://${this.#container.containerName}`;
  }

  async create(key: string, bytes: Uint8Array, call: LimitedCall): Promise<boolean> {
    return (await this.replace(key, bytes, undefined, call)) !== undefined;
  }

  async createOfParts(key: string, parts: AsyncIterable<Uint8Array>, calls: PartCalls): Promise<boolean> {
    const blob = this.#blob(key);
    const action = this.action("store", key);
    // Blocks of others who write the same key lie beside ours until one of us commits.
    const upload = randomBytes(12).toString("hex");
    const blockId = (index: number) => Buffer.from(`${upload}-${String(index).padStart(6, "0")}`).toString("base64");
    const count = await uploadParts(parts, async (part, index) => {
      const body = bufferOf(part);
      const transactionalContentMD5 = md5Of(body);
      await calls((call) => {
        call.moving(body.length);
        const { signal: abortSignal, progress: onProgress } = call;
        const options = { abortSignal, onProgress, transactionalContentMD5 };
        return this.#ask(action, async () => {
          const { requestId } = await blob.stageBlock(blockId(index), body, body.length, options);
          said(action, { requestId });
        });
      });
    });
    const blocks = Array.from({ length: count }, (_, index) => blockId(index));
    return await calls(({ signal: abortSignal }) =>
      this.#ask(action, async () => {
        try {
          const conditions = { ifNoneMatch: "*" };
          const { etag } = await blob.commitBlockList(blocks, {
            abortSignal,
            conditions,
            metadata: { [UPLOAD]: upload },
          });
          said(action, { etag });
          return true;
        } catch (error) {
          // Who committed first has taken the others' blocks away: perhaps this upload, by a try whose answer was lost.
          if (!isLost(error) && azureWord(error) !== "InvalidBlockList") throw error;
          return (await this.#metadata(key, abortSignal))?.[UPLOAD] === upload;
        }
      }),
    );
  }

  async read(
    key: string,
    range: ByteRange | undefined,
    call: LimitedCall,
  ): Promise<ObjectBody | "outside" | undefined> {
    return await this.#ask(this.action("read", key), async () => {
      try {
        const count = range === undefined ? undefined : range.end - range.start;
        const answer = await this.#blob(key).download(range?.start ?? 0, count, {
          abortSignal: call.signal,
          maxRetryRequests: 0,
        });
        return {
          ...said(this.action("read", key), { version: answer.etag, sizeBytes: answer.contentLength }),
          body: this.#body(key, answer.readableStreamBody as AsyncIterable<Uint8Array>),
        };
      } catch (error) {
        if (azureStatus(error) === 416) return "outside";
        if (isMissing(error)) return undefined;
        throw error;
      }
    });
  }

  async head(key: string, call: LimitedCall): Promise<ObjectFacts | undefined> {
    return await this.#ask(this.action("look for", key), async () => {
      try {
        const facts = await this.#blob(key).getProperties({ abortSignal: call.signal });
        return said(this.action("look for", key), {
          sizeBytes: facts.contentLength,
          putAt: facts.lastModified?.getTime(),
          version: facts.etag,
        });
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    });
  }

  async list(query: ObjectQuery, call: LimitedCall): Promise<ObjectPage> {
    return await this.#ask(this.action("list", query.prefix), async () => {
      const pages = this.#container.listBlobsFlat({ prefix: query.prefix, abortSignal: call.signal }).byPage({
        maxPageSize: query.limit,
        ...(query.token === undefined ? {} : { continuationToken: query.token }),
      });
      const { value: page } = await pages.next();
      const items: readonly BlobItem[] = said(this.action("list", query.prefix), { of: page?.segment?.blobItems }).of;
      return {
        entries: items.map(({ name, properties }) => ({
          key: name,
          facts: { sizeBytes: properties.contentLength ?? 0, putAt: properties.lastModified.getTime() },
        })),
        token: page?.continuationToken === "" ? undefined : page?.continuationToken,
      };
    });
  }

  async remove(key: string, call: LimitedCall): Promise<void> {
    await this.#ask(this.action("delete", key), async () => {
      try {
        await this.#blob(key).delete({ abortSignal: call.signal });
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    });
  }

  async replace(
    key: string,
    bytes: Uint8Array,
    expected: string | undefined,
    call: LimitedCall,
  ): Promise<string | undefined> {
    return await this.#ask(this.action("store", key), async () => {
      const body = bufferOf(bytes);
      call.moving(body.length);
      try {
        const { etag } = await this.#blob(key).upload(body, body.length, {
          abortSignal: call.signal,
          onProgress: call.progress,
          conditions: expected === undefined ? { ifNoneMatch: "*" } : { ifMatch: expected },
          blobHTTPHeaders: { blobContentMD5: md5Of(body) },
        });
        return said(this.action("store", key), { etag }).etag;
      } catch (error) {
        if (isLost(error) || isMissing(error)) return undefined;
        throw error;
      }
    });
  }

  async renew(key: string, call: LimitedCall): Promise<boolean> {
    return await this.#ask(this.action("renew", key), async () => {
      try {
        const { etag } = await this.#blob(key).setMetadata({}, { abortSignal: call.signal });
        said(this.action("renew", key), { etag });
        return true;
      } catch (error) {
        if (isMissing(error)) return false;
        throw error;
      }
    });
  }

  close(): void {}

  async #metadata(key: string, abortSignal: AbortSignal): Promise<Readonly<Record<string, string>> | undefined> {
    try {
      return (await this.#blob(key).getProperties({ abortSignal })).metadata;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  #blob(key: string) {
    return this.#container.getBlockBlobClient(key);
  }

  async *#body(key: string, stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    try {
      yield* stream;
    } catch (error) {
      throw azureError(this.action("read", key), error);
    }
  }

  async #ask<T>(action: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw azureError(action, error);
    }
  }
}

/** The name of the metadata that says by which upload a value came. */
const UPLOAD = "millrace_upload";

interface BlobItem {
  readonly name: string;
  readonly properties: { readonly contentLength?: number; readonly lastModified: Date };
}

type Said<T> = { readonly [Name in keyof T]: NonNullable<T[Name]> };

/** What an answer of the service always says: one that does not is none of its own, whatever its status. */
function said<T extends object>(action: string, facts: T): Said<T> {
  const missing = Object.entries(facts).find(([, value]) => value === undefined);
  if (missing === undefined) return facts as Said<T>;
  throw brokenAnswer(action, "the answer is not what the service says of blobs");
}

/** Somebody else was first. */
function isLost(error: unknown): boolean {
  return azureStatus(error) === 412 || azureStatus(error) === 409;
}

/** The value is missing, and not its container. */
function isMissing(error: unknown): boolean {
  return azureStatus(error) === 404 && azureWord(error) !== "ContainerNotFound";
}

/** The client library takes no other views of memory. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The service compares it with what came, so that no broken body is stored. */
function md5Of(bytes: Uint8Array): Uint8Array {
  return createHash("md5").update(bytes).digest();
}
