import type { ContentFilter } from "../subscriptions/filter.ts";
import type { StixMessage } from "./message.ts";

/** One message as the durable log has it. */
export interface LogRecord {
  /** Sequence number in the log: 1 and up, never given twice. */
  readonly position: number;
  readonly type: StixMessage["type"];
  readonly stixId: string;
  /** Microseconds since the epoch. */
  readonly modified: number;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly source: string;
  readonly messageId: string;
  /** Milliseconds since the epoch. */
  readonly validUntil: number | undefined;
  /** Withdrawn: `revoked`, or `x_threatbus_update` is REMOVE. */
  readonly removed: boolean;
  /** The bytes that were published; a view of a larger buffer. */
  readonly bytes: Buffer;
}

/** What an append did. */
export interface Appended {
  /** Position of the first message that was taken; the others follow it one by one. 0: none was. */
  readonly first: number;
  /** Position of the last one; 0: none was. */
  readonly last: number;
  /** Indexes of the messages that the log did not take, ascending; usually none. */
  readonly dropped: readonly number[];
}

/** One part of a longer reading. */
export interface LogBatch {
  readonly records: readonly LogRecord[];
  /** Go on after this position. */
  readonly last: number;
  /** Is there nothing behind `last` for now? */
  readonly end: boolean;
  /** Positions behind the one asked for that retention has removed, and that are therefore missing; usually 0. */
  readonly skipped: number;
}

/** The newest state of one object. */
export interface ObjectState {
  readonly stixId: string;
  readonly position: number;
  /** Microseconds since the epoch. */
  readonly modified: number;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly validUntil: number | undefined;
  readonly removed: boolean;
}

/** `ok`; `stalled`: cannot write now and tries again; `failed`: will not write any more; `closed`. */
export type LogState = "ok" | "stalled" | "failed" | "closed";

/** A subscription, as receipts name it. */
export interface ReceiptSubscription {
  /** The plugin that made it. */
  readonly plugin: string;
  readonly name: string;
  readonly topics: readonly string[];
  readonly filter: ContentFilter | undefined;
  /** It gets what lies behind this position. */
  readonly start: number;
}

/** How far a subscription has got. */
export interface ReceiptMark {
  /** What `open` gave. */
  readonly subscription: number;
  /** Everything up to here that belongs to it was handed over, or is counted in `lost`. */
  readonly position: number;
  /** Messages handed over since its last mark. */
  readonly handed: number;
  /** Messages lost since its last mark. */
  readonly lost: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Who got what, and when: progress of subscriptions, not a row per delivery. Nothing here waits, and nothing throws. */
export interface Receipts {
  /** @returns the number by which marks name it */
  open(subscription: ReceiptSubscription): number;
  mark(mark: ReceiptMark): void;
  /** The subscription is over. */
  close(subscription: number): void;
}

/** Which message lies where. */
export interface LoggedId {
  readonly position: number;
  readonly messageId: string;
}

/**
 * Messages that were accepted and that are not safe with a broker yet. Each has a number, later ones higher ones; numbers
 * come out of the sequence of positions, and are never given twice, but name nothing in the log.
 */
export interface Outbox {
  /** Adds in order, like `append` and under the same promises: `settled` says when they are safe. */
  add(messages: readonly StixMessage[]): Promise<Appended>;
  /**
   * Forgets everything up to a number; never waits, and never throws. The disk knows it with the next commit, half a second later at most,
   * so that after a crash the last ones may be there again.
   */
  remove(upTo: number): void;
  /** The next messages behind a number, in order, at most about 512 KiB; `position` of a record is its number. */
  read(options: { readonly after: number; readonly limit?: number }): Promise<LogBatch>;
  /** How many messages there are. */
  size(): Promise<number>;
}

/** What the bus needs of the durable log; `@threatbus/store` is one. Nothing here blocks the thread. */
export interface DurableLog {
  /** Tells this log from every other one, also from one that later lies in the same file. */
  readonly id: string;
  readonly state: LogState;
  /** Newest position that was given; what is appended from now on is behind it. */
  readonly last: number;
  readonly receipts: Receipts;
  readonly outbox: Outbox;
  /**
   * Appends in order; resolves when everything is copied, which is at once unless the log lags behind. While it cannot
   * write, nothing waits: what has no room is left out and counted. Rejects only when the log is closed.
   */
  append(messages: readonly StixMessage[]): Promise<Appended>;
  /**
   * Resolves when everything up to `position` is as safe as the configuration promises: at once with `interval`, when
   * the disk has it with `always`; also, with false, when the log cannot write now.
   */
  settled(position: number): Promise<boolean>;
  /** Resolves at the next append, commit or change of state. */
  news(): Promise<void>;
  /** The next records behind a position, at most about 512 KiB. Knows everything appended before the call. */
  read(options: {
    readonly after: number;
    readonly limit?: number;
    readonly type?: StixMessage["type"];
  }): Promise<LogBatch>;
  /** The position behind which everything lies that was received at `time` (ms since the epoch) or later. 0: the oldest. */
  positionBefore(time: number): Promise<number>;
  /** Which messages came last, in the order of positions; at most 10,000. */
  newest(limit: number): Promise<readonly LoggedId[]>;
  /**
   * The newest state of every object as of now, once each, in parts; those that are removed are left out.
   * `since`, `validAt` in milliseconds since the epoch.
   */
  snapshot(options: {
    readonly since: number;
    readonly validAt: number;
    readonly type?: StixMessage["type"];
  }): AsyncIterable<readonly LogRecord[]>;
  /** The newest state of each of these objects that is in the log; at most 1,000 ids. */
  states(stixIds: readonly string[]): Promise<readonly ObjectState[]>;
  /** The newest state of an object, removed or not. */
  latest(stixId: string): Promise<LogRecord | undefined>;
  /**
   * Newest states that are not removed and whose validity ended after `after` and by `until` (ms since the epoch), in the
   * order of their ends; at most 1,000. `behind` goes on after a record of the answer before.
   */
  expired(options: {
    readonly after: number;
    readonly until: number;
    readonly behind?: Pick<LogRecord, "validUntil" | "position">;
  }): Promise<readonly LogRecord[]>;
  /** A number kept under a name; 0 when there is none. */
  cursor(name: string): number;
  /** Keeps a number; on disk with the next commit, and never before what was appended earlier. */
  setCursor(name: string, value: number): void;
  on(event: "state", listener: (state: LogState, error: Error | undefined) => void): unknown;
}

/** A log that the bus has opened, and closes when it stops. */
export interface OpenLog extends DurableLog {
  /** Writes everything and closes the files. @throws when the disk would not take the last of it */
  close(): Promise<void>;
}

/** Where in the log a subscription begins. */
export type StartPosition =
  /** Behind a position that was remembered; of which log, where that is known. */
  | { readonly kind: "position"; readonly position: number; readonly log?: string }
  /** With what was received at this time (ms since the epoch) or later. */
  | { readonly kind: "time"; readonly time: number }
  | { readonly kind: "earliest" }
  | { readonly kind: "latest" };
