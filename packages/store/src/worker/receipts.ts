/**
 * Receipts in the database. What comes is written into the transaction that is open, and kept until it is committed: after
 * a rollback it is written again. Numbers that callers have are of this process only; the database has its own.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { ReceiptMark } from "@threatbus/core";
import type { Receipt, ReceiptEvent, SubscriptionRecord } from "../receipts.ts";
import { numberOf } from "./schema.ts";

type Opening = Extract<ReceiptEvent, { readonly kind: "open" }>;

/** A row of receipt_subscriptions, and of the mark that was asked for. */
interface SubscriptionRow {
  readonly plugin: string;
  readonly name: string;
  readonly topics: string;
  readonly filter: string | null;
  readonly start: number;
  readonly opened_at: number;
  readonly closed_at: number | null;
  readonly position: number;
  readonly marked_at: number;
  readonly at: number | null;
  readonly lost: number | null;
}

const MOST_SUBSCRIPTIONS = 10_000;
/** Marks that one step of pruning removes. */
const SLICE = 512;

export class ReceiptWriter {
  readonly #database: DatabaseSync;
  readonly #most: number;
  readonly #insert: StatementSync;
  readonly #mark: StatementSync;
  readonly #progress: StatementSync;
  readonly #close: StatementSync;
  readonly #evict: StatementSync;
  readonly #nextMarked: StatementSync;
  readonly #prune: StatementSync;
  readonly #pruneEnded: StatementSync;
  /** Numbers of this process's subscriptions in the database. */
  readonly #ids = new Map<number, number>();
  #pending: ReceiptEvent[] = [];
  #next: number;
  /** Subscriptions in the database. */
  #kept: number;
  /** Marks up to here are removed, or are being removed. */
  #pruned = -1;
  /** Pruning goes on with this subscription; undefined: there is nothing to prune. */
  #pruneFrom: number | undefined;

