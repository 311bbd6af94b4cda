import { StoreError } from "./errors.ts";

/**
 * `interval`: the disk has everything within `syncInterval` after it was appended.
 * `always`: it has everything that `settled` has said yes to; appends that come together share a commit.
 */
export type Durability = "interval" | "always";

/** Everything but `path` has a default. Times in milliseconds, sizes in bytes. */
export interface StoreOptions {
  readonly path: string;
  /** Default `interval`. */
  readonly durability?: Durability;
  /** Default 50. */
  readonly syncInterval?: number;
  /** What was received longer ago is removed; default: nothing is. */
  readonly maxAge?: number;
  /**
   * What the database and its write-ahead log may take together, by removing the oldest; at least 1 MiB, of which below
   * 128 MiB some MiB more are taken; default: no limit.
   */
  readonly maxBytes?: number;
  /** How often age and size are looked at while nothing is written; default 60,000. */
  readonly retentionInterval?: number;
  /** Memory for what is appended and not yet committed; default 16 MiB, at least 64 KiB. */
  readonly maxQueueBytes?: number;
  /** Pause before writing is tried again when the disk was full or failed; default 1,000. */
  readonly retryInterval?: number;
  /** Opens an existing log beside its writer, for reading only; default false. */
  readonly readOnly?: boolean;
}

/** All options with their values, as the worker gets them. */
export interface Settings {
  readonly path: string;
  readonly durability: Durability;
  readonly syncInterval: number;
  /** Infinity: no limit. */
  readonly maxAge: number;
  /** Infinity: no limit. */
  readonly maxBytes: number;
  readonly retentionInterval: number;
  readonly maxQueueBytes: number;
  readonly retryInterval: number;
  readonly readOnly: boolean;
}

const MIB = 1024 * 1024;

/** Fills in the defaults. @throws StoreError `TB_STORE_OPTION` for a value out of its range. */
export function settingsOf(options: StoreOptions): Settings {
  if (options.path === "" || options.path.includes("\0")) {
    throw new StoreError("TB_STORE_OPTION", "store.path is empty or has a NUL in it");
  }
  return Object.freeze({
    path: options.path,
    durability: options.durability ?? "interval",
    syncInterval: within("syncInterval", options.syncInterval ?? 50, 1, 60_000),
    maxAge: within("maxAge", options.maxAge ?? Infinity, 1, Infinity),
    maxBytes: within("maxBytes", options.maxBytes ?? Infinity, MIB, Infinity),
    retentionInterval: within("retentionInterval", options.retentionInterval ?? 60_000, 10, 86_400_000),
    maxQueueBytes: within("maxQueueBytes", options.maxQueueBytes ?? 16 * MIB, MIB / 16, 1024 * MIB),
    retryInterval: within("retryInterval", options.retryInterval ?? 1000, 10, 3_600_000),
    readOnly: options.readOnly ?? false,
  });
}

function within(name: string, value: number, least: number, most: number): number {
  if (value >= least && value <= most) return value;
  throw new StoreError("TB_STORE_OPTION", `store: ${name} is ${value}, and must be from ${least} to ${most}`);
}
