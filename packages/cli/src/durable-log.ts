import type { StoreConfig } from "@threatbus/core";
import { Store } from "@threatbus/store";

/** Opens the durable log of a bus as its configuration says. @throws StoreError with what to do */
export function openLog({ path, durability, sync_interval, max_age, max_bytes }: StoreConfig): Promise<Store> {
  return Store.open({ path, durability, syncInterval: sync_interval, maxAge: max_age, maxBytes: max_bytes });
}
