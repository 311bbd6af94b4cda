/**
 * A log whose disk was full already when it was to be opened. What is there is read; nothing is taken, since no position
 * may be given that the disk has not reserved. Opening is tried again and again, and the open log then takes over.
 */
import { existsSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { StoreError, storeError } from "../errors.ts";
import type { Settings } from "../options.ts";
import type { Answer, CursorValues, FromWorker, Opened, Request } from "../protocol.ts";
import type { ReceiptEvent } from "../receipts.ts";
import { hasRoom, lockLog } from "./database.ts";

/** A log as the worker serves it. */
export interface ServedLog {
  opened(): Opened;
  append(memory: ArrayBuffer, used: number, last: number, cursors: CursorValues): void;
  setCursors(cursors: CursorValues): void;
  receipts(events: readonly ReceiptEvent[]): void;
  /** After each question. */
  afterAnswer(): void;
  answer(request: Request): Promise<Answer>;
}

/** What this needs of the rest of the worker. */
export interface WaitingParts {
  /** Opens the log for writing. @throws StoreError; the lock is not given up then */
  open(lock: DatabaseSync): ServedLog;
  /** Opens what is there for reading. @throws StoreError */
  read(): ServedLog;
  tell(message: FromWorker): void;
}

const NOTHING = {
  first: 0,
  last: 0,
  records: 0,
  outbox: 0,
  oldest: 0,
  newest: 0,
  usedBytes: 0,
  fileBytes: 0,
  walBytes: 0,
  pruned: 0,
  schemaVersion: 0,
} as const;

export class WaitingLog implements ServedLog {
  readonly #settings: Settings;
  readonly #parts: WaitingParts;
  #lock: DatabaseSync | undefined;
  #error: StoreError;
  #timer: NodeJS.Timeout | undefined;
  /** What can be read: a log, nothing (undefined), or why not. */
  #reading: ServedLog | StoreError | undefined;
  /** The log when it is open for writing. */
  #log: ServedLog | undefined;
  /** Set while it was not. */
  readonly #cursors = new Map<string, number>();

  constructor(settings: Settings, error: StoreError, lock: DatabaseSync | undefined, parts: WaitingParts) {
    this.#settings = settings;
    this.#error = error;
    this.#lock = lock;
    this.#parts = parts;
    this.#read();
    this.#schedule();
  }

  /** A file without tables is a new log that did not get any further. */
  #read(): void {
    const { path } = this.#settings;
    try {
      this.#reading = existsSync(path) ? this.#parts.read() : undefined;
    } catch (error) {
      const failure = storeError(error, path);
      this.#reading = failure.code === "TB_STORE_FOREIGN" ? undefined : failure;
    }
  }

  opened(): Opened {
    const { code, message } = this.#error;
    const reading = this.#reading;
    // A log that is only read has nothing reserved behind its last position, so that none can be given.
    const found = reading === undefined || reading instanceof StoreError ? NONE : reading.opened();
    return { ...found, kind: "opened", error: { code, message } };
  }

  append(memory: ArrayBuffer, used: number, last: number, cursors: CursorValues): void {
    this.#log?.append(memory, used, last, cursors);
  }

  setCursors(cursors: CursorValues): void {
    if (this.#log !== undefined) this.#log.setCursors(cursors);
    else for (const [name, value] of cursors) this.#cursors.set(name, value);
  }

  afterAnswer(): void {
    this.#log?.afterAnswer();
  }

  receipts(events: readonly ReceiptEvent[]): void {
    this.#log?.receipts(events);
  }

  async answer(request: Request): Promise<Answer> {
    if (this.#log !== undefined) return this.#log.answer(request);
    if (request.kind === "close") return this.#close(request);
    if (request.kind === "flush" || request.kind === "prune") {
      const log = this.#retry();
      if (log === undefined) throw this.#error;
      return log.answer(request);
    }
    if (this.#reading instanceof StoreError) throw this.#reading;
    if (this.#reading !== undefined) return this.#reading.answer(request);
    if (request.kind === "statistics") return { statistics: NOTHING };
    return { position: "after" in request ? request.after : 0, end: true };
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      // The system may know that trying is of no use; it does not know of quotas.
      if (hasRoom(this.#settings.path)) this.#retry();
      else this.#schedule();
    }, this.#settings.retryInterval);
  }

  #retry(): ServedLog | undefined {
    clearTimeout(this.#timer);
    this.#stopReading();
    try {
      this.#lock ??= lockLog(this.#settings.path);
      this.#log = this.#parts.open(this.#lock);
    } catch (error) {
      this.#failed(storeError(error, this.#settings.path));
      return undefined;
    }
    const { next, reserved, logId, cursors } = this.#log.opened();
    this.#parts.tell({ kind: "resumed", next, reserved, logId, cursors });
    this.#parts.tell({ kind: "state", state: "ok" });
    this.#log.setCursors([...this.#cursors]);
    return this.#log;
  }

  /** Another reason than before is told; one that time does not heal ends the waiting. */
  #failed(error: StoreError): void {
    const { code, message } = error;
    const isNew = code !== this.#error.code;
    this.#error = error;
    this.#read();
    if (isNew) {
      const state = error.retryable ? "stalled" : "failed";
      this.#parts.tell({ kind: "state", state, error: { code, message } });
    }
    if (error.retryable) this.#schedule();
  }

  /** Whoever reads a file that nobody may write must have gone when it is written. */
  #stopReading(): void {
    if (this.#reading === undefined || this.#reading instanceof StoreError) return;
    void this.#reading.answer({ kind: "close" });
    this.#reading = undefined;
  }

  #close(request: Request): Promise<Answer> | Answer {
    clearTimeout(this.#timer);
    const reading = this.#reading;
    this.#lock?.close();
    return reading === undefined || reading instanceof StoreError ? {} : reading.answer(request);
  }
}

/** Of a log in which there is nothing, or nothing that can be read. */
const NONE = { next: 1, reserved: 0, logId: "", cursors: [] } as const;
