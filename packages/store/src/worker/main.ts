/** The worker thread of one store: it alone touches the files. */
import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { StoreError, storeError } from "../errors.ts";
import type { Settings } from "../options.ts";
import type { Answer, CursorValues, FromWorker, Opened, Request, ToWorker, WorkerStatistics } from "../protocol.ts";
import type { ReceiptEvent } from "../receipts.ts";
import { lockLog, type OpenDatabase, openQuiet, openReader, openWriter } from "./database.ts";
import { Indexer } from "./indexer.ts";
import { Pruner } from "./pruner.ts";
import { Reader } from "./reader.ts";
import { ReceiptWriter, receiptsAt, subscriptionsOf } from "./receipts.ts";
import { LOG_ID_SINCE, numberOf, OUTBOX_SINCE } from "./schema.ts";
import { RESERVATION, StateRow } from "./state.ts";
import { type ServedLog, WaitingLog } from "./waiting-log.ts";
import { Writer } from "./writer.ts";

function tell(message: FromWorker, transfer: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, [...transfer]);
}

/** What only looks at the log. */
type Question = Exclude<Request, { readonly kind: "prune" | "flush" | "close" }>;

/** One open log and what works on it. */
class Log implements ServedLog {
  readonly #settings: Settings;
  readonly #open: OpenDatabase;
  readonly #state: StateRow;
  readonly #reader: Reader;
  readonly #pruner: Pruner;
  readonly #writer: Writer | undefined;
  readonly #retention: NodeJS.Timeout | undefined;
  readonly #indexer: Indexer;
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
    this.#reader = new Reader(database, this.#state, this.#indexer, () => this.#complete);
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
    const { database } = this.#open;
    const isOld = numberOf(database, "PRAGMA user_version") < LOG_ID_SINCE;
    const identity = isOld ? { logId: "", cursors: [] } : identityOf(database);
    return { kind: "opened", next: this.#last + 1, reserved: this.#state.reserved, ...identity };
  }

  /** Everything up to here that was kept can be read now. */
  get #complete(): number {
    return this.#writer?.isComplete ? this.#last : 0;
  }

  append(memory: ArrayBuffer, used: number, last: number, cursors: CursorValues): void {
    this.#last = last;
    this.#writer?.write({ memory, used, last, cursors });
  }

  setCursors(cursors: CursorValues): void {
    this.#writer?.setCursors(cursors);
  }

  receipts(events: readonly ReceiptEvent[]): void {
    this.#writer?.receipts(events);
  }

  async answer(request: Request): Promise<Answer> {
    switch (request.kind) {
      case "prune":
        return this.#prune();
      case "flush":
        this.#writer?.flush();
        return {};
      case "close":
        return this.#close();
      default:
        return this.#settings.readOnly ? this.#atOneMoment(request) : this.#look(request);
    }
  }

  /** Many questions in a row leave no time for the timer of the commit. */
  afterAnswer(): void {
    this.#writer?.commitIfDue();
  }

  /** Beside a writer: what is known of the log, its indexes and its rows are of one commit. */
  #atOneMoment(request: Question): Answer {
    const { database } = this.#open;
    database.exec("BEGIN");
    try {
      this.#state.load();
      if (request.kind !== "read") this.#refreshIndexer();
      return this.#look(request);
    } finally {
      if (database.isTransaction) database.exec("COMMIT");
    }
  }

  #look(request: Question): Answer {
    switch (request.kind) {
      case "read":
        return this.#reader.read(request);
      case "position-before":
        return this.#reader.positionBefore(request);
      case "by-id":
        return this.#reader.byId(request);
      case "newest":
        return this.#reader.newest(request);
      case "outbox":
        return this.#reader.outbox(request);
      case "outbox-size":
        return this.#reader.outboxSize(request);
      case "states":
        return this.#reader.states(request);
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
    }
  }

  /** Takes what the writing connection has changed. */
  #refreshIndexer(): void {
    if (this.#state.indexed === this.#indexedBefore) {
      this.#indexer.catchUp();
      return;
    }
    this.#indexedBefore = this.#state.indexed;
    this.#indexer.reload();
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
    const schemaVersion = numberOf(database, "PRAGMA user_version");
    return {
      first: at("min", "seq"),
      last: at("max", "seq"),
      records: this.#state.records,
      outbox: schemaVersion < OUTBOX_SINCE ? 0 : numberOf(database, "SELECT count(*) FROM outbox"),
      oldest: at("min", "received_at"),
      newest: at("max", "received_at"),
      usedBytes: this.#pruner.usedBytes,
      fileBytes: sizeOf(this.#settings.path),
      walBytes: sizeOf(`${this.#settings.path}-wal`),
      pruned: this.#pruner.pruned,
      schemaVersion,
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

function identityOf(database: DatabaseSync): { readonly logId: string; readonly cursors: CursorValues } {
  const { log_id: logId } = database.prepare("SELECT log_id FROM state").get() as { log_id: string };
  const rows = database.prepare("SELECT name, value FROM cursors").all() as { name: string; value: number }[];
  return { logId, cursors: rows.map(({ name, value }) => [name, value] as const) };
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
  else log.afterAnswer();
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
    if (message.kind === "append") log.append(message.memory, message.used, message.last, message.cursors);
    else if (message.kind === "cursors") log.setCursors(message.cursors);
    else if (message.kind === "receipts") log.receipts(message.events);
    else void serve(log, settings.path, message.id, message.request);
  });
  tell(log.opened());
}

start(workerData as Settings);
