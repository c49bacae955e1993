/**
 * Credentials of Azure as its own tools find them: a connection string; an account with its key or a token that was signed
 * for it (SAS); or who runs this, by @azure/identity.
 */
import { FlowError } from "../../errors/flow-error.ts";

type Environment = Readonly<Record<string, string | undefined>>;
type AzureSdk = typeof import("@azure/storage-blob");

export interface AzurePlace {
  /** Default: AZURE_STORAGE_ACCOUNT. */
  readonly account?: string;
  /** Default: AZURE_STORAGE_SERVICE_ENDPOINT, else `https://<account>.blob.core.windows.net`. */
  readonly endpoint?: string;
  readonly environment: Environment;
}

export type AzureCredential = InstanceType<AzureSdk["StorageSharedKeyCredential"]> | TokenCredential;

interface TokenCredential {
  getToken(scopes: string | string[]): Promise<{ token: string; expiresOnTimestamp: number } | null>;
}

/** Where requests go and what signs them. `url` may hold a token: it is never shown. */
export interface AzureAccess {
  readonly url: string;
  readonly credential: AzureCredential | undefined;
}

export const AZURE_WAYS =
  "AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, or @azure/identity";

/** @throws FlowError FLOW_STORAGE_CREDENTIALS */
export async function findAzureAccess(
  sdk: AzureSdk,
  place: AzurePlace,
  loadIdentity: () => Promise<unknown> = importIdentity,
): Promise<AzureAccess> {
  const said = (name: string) => (place.environment[name] === "" ? undefined : place.environment[name]);
  const connection = said("AZURE_STORAGE_CONNECTION_STRING");
  const parts = connection === undefined ? new Map<string, string>() : connectionParts(connection);
  const account = place.account ?? parts.get("accountname") ?? said("AZURE_STORAGE_ACCOUNT");
  // A connection string of another account than the one that was asked for signs nothing there.
  const isOther = place.account !== undefined && parts.has("accountname") && parts.get("accountname") !== place.account;
  const own = isOther ? new Map<string, string>() : parts;
  const endpoint = place.endpoint ?? own.get("blobendpoint") ?? said("AZURE_STORAGE_SERVICE_ENDPOINT");
  if (endpoint === undefined && account === undefined)
    throw refused(
      "Cannot use Azure Blob Storage: nothing says which account to use",
      "Name it in the address (azure://container?account=NAME), with AZURE_STORAGE_ACCOUNT or in AZURE_STORAGE_CONNECTION_STRING",
    );
  const suffix = own.get("endpointsuffix") ?? "core.windows.net";
  const url = (endpoint ?? `${own.get("defaultendpointsprotocol") ?? "https"}://${account}.blob.${suffix}`).replace(
    /\/+$/,
    "",
  );
  const key = own.get("accountkey") ?? said("AZURE_STORAGE_KEY");
  if (key !== undefined && account !== undefined) return { url, credential: sharedKey(sdk, account, key) };
  if (key !== undefined)
    throw refused(
      "Cannot use Azure Blob Storage: there is a key, and nothing says of which account",
      "Name it in the address (azure://container?account=NAME), or with AZURE_STORAGE_ACCOUNT",
    );
  const token = own.get("sharedaccesssignature") ?? said("AZURE_STORAGE_SAS_TOKEN");
  if (token !== undefined) return { url: `${url}?${token.replace(/^\?/, "")}`, credential: undefined };
  return { url, credential: await identityCredential(loadIdentity) };
}

/** `Name=value;Name=value`; a value may hold `=`. */
function connectionParts(text: string): ReadonlyMap<string, string> {
  const parts = new Map<string, string>();
  for (const part of text.split(";")) {
    const [name, value] = [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)];
    if (part.includes("=") && value !== "") parts.set(name.trim().toLowerCase(), value.trim());
  }
  if (parts.get("usedevelopmentstorage") === "true") return developmentStorage;
  if (parts.size === 0)
    throw refused(
      "Cannot use Azure Blob Storage: AZURE_STORAGE_CONNECTION_STRING is no connection string",
      "Copy it whole from the access keys of the account: AccountName=…;AccountKey=…",
    );
  return parts;
}

/** What `UseDevelopmentStorage=true` stands for: the account of the emulator that everybody knows. */
const developmentStorage: ReadonlyMap<string, string> = new Map([
  ["accountname", "devstoreaccount1"],
  ["accountkey", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="],
  ["blobendpoint", "http://127.0.0.1:10000/devstoreaccount1"],
]);

function sharedKey(sdk: AzureSdk, account: string, key: string): AzureCredential {
  // The client would take any text, and sign with what is left of it.
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(key))
    throw refused(
      "Cannot use Azure Blob Storage: the key of the account is not well formed",
      "Copy it whole from the access keys of the account, into AZURE_STORAGE_KEY or the connection string",
    );
  return new sdk.StorageSharedKeyCredential(account, key);
}

async function identityCredential(loadIdentity: () => Promise<unknown>): Promise<AzureCredential> {
  let identity: { readonly DefaultAzureCredential: new () => AzureCredential };
  try {
    identity = (await loadIdentity()) as typeof identity;
  } catch {
    throw refused(
      "Cannot use Azure Blob Storage: there are no credentials",
      `Set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN beside the account; or run: npm install @azure/identity, which takes what "az login" or the machine's identity gives`,
    );
  }
  return new identity.DefaultAzureCredential();
}

/** By a name that no compiler and no bundler looks for: it is no dependency, and most do without it. */
function importIdentity(): Promise<unknown> {
  const name: string = "@azure/identity";
  return import(name);
}

function refused(message: string, hint: string): FlowError {
  return new FlowError("FLOW_STORAGE_CREDENTIALS", { message, hint });
}
