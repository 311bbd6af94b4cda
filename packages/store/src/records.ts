/** What goes into the log and what comes out of it. */
import type * as core from "@threatbus/core";
import type { ParsedStix, TlpLevel } from "@threatbus/stix";

export type { Appended, LogBatch, LoggedId, LogState, ObjectState, Outbox } from "@threatbus/core";

/** One message to be kept. The messages of the bus have this shape. */
export interface LogEntry {
  /** Message id, the same on every instance. */
  readonly id: string;
  /** The plugin that took it in. */
  readonly source: string;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  /** What subscribers get. */
  readonly bytes: Uint8Array;
  readonly stix: Pick<ParsedStix, "type" | "object">;
}

/** One message of the log, with what can be asked for. Times before the year 1685 count as one, and those after 2255; copy bytes kept for long. */
export interface LogRecord extends core.LogRecord {
  /**
   * Where the pattern of an indicator is a point IoC: `ipv4-addr:value` and `198.51.100.3`. Of a sighting:
   * `sighting_of_ref` and the id of the indicator.
   */
  readonly objectPath: string | undefined;
  readonly value: string | undefined;
  readonly tlp: TlpLevel | undefined;
}

/** Why entries were not kept. */
export interface Drops {
  /** The queue was full while the disk was full or failing. */
  readonly stalled: number;
  /** Over 16 MiB. */
  readonly tooLarge: number;
  /** The log was damaged or its worker died. */
  readonly failed: number;
}

/** One part of a longer reading. */
export interface Batch extends core.LogBatch {
  readonly records: readonly LogRecord[];
}

export interface ReadOptions {
  /** Only what is behind this position; default 0: from the oldest. */
  readonly after?: number;
  /** At most this many records; default 1,000, at most 10,000. */
  readonly limit?: number;
  readonly type?: LogRecord["type"];
}

export interface SnapshotOptions {
  /** Only what was received at or after this time, in milliseconds since the epoch; default: everything. */
  readonly since?: number;
  readonly type?: LogRecord["type"];
  /** Leaves out what is no longer valid at this time, in milliseconds since the epoch; default: keeps it. */
  readonly validAt?: number;
}

export interface ExpiredOptions {
  /** Valid until later than this (exclusive) ... */
  readonly after: number;
  /** ... and at most until this (inclusive), in milliseconds since the epoch. */
  readonly until: number;
  /** At most this many records; default 1,000, at most 10,000. */
  readonly limit?: number;
  /** With the same `after`, goes on behind this record of the answer before. */
  readonly behind?: Pick<LogRecord, "validUntil" | "position">;
}

export interface Statistics {
  readonly state: core.LogState;
  /** Oldest and newest position in the log, 0 when it is empty. */
  readonly first: number;
  readonly last: number;
  /** Newest position that the disk has. */
  readonly durable: number;
  readonly records: number;
  /** Messages that were accepted and that no broker has confirmed yet. */
  readonly outbox: number;
  /** Receive times of the oldest and newest record, in milliseconds since the epoch; 0 when empty. */
  readonly oldest: number;
  readonly newest: number;
  /** Size of the pages in use. */
  readonly usedBytes: number;
  /** Sizes of the files, which `maxBytes` bounds together. */
  readonly fileBytes: number;
  readonly walBytes: number;
  /** Records removed by retention since the log was opened. */
  readonly pruned: number;
  /** Appended and not yet committed. */
  readonly queuedBytes: number;
  readonly queuedRecords: number;
  /** Since the log was opened. */
  readonly appended: number;
  readonly dropped: Drops;
  readonly schemaVersion: number;
}

export interface CheckReport {
  readonly ok: boolean;
  /** At most 100 lines for a person. */
  readonly problems: readonly string[];
}
