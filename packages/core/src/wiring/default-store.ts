/**
 * The store that code without a store at hand means: the one of the running task inside a step, else the one that the
 * process's folder and environment name. Opened once for each folder and kept for the life of the process.
 */
import { Client } from "../client/client.ts";
import { readProcess, resolveConfig, resolveTrustedConfig } from "../config/config.ts";
import type { StoreChoice } from "../config/find-store.ts";
import { recordCurrentRead, recordUnknownRead } from "../flow/current.ts";
import { type OpenStores, openStores } from "./open-stores.ts";
import type { PlannedStores } from "./plan-stores.ts";
import { threadStore } from "./store-folder.ts";
import { locateStore } from "./store-location.ts";

const opened = new Map<string, Promise<OpenStores>>();

/** The default store, created when it is opened. */
export function planDefaultStores(): Pick<PlannedStores, "location" | "open"> {
  return { location: locateStore(defaultChoice()), open: () => openDefaultStores(true) };
}

/** Opens the default store, creating it only when asked to. A failed opening is tried again the next time. */
export async function openDefaultStores(create: boolean): Promise<OpenStores> {
  const { cwd, environment } = readProcess();
  const chosen = defaultChoice();
  const key = `${chosen.folder} ${create}`;
  const kept = opened.get(key);
  if (kept !== undefined) {
    const isInPlace = await kept.then((store) => store.isInPlace()).catch(() => false);
    if (isInPlace) return kept;
    // A store that was deleted meanwhile must not be written on in a file that has no name any more.
    if (opened.get(key) === kept) opened.delete(key);
    void kept.then((store) => store.close()).catch(() => {});
  }
  let stores = opened.get(key);
  if (stores === undefined) {
    stores = openStores({ chosen, cwd, environment, create });
    stores.catch(() => opened.delete(key));
    opened.set(key, stores);
  }
  return stores;
}

function defaultChoice(): StoreChoice {
  const { cwd, environment } = readProcess();
  const folder = threadStore();
  return resolveTrustedConfig({ cwd, environment, ...(folder === undefined ? {} : { store: folder }) }).store;
}

/** A client on stores, acting as the user of this process. */
export function clientOf(stores: OpenStores): Client {
  recordUnknownRead("runs through the client"); // Also which there are, which no record of reads says.
  const { cwd, environment } = readProcess();
  const { actor, host } = resolveConfig({ cwd, environment });
  return new Client(stores, { actor, host, environment, onRead: recordCurrentRead });
}