  /** Ends the subscriptions of a process that could not do it itself, as of their last mark. */
  constructor(database: DatabaseSync, most = MOST_SUBSCRIPTIONS) {
    this.#database = database;
    this.#most = most;
    database.exec("UPDATE receipt_subscriptions SET closed_at = marked_at WHERE closed_at IS NULL");
    this.#next = numberOf(database, "SELECT max(id) FROM receipt_subscriptions") + 1;
    this.#next = Math.max(this.#next, numberOf(database, "SELECT max(subscription) FROM receipt_marks") + 1);
    this.#kept = this.#count();
    this.#insert = database.prepare("INSERT INTO receipt_subscriptions VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?, ?)");
    // Of marks at one position the first says when it was reached.
    this.#mark = database.prepare(
      `INSERT INTO receipt_marks SELECT id, ?2, ?3, ?4, ?5 FROM receipt_subscriptions WHERE id = ?1
         ON CONFLICT DO UPDATE SET handed = handed + excluded.handed, lost = lost + excluded.lost`,
    );
    this.#progress = database.prepare(
      "UPDATE receipt_subscriptions SET position = max(position, ?), marked_at = ? WHERE id = ?",
    );
    this.#close = database.prepare("UPDATE receipt_subscriptions SET closed_at = ? WHERE id = ?");
    this.#evict = database.prepare(
      `DELETE FROM receipt_subscriptions WHERE id = (
         SELECT id FROM receipt_subscriptions WHERE closed_at IS NOT NULL ORDER BY id LIMIT 1)`,
    );
    this.#nextMarked = database.prepare(
      `SELECT m.subscription, s.id AS known FROM receipt_marks AS m LEFT JOIN receipt_subscriptions AS s
         ON s.id = m.subscription WHERE m.subscription >= ? ORDER BY m.subscription LIMIT 1`,
    );
    this.#prune = database.prepare(
      `DELETE FROM receipt_marks WHERE subscription = ?1 AND position <= (
         SELECT max(position) FROM (
           SELECT position FROM receipt_marks WHERE subscription = ?1 AND position <= ?2 ORDER BY position LIMIT ${SLICE}))`,
    );
    this.#pruneEnded = database.prepare(
      "DELETE FROM receipt_subscriptions WHERE closed_at IS NOT NULL AND position <= ?",
    );
  }

  #count(): number {
    return numberOf(this.#database, "SELECT count(*) FROM receipt_subscriptions");
  }

  /** Keeps them until `committed`; they are written by `write`. */
  take(events: readonly ReceiptEvent[]): void {
    this.#pending.push(...events);
  }

  /** Writes events into the transaction that the caller has open. */
  write(events: readonly ReceiptEvent[]): void {
    for (const event of events) {
      if (event.kind === "open") this.#writeOpening(event);
      else if (event.kind === "mark") this.#writeMark(event.mark);
      else this.#close.run(event.at, this.#ids.get(event.id) ?? 0);
    }
  }

  /** Writes everything that is not committed once more, after a rollback. */
  writeAgain(): void {
    this.#kept = this.#count();
    this.write(this.#pending);
  }

  committed(): void {
    for (const event of this.#pending) if (event.kind === "close") this.#ids.delete(event.id);
    this.#pending = [];
  }

  #writeOpening({ id, plugin, name, topics, filter, start, at }: Opening): void {
    if (this.#kept >= this.#most) {
      if (this.#evict.run().changes === 0) return;
      this.#kept -= 1;
      this.#pruned = -1;
    }
    const row = this.#ids.get(id) ?? this.#next++;
    this.#ids.set(id, row);
    this.#insert.run(row, plugin, name, topics, filter, start, at, start, at);
    this.#kept += 1;
  }

  #writeMark({ subscription, position, at, handed, lost }: ReceiptMark): void {
    const row = this.#ids.get(subscription);
    if (row === undefined) return;
    this.#mark.run(row, position, at, handed, lost);
    this.#progress.run(position, at, row);
  }

  /** Begins to prune if retention has removed positions since, or a subscription has left marks behind. */
  pruningIsDue(floor: number): void {
    if (floor <= this.#pruned) return;
    this.#pruned = floor;
    this.#pruneFrom ??= 0;
  }

  get isDue(): boolean {
    return this.#pruneFrom !== undefined;
  }

  /** Removes a slice of the marks up to `floor`, and at last the ended subscriptions that have none left. */
  step(floor: number): void {
    const row = this.#nextMarked.get(this.#pruneFrom ?? 0);
    if (row === undefined) {
      this.#kept -= Number(this.#pruneEnded.run(floor).changes);
      this.#pruneFrom = undefined;
      return;
    }
    const subscription = Number(row.subscription);
    // Marks of a subscription that is not kept any more all go.
    const { changes } = this.#prune.run(subscription, row.known === null ? Number.MAX_SAFE_INTEGER : floor);
    this.#pruneFrom = Number(changes) < SLICE ? subscription + 1 : subscription;
  }

  /** What was pruned since the last commit is there again. */
  rolledBack(): void {
    this.#pruned = -1;
  }
}

/** A log that a version without receipts has written, and that is only read, has no such tables. */
function hasReceipts(database: DatabaseSync): boolean {
  return numberOf(database, "SELECT count(*) FROM sqlite_schema WHERE name = 'receipt_marks'") === 1;
}

/** The subscriptions that got a position, or were to get it; see `Store.receiptsAt`. */
export function receiptsAt(database: DatabaseSync, position: number): Receipt[] {
  if (!hasReceipts(database)) return [];
  const rows = database
    .prepare(
      `SELECT s.*, m.at, m.lost FROM receipt_subscriptions AS s LEFT JOIN receipt_marks AS m
         ON m.subscription = s.id AND m.position = (
           SELECT min(position) FROM receipt_marks WHERE subscription = s.id AND position >= ?1)
       WHERE s.start < ?1 AND (s.closed_at IS NULL OR s.position >= ?1
         OR s.closed_at >= (SELECT received_at FROM log WHERE seq = ?1)) ORDER BY s.id`,
    )
    .all(position) as unknown as SubscriptionRow[];
  return rows.map((row) => ({ ...commonOf(row), handedBy: row.at ?? undefined, lostBetween: row.lost ?? 0 }));
}

/** All subscriptions that are kept, in the order in which they were opened. */
export function subscriptionsOf(database: DatabaseSync): SubscriptionRecord[] {
  if (!hasReceipts(database)) return [];
  const query = "SELECT * FROM receipt_subscriptions ORDER BY id";
  const rows = database.prepare(query).all() as unknown as SubscriptionRow[];
  return rows.map((row) => ({ ...commonOf(row), position: row.position, markedAt: row.marked_at }));
}

function commonOf(row: SubscriptionRow): Omit<Receipt, "handedBy" | "lostBetween"> {
  return {
    plugin: row.plugin,
    name: row.name,
    topics: JSON.parse(row.topics) as string[],
    filter: row.filter === null ? undefined : (JSON.parse(row.filter) as Record<string, unknown>),
    start: row.start,
    openedAt: row.opened_at,
    closedAt: row.closed_at ?? undefined,
  };
}
