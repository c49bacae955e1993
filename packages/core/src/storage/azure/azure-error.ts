import { isFlowError } from "../../errors/flow-error.ts";
import { errnoBelow, type ServiceSettings, type ServiceWords, serviceError } from "../object/service-error.ts";
import { AZURE_WAYS } from "./azure-credentials.ts";

const SETTINGS: ServiceSettings = {
  name: "Azure Blob Storage",
  credentials: AZURE_WAYS,
  makeBucket: '"az storage container create --name …"',
};

const WORDS: ServiceWords = {
  noBucket: ["ContainerNotFound"],
  // Azure answers requests of a wrong time as it answers those of a wrong key; only the text differs (`isClock`).
  clock: ["RequestTimeTooSkewed"],
  credentials: [
    "NoAuthenticationInformation",
    "InvalidAuthenticationInfo",
    "AuthenticationFailed",
    "AuthorizationFailure",
  ],
  transient: ["ServerBusy", "OperationTimedOut", "InternalError", "Md5Mismatch", "InvalidBlockList", "IncompleteBody"],
};

/** Status of an answer that the client library threw; undefined when none came, or something else was thrown. */
export function azureStatus(error: unknown): number | undefined {
  return field(error, "statusCode");
}

/** The word of such an answer: `BlobAlreadyExists`. */
export function azureWord(error: unknown): string | undefined {
  const details = field<Record<string, unknown>>(error, "details");
  const word = details?.errorCode ?? details?.code ?? details?.Code ?? field(error, "code");
  return typeof word === "string" && /^[A-Za-z]+$/.test(word) && azureStatus(error) !== undefined ? word : undefined;
}

export function azureError(action: string, error: unknown): Error {
  if (isFlowError(error)) return error;
  const status = azureStatus(error);
  const word = isClock(error) ? "RequestTimeTooSkewed" : azureWord(error);
  const requestId = field<string>(field(error, "details"), "requestId");
  return serviceError({ action, status, word, errno: errnoBelow(error), requestId }, SETTINGS, WORDS);
}

/** "Request date header too old": a signature is good for 15 minutes. */
function isClock(error: unknown): boolean {
  if (azureStatus(error) !== 403 || !(error instanceof Error)) return false;
  const details = field<Record<string, unknown>>(error, "details");
  const said = [error.message, details?.AuthenticationErrorDetail, details?.authenticationErrorDetail].join(" ");
  return /date header too old|not within the allowed|RequestTimeTooSkewed/i.test(said);
}

function field<T = number>(value: unknown, name: string): T | undefined {
  return typeof value === "object" && value !== null ? ((value as Record<string, unknown>)[name] as T) : undefined;
}
