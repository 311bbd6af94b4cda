/** The durable log: every STIX message of one instance, appended once, read by position, time, id or value. */
export type { StoreErrorCode } from "./errors.ts";
export { STORE_ERRORS, StoreError } from "./errors.ts";
export { backupLog, checkLog } from "./maintenance.ts";
export type { Durability, StoreOptions } from "./options.ts";
export type { StoreEvents } from "./readable-log.ts";
export type { Receipt, SubscriptionRecord } from "./receipts.ts";
export type {
  Appended,
  Batch,
  CheckReport,
  Drops,
  ExpiredOptions,
  LogBatch,
  LogEntry,
  LogRecord,
  LogState,
  ObjectState,
  ReadOptions,
  SnapshotOptions,
  Statistics,
} from "./records.ts";

export { Store } from "./store.ts";
