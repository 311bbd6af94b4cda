/**
 * Group commit. Blocks of entries are written into one transaction, which is committed (and so synced: `synchronous` is
 * FULL) when half the sync interval has passed, or after every block with `always`. A block is kept until it is
 * committed: when the disk is full, the transaction is rolled back, and all of them are written again later.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { type Row, readRows } from "../codec/entries.ts";
import { blockOf } from "../codec/layout.ts";
import { type ErrorMessage, type StoreError, storeError } from "../errors.ts";
import type { Settings } from "../options.ts";
import { OUTBOX_CURSOR } from "../outbox.ts";
import type { CursorValues } from "../protocol.ts";
import type { ReceiptEvent } from "../receipts.ts";
import { Checkpoints } from "./checkpoints.ts";
import { hashOf } from "./hash.ts";
import type { Indexer } from "./indexer.ts";
import { insertInto, insertStatement } from "./insert.ts";
import type { Pruner } from "./pruner.ts";
import type { ReceiptWriter } from "./receipts.ts";
import { numberOf } from "./schema.ts";
import { RESERVATION, type StateRow } from "./state.ts";

/** A block of entries as the main thread sent it. */
export interface Chunk {
  readonly memory: ArrayBuffer;
  readonly used: number;
  readonly last: number;
  /** Set before the block was sent, and after all that is in it. */
  readonly cursors?: CursorValues;
}

/** What the writer tells. */
export interface WriterEvents {
  committed(position: number, reserved: number, memories: readonly ArrayBuffer[]): void;
  state(state: "ok" | "stalled" | "failed", error?: ErrorMessage): void;
}

/** The collaborators of one open log. */
export interface WriterParts {
  readonly database: DatabaseSync;
  readonly settings: Settings;
  readonly state: StateRow;
  readonly indexer: Indexer;
  readonly pruner: Pruner;
  readonly receipts: ReceiptWriter;
}

/** Milliseconds of index and retention work after each block; near the size limit; and beyond it. */
const CHORES_BUDGETS = [4, 12, 50] as const;

export class Writer {
  readonly #parts: WriterParts;
  readonly #events: WriterEvents;
  readonly #insert: StatementSync;
  readonly #keepInOutbox: StatementSync;
  readonly #emptyOutbox: StatementSync;
  readonly #mark: StatementSync;
  readonly #setCursor: StatementSync;
  /** Not committed yet; all but those in the open transaction when stalled. */
  #chunks: Chunk[] = [];
  readonly #cursors = new Map<string, number>();
  #high: number;
  #state: "ok" | "stalled" | "failed" = "ok";
  #error: StoreError | undefined;
  #begun = 0;
  readonly #checkpoints: Checkpoints;
  #timer: NodeJS.Timeout | undefined;
  #chores: NodeJS.Immediate | undefined;

  constructor(parts: WriterParts, events: WriterEvents) {
    this.#parts = parts;
    this.#events = events;
    this.#checkpoints = new Checkpoints(parts.database, parts.settings);
    this.#insert = insertStatement(parts.database, "log");
    this.#keepInOutbox = insertStatement(parts.database, "outbox");
    this.#emptyOutbox = parts.database.prepare("DELETE FROM outbox WHERE seq <= ?");
    this.#mark = parts.database.prepare("INSERT OR IGNORE INTO times VALUES (?, ?, ?)");
    this.#setCursor = parts.database.prepare("INSERT OR REPLACE INTO cursors VALUES (?, ?)");
    this.#high = numberOf(parts.database, "SELECT max(high) FROM times");
  }

  /** Is everything in the database that was taken, so that a question of the same connection knows it? */
  get isComplete(): boolean {
    return this.#state === "ok";
  }

  /** Why the log cannot be written, if so. */
  get error(): StoreError | undefined {
    return this.#error;
  }

