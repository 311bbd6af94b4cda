/** The worker thread of one store: it alone touches the files. */
import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { StoreError, storeError } from "../errors.ts";
import type { Settings } from "../options.ts";
import type { Answer, FromWorker, Opened, Request, ToWorker, WorkerStatistics } from "../protocol.ts";
import type { ReceiptEvent } from "../receipts.ts";
import { lockLog, type OpenDatabase, openQuiet, openReader, openWriter } from "./database.ts";
import { Indexer } from "./indexer.ts";
import { Pruner } from "./pruner.ts";
import { Reader } from "./reader.ts";
import { ReceiptWriter, receiptsAt, subscriptionsOf } from "./receipts.ts";
import { numberOf } from "./schema.ts";
import { RESERVATION, StateRow } from "./state.ts";
import { type ServedLog, WaitingLog } from "./waiting.ts";
import { Writer } from "./writer.ts";

function tell(message: FromWorker, transfer: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, [...transfer]);
}

/** One open log and what works on it. */
class Log implements ServedLog {
  readonly #settings: Settings;
  readonly #open: OpenDatabase;
  readonly #state: StateRow;
  readonly #reader: Reader;
  readonly #pruner: Pruner;
  readonly #writer: Writer | undefined;
  readonly #retention: NodeJS.Timeout | undefined;
  #indexer: Indexer;
  #indexedBefore: number;
  /** Newest position that was given. */
  #last: number;

  /** @throws StoreError; the database is closed then, and the lock is not */
  static over(settings: Settings, open: OpenDatabase): Log {
    try {
      return new Log(settings, open);
    } catch (error) {
      if (open.database.isOpen) open.database.close();
      throw storeError(error, settings.path);
    }
  }

  private constructor(settings: Settings, open: OpenDatabase) {
    this.#settings = settings;
    this.#open = open;
    const { database } = this.#open;
    this.#state = new StateRow(database);
    this.#indexedBefore = this.#state.indexed;
    this.#indexer = new Indexer(database, this.#state, settings.readOnly);
    this.#pruner = new Pruner(database, settings, this.#state, this.#indexer);
    this.#reader = new Reader(database, this.#state, () => this.#indexer);
    this.#last = Math.max(this.#state.reserved, this.#reader.last);
    if (settings.readOnly) return;
    this.#reserve(this.#last + RESERVATION);
    this.#writer = this.#newWriter();
    this.#retention = setInterval(() => this.#writer?.retain(), settings.retentionInterval);
    this.#writer.retain();
  }

  #newWriter(): Writer {
    const parts = {
      database: this.#open.database,
      settings: this.#settings,
      state: this.#state,
      indexer: this.#indexer,
      pruner: this.#pruner,
      receipts: new ReceiptWriter(this.#open.database),
    };
    return new Writer(parts, {
      committed: (position, reserved, memories) => tell({ kind: "committed", position, reserved, memories }, memories),
      state: (state, error) => tell({ kind: "state", state, ...(error === undefined ? {} : { error }) }),
    });
  }

