import type { StoreConfig } from "@threatbus/core";
import { Store, type StoreOptions } from "@threatbus/store";

/** What the configuration says of the durable log, as the store takes it. */
export function storeOptions({ path, durability, sync_interval, max_age, max_bytes }: StoreConfig): StoreOptions {
  return { path, durability, syncInterval: sync_interval, maxAge: max_age, maxBytes: max_bytes };
}

/** Opens the durable log of a bus. @throws StoreError with what to do */
export function openLog(settings: StoreConfig): Promise<Store> {
  return Store.open(storeOptions(settings));
}