  write(chunk: Chunk): void {
    this.#chunks.push(chunk);
    this.#keep(chunk.cursors);
    if (this.#state !== "ok") return;
    this.#attempt(() => {
      this.#insertChunk(chunk);
      if (this.#parts.settings.durability === "always") this.#commit();
      this.#work();
    });
    this.commitIfDue();
  }

  /** Cursors while nothing is appended: they have a commit of their own, unless there is one to come. */
  setCursors(cursors: CursorValues): void {
    this.#keep(cursors);
    if (this.#state === "ok" && this.#chunks.length === 0) this.#attempt(() => this.#commit());
  }

  #keep(cursors: CursorValues = []): void {
    for (const [name, value] of cursors) this.#cursors.set(name, value);
  }

  /** After a row of questions, during which no timer runs. */
  commitIfDue(): void {
    if (this.#state !== "ok" || !this.#parts.database.isTransaction) return;
    if (performance.now() - this.#begun < this.#parts.settings.syncInterval / 2) return;
    this.#attempt(() => this.#commit());
  }

  /** Writes receipts with the next commit. */
  receipts(events: readonly ReceiptEvent[]): void {
    if (this.#state === "failed") return;
    this.#parts.receipts.take(events);
    if (this.#state !== "ok") return;
    this.#attempt(() => {
      this.#begin();
      this.#parts.receipts.write(events);
    });
  }

  /** Commits what there is. @throws StoreError when it cannot be written now */
  flush(): void {
    if (this.#state === "ok") this.#attempt(() => this.#commit());
    else if (this.#state === "stalled") this.#retry();
    if (this.#error !== undefined) throw this.#error;
  }

  /** Looks at the age of the oldest. */
  retain(): void {
    this.#parts.pruner.ageIsDue();
    this.#parts.receipts.pruningIsDue(this.#parts.state.floor);
    this.#scheduleChores();
  }

  /** Prunes all there is to prune, a slice per turn. */
  async prune(): Promise<void> {
    this.#parts.pruner.ageIsDue();
    await this.#untilQuiet();
    this.#parts.receipts.pruningIsDue(this.#parts.state.floor);
    await this.#untilQuiet();
    if (this.#error !== undefined) throw this.#error;
  }

  /** One quiet look is not enough: what was waiting for a commit may have become due by it. */
  async #untilQuiet(): Promise<void> {
    for (let quiet = 0; this.#state === "ok" && quiet < 2; quiet = this.#isBusy() ? 0 : quiet + 1)
      await new Promise((resolve) => setImmediate(resolve));
  }

  #isBusy(): boolean {
    let busy = false;
    this.#attempt(() => {
      busy = this.#work();
      this.#commit();
    });
    return busy;
  }

  /** Ends all work. @returns how many blocks and cursors could not be written */
  close(): number {
    clearImmediate(this.#chores);
    if (this.#state === "stalled") this.#retry();
    if (this.#state === "ok") this.#attempt(() => this.#finish());
    clearTimeout(this.#timer);
    return this.#chunks.length + this.#cursors.size;
  }

  /** Commits, and ends the run that is on its way, which the next start would have to begin anew. */
  #finish(): void {
    this.#commit();
    while (this.#parts.indexer.due) {
      this.#begin();
      this.#parts.indexer.step();
    }
    this.#commit();
    clearImmediate(this.#chores);
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#stall(storeError(error, this.#parts.settings.path));
    }
  }

  #begin(): void {
    if (this.#parts.database.isTransaction) return;
    this.#parts.database.exec("BEGIN IMMEDIATE");
    this.#begun = performance.now();
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#state === "ok") this.#attempt(() => this.#commit());
    }, this.#parts.settings.syncInterval / 2);
  }

  #insertChunk(chunk: Chunk): void {
    this.#begin();
    const { state } = this.#parts;
    let first = 0;
    const removed = this.#cursors.get(OUTBOX_CURSOR) ?? 0;
    for (const row of readRows(blockOf(chunk.memory), chunk.used)) {
      if (row.table === "outbox") {
        // What a broker has confirmed before it could be written need not be.
        if (row.position > removed) insertInto(this.#keepInOutbox, row, hashOf(row.stixId));
        continue;
      }
      if (first === 0) first = row.position;
      this.#insertRow(row);
      this.#high = Math.max(this.#high, row.receivedAt);
      state.records += 1;
    }
    if (first > 0) this.#mark.run(this.#high, first, chunk.last);
    if (chunk.last > state.reserved - RESERVATION / 2) state.reserved = chunk.last + RESERVATION;
  }

  #insertRow(row: Row): void {
    const key = hashOf(row.stixId);
    insertInto(this.#insert, row, key);
    this.#parts.indexer.add(row.position, key, row.modified, row.value);
  }

  #commit(): void {
    const { database, state, indexer, pruner, receipts } = this.#parts;
    if (this.#cursors.size > 0) this.#begin();
    if (!database.isTransaction) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [name, value] of this.#cursors) this.#setCursor.run(name, value);
    const removed = this.#cursors.get(OUTBOX_CURSOR);
    if (removed !== undefined) this.#emptyOutbox.run(removed);
    state.save();
    database.exec("COMMIT");
    this.#cursors.clear();
    indexer.committed();
    pruner.committed();
    receipts.committed();
    this.#checkpoints.committed();
    const chunks = this.#chunks;
    this.#chunks = [];
    const position = chunks.at(-1)?.last;
    if (position !== undefined) {
      this.#events.committed(
        position,
        state.reserved,
        chunks.map(({ memory }) => memory),
      );
    }
    this.#scheduleChores();
  }

  /** Chores for a bounded time. @returns whether there may be more */
  #work(): boolean {
    const { indexer, pruner, receipts, state } = this.#parts;
    const until = performance.now() + CHORES_BUDGETS[pruner.pressure];
    let busy = true;
    while (busy && performance.now() < until) {
      busy = false;
      if (indexer.due) {
        this.#begin();
        indexer.step();
        busy = true;
      }
      if (pruner.isDue) {
        this.#begin();
        busy = pruner.step(Date.now()) || busy || indexer.due;
      }
      if (receipts.isDue) {
        this.#begin();
        receipts.step(state.floor);
        busy = true;
      }
    }
    return busy;
  }

  /** Goes on with chores while no blocks come. */
  #scheduleChores(): void {
    if (this.#chores !== undefined || this.#state !== "ok") return;
    this.#chores = setImmediate(() => {
      this.#chores = undefined;
      if (this.#state !== "ok") return;
      this.#attempt(() => {
        if (this.#work()) this.#scheduleChores();
      });
    });
  }

  /** The disk is full or fails: everything since the last commit is taken back, and written again later. */
  #stall(error: StoreError): void {
    const { database, state, indexer, pruner, receipts, settings } = this.#parts;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      if (database.isTransaction) database.exec("ROLLBACK");
      state.load();
    } catch {
      // The first error says more; a database that cannot even roll back is tried again like any other.
    }
    indexer.rolledBack();
    pruner.rolledBack();
    receipts.rolledBack();
    const isNew = this.#error?.code !== error.code;
    this.#error = error;
    this.#state = error.retryable && error.code !== "TB_STORE_FAILED" ? "stalled" : "failed";
    if (isNew) this.#events.state(this.#state, { code: error.code, message: error.message });
    if (this.#state === "stalled") this.#timer = setTimeout(() => this.#retry(), settings.retryInterval);
    else this.#giveUp();
  }

  #giveUp(): void {
    this.#chunks = [];
    this.#cursors.clear();
  }

  #retry(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#attempt(() => {
      this.#begin();
      for (const chunk of this.#chunks) this.#insertChunk(chunk);
      this.#parts.receipts.writeAgain();
      this.#commit();
      this.#state = "ok";
      this.#error = undefined;
      this.#events.state("ok");
      this.#scheduleChores();
    });
  }
}