  #reserve(position: number): void {
    this.#state.reserved = position;
    this.#state.save();
  }

  opened(): Opened {
    return { kind: "opened", next: this.#last + 1, reserved: this.#state.reserved };
  }

  append(memory: ArrayBuffer, used: number, last: number): void {
    this.#last = last;
    this.#writer?.write({ memory, used, last });
  }

  receipts(events: readonly ReceiptEvent[]): void {
    this.#writer?.receipts(events);
  }

  async answer(request: Request): Promise<Answer> {
    if (this.#settings.readOnly) this.#refresh();
    switch (request.kind) {
      case "read":
        return this.#reader.read(request);
      case "position-before":
        return this.#reader.positionBefore(request);
      case "by-id":
        return this.#reader.byId(request);
      case "by-value":
        return this.#reader.byValue(request);
      case "end":
        return { position: this.#reader.last };
      case "snapshot":
        return this.#reader.snapshot(request);
      case "expired":
        return this.#reader.expired(request);
      case "statistics":
        return { statistics: this.#statistics() };
      case "receipts-at":
        return { receipts: receiptsAt(this.#open.database, request.position) };
      case "subscriptions":
        return { subscriptions: subscriptionsOf(this.#open.database) };
      case "prune":
        return this.#prune();
      case "flush":
        this.#writer?.flush();
        return {};
      case "close":
        return this.#close();
    }
  }

  /** Takes what the writing process has changed. */
  #refresh(): void {
    this.#state.load();
    if (this.#state.indexed !== this.#indexedBefore) {
      this.#indexedBefore = this.#state.indexed;
      this.#indexer = new Indexer(this.#open.database, this.#state, true);
    } else {
      this.#indexer.catchUp();
    }
  }

  async #prune(): Promise<Answer> {
    if (this.#writer === undefined) throw new StoreError("TB_STORE_UNWRITABLE", "The log is open for reading only");
    const before = this.#pruner.pruned;
    await this.#writer.prune();
    return { position: this.#pruner.pruned - before };
  }

  #statistics(): WorkerStatistics {
    const { database } = this.#open;
    const at = (position: "min" | "max", column: string): number =>
      numberOf(
        database,
        `SELECT ${column} FROM log WHERE seq = (SELECT ${position}(seq) FROM log WHERE seq > ${this.#state.floor})`,
      );
    return {
      first: at("min", "seq"),
      last: at("max", "seq"),
      records: this.#state.records,
      oldest: at("min", "received_at"),
      newest: at("max", "received_at"),
      usedBytes: this.#pruner.usedBytes,
      fileBytes: sizeOf(this.#settings.path),
      walBytes: sizeOf(`${this.#settings.path}-wal`),
      pruned: this.#pruner.pruned,
      schemaVersion: numberOf(database, "PRAGMA user_version"),
    };
  }

  /** Writes what there is to write; whatever happens, the files are closed at the end. */
  #close(): Answer {
    clearInterval(this.#retention);
    try {
      const lost = this.#writer?.close() ?? 0;
      const error = this.#writer?.error;
      if (lost > 0 && error !== undefined) return { error: { code: error.code, message: error.message } };
      // Whoever opens the log next goes on with the very next position, and finds no write-ahead log.
      if (this.#writer !== undefined && error === undefined) {
        this.#reserve(this.#last);
        this.#open.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      }
      return {};
    } finally {
      this.#open.close();
    }
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

async function serve(log: ServedLog, path: string, id: number, request: Request): Promise<void> {
  try {
    const answer = await log.answer(request);
    tell({ kind: "answer", id, answer }, answer.memory === undefined ? [] : [answer.memory]);
  } catch (error) {
    const { code, message } = storeError(error, path);
    tell({ kind: "error", id, error: { code, message } });
  }
  if (request.kind === "close") parentPort?.close();
}

/** Opens the log; one whose disk is full is served nevertheless, and opened for writing when there is room. */
function openLog(settings: Settings): ServedLog {
  const { path, maxBytes } = settings;
  if (settings.readOnly) return Log.over(settings, openReader(path));
  const parts = {
    open: (lock: DatabaseSync) => Log.over(settings, openWriter(path, maxBytes, lock)),
    read: () => Log.over({ ...settings, readOnly: true }, openQuiet(path)),
    tell,
  };
  let lock: DatabaseSync | undefined;
  try {
    lock = lockLog(path);
    return parts.open(lock);
  } catch (error) {
    const failure = storeError(error, path);
    if (failure.code === "TB_STORE_FULL") return new WaitingLog(settings, failure, lock, parts);
    lock?.close();
    throw failure;
  }
}

function start(settings: Settings): void {
  let log: ServedLog;
  try {
    log = openLog(settings);
  } catch (error) {
    const { code, message } = storeError(error, settings.path);
    tell({ kind: "refused", error: { code, message } });
    return;
  }
  parentPort?.on("message", (message: ToWorker) => {
    if (message.kind === "append") log.append(message.memory, message.used, message.last);
    else if (message.kind === "receipts") log.receipts(message.events);
    else void serve(log, settings.path, message.id, message.request);
  });
  tell(log.opened());
}

start(workerData as Settings);
