import { resolveConfig } from "../config/config.ts";
import type { OpenStores, OpenStoresInput } from "./open-stores.ts";
import { locateStore, type StoreLocation } from "./store-location.ts";

/** A store that is chosen but not opened: nothing exists of it until `open` is called. */
export interface PlannedStores {
  readonly location: StoreLocation;
  /** Opens it, the first time; later calls give the same. */
  open(): Promise<OpenStores>;
  /** Closes it, if it was opened. */
  close(): Promise<void>;
}

/**
 * Decides which store is meant. A run that is refused for its parameters must leave no store behind, and workers can be
 * told where the store will be before it is there.
 */
export function planStores(input: OpenStoresInput): PlannedStores {
  const { store } = resolveConfig(input);
  let opened: Promise<OpenStores> | undefined;
  return {
    location: locateStore(store),
    open: () => (opened ??= import("./open-stores.ts").then((wiring) => wiring.openStores(input))),
    close: async () => {
      const stores = await opened?.catch(() => undefined);
      await stores?.close();
    },
  };
}
