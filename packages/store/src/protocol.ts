/** What the main thread and the worker say to each other. Bulk goes in transferred buffers (codec/layout.ts). */
import type { StixType } from "@threatbus/stix";
import type { ErrorMessage } from "./errors.ts";
import type { Receipt, ReceiptEvent, SubscriptionRecord } from "./receipts.ts";
import type { LoggedId, ObjectState, Statistics } from "./records.ts";

/** What is asked of the log; every one is answered. */
export type Request =
  | {
      readonly kind: "read";
      readonly after: number;
      readonly limit: number;
      readonly type: StixType | undefined;
    }
  | { readonly kind: "position-before"; readonly time: number }
  | { readonly kind: "states"; readonly stixIds: readonly string[] }
  | { readonly kind: "by-id"; readonly stixId: string; readonly limit: number }
  | {
      readonly kind: "by-value";
      readonly value: string;
      readonly objectPath: string | undefined;
      readonly limit: number;
    }
  | { readonly kind: "end" }
  | {
      readonly kind: "snapshot";
      readonly after: number;
      readonly until: number;
      readonly since: number;
      readonly type: StixType | undefined;
      readonly validAt: number;
    }
  | {
      readonly kind: "expired";
      readonly after: number;
      readonly behindTime: number;
      readonly behindPosition: number;
      readonly until: number;
      readonly limit: number;
    }
  | { readonly kind: "newest"; readonly limit: number }
  | { readonly kind: "outbox"; readonly after: number; readonly limit: number }
  | { readonly kind: "outbox-size"; readonly after: number }
  | { readonly kind: "statistics" }
  | { readonly kind: "receipts-at"; readonly position: number }
  | { readonly kind: "subscriptions" }
  | { readonly kind: "prune" }
  | { readonly kind: "flush" }
  | { readonly kind: "close" };

/** Numbers kept under names. */
export type CursorValues = readonly (readonly [name: string, value: number])[];

/** An answer: records (`memory`), numbers, or both. */
export interface Answer {
  readonly memory?: ArrayBuffer;
  /** read, snapshot: go on after this position; position-before and end: the position; prune, outbox-size, close: a count. */
  readonly position?: number;
  readonly end?: boolean;
  /** read: positions behind the one asked for that retention has removed. */
  readonly skipped?: number;
  /** expired: with `position`, where the rows that were looked at end. */
  readonly time?: number;
  readonly states?: readonly ObjectState[];
  /** newest: in the order of positions. */
  readonly messages?: readonly LoggedId[];
  readonly statistics?: WorkerStatistics;
  readonly receipts?: readonly Receipt[];
  readonly subscriptions?: readonly SubscriptionRecord[];
  /** close: why not everything could be written. */
  readonly error?: ErrorMessage;
}

/** The part of the statistics that the worker knows; the rest is the main thread's. */
export type WorkerStatistics = Omit<
  Statistics,
  "state" | "durable" | "queuedBytes" | "queuedRecords" | "appended" | "dropped"
>;

export type ToWorker =
  | {
      readonly kind: "append";
      readonly memory: ArrayBuffer;
      readonly used: number;
      readonly last: number;
      readonly cursors: CursorValues;
    }
  | { readonly kind: "cursors"; readonly cursors: CursorValues }
  | { readonly kind: "receipts"; readonly events: readonly ReceiptEvent[] }
  | { readonly kind: "request"; readonly id: number; readonly request: Request };

/** `next`: the first position to be given; `reserved`: the last that may be given for now; `logId`: `Store.id`. */
export interface Opened {
  readonly kind: "opened";
  readonly next: number;
  readonly reserved: number;
  readonly logId: string;
  readonly cursors: CursorValues;
  /** Why nothing can be written yet; `resumed` follows when that is over. */
  readonly error?: ErrorMessage;
}

export type FromWorker =
  | Opened
  | {
      readonly kind: "resumed";
      readonly next: number;
      readonly reserved: number;
      readonly logId: string;
      readonly cursors: CursorValues;
    }
  | { readonly kind: "refused"; readonly error: ErrorMessage }
  /** The disk has everything up to `position`. The buffers are for use again. */
  | {
      readonly kind: "committed";
      readonly position: number;
      readonly reserved: number;
      readonly memories: readonly ArrayBuffer[];
    }
  | { readonly kind: "state"; readonly state: "ok" | "stalled" | "failed"; readonly error?: ErrorMessage }
  | { readonly kind: "answer"; readonly id: number; readonly answer: Answer }
  | { readonly kind: "error"; readonly id: number; readonly error: ErrorMessage };
