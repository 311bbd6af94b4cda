import type { DatabaseSync, StatementSync } from "node:sqlite";
import { messageOf } from "@threatbus/core";
import { Changes } from "./changes.ts";
import { openSpoolFile } from "./database.ts";

/** What waits for OpenCTI. */
export interface SpoolEntry {
  /** Ascending in the order of arrival; never used twice. */
  readonly seq: number;
  /** Entries of one lane are dealt with in order: the id of the indicator. */
  readonly lane: string;
  /** The STIX object as it was published. */
  readonly body: Buffer;
}

export interface SpoolOptions {
  /** Most bytes that wait; one entry more is taken when there is any room at all. */
  readonly maxBytes: number;
  /** Milliseconds for which the keys of what was dealt with are remembered. Default 7 days. */
  readonly rememberFor?: number;
  /** How many of them. Default 500,000. */
  readonly remember?: number;
  /** Hears of a disk that refuses, and (undefined) of one that does so no longer. */
  readonly onDiskError?: (why: string | undefined) => void;
  /** Opens the file; tests have their own. */
  readonly open?: (path: string) => DatabaseSync;
}

interface NewEntry {
  readonly lane: string;
  readonly body: Buffer;
  readonly saved: () => void;
}

interface Finished {
  readonly entry: SpoolEntry;
  readonly key: string | undefined;
}

/** Bytes that an entry takes besides its body. */
const OVERHEAD = 200;
/** Milliseconds that writing waits for more of it, and before it is tried again on a disk that refuses. */
const GROUP_MS = 20;
const RETRY_MS = 1_000;
/** Writing stops everything else: on a slow disk it waits so many times as long as it took last, up to so long. */
const REST = 4;
const MAX_GROUP_MS = 250;
/** Entries taken in but not yet on the disk. */
const MAX_PENDING = 5_000;
const MAX_PENDING_BYTES = 16 * 1024 * 1024;
/** Entries finished but still in the file: each reading has to pass over them. */
const MAX_FINISHED = 300;
/** Pages that one commit gives back to the file system. */
const VACUUM_PAGES = 256;
const WEEK = 7 * 86_400_000;

/**
 * A queue on disk: what is put in stays until it is finished, whatever happens to the process. Entries and finishes are
 * written in groups, each with one synchronisation of the disk.
 */
export class Spool {
  readonly #database: DatabaseSync;
  readonly #options: Required<Pick<SpoolOptions, "maxBytes" | "rememberFor" | "remember">> & SpoolOptions;
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;
  readonly #select: StatementSync;
  readonly #isHandled: StatementSync;
  readonly #handle: StatementSync;
  readonly #changes = new Changes();
  #pending: NewEntry[] = [];
  #finished: Finished[] = [];
  readonly #finishedKeys = new Set<string>();
  #pendingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #bytes: number;
  #size: number;
  #handled: number;
  #failing = false;
  /** Milliseconds that the last writing took. */
  #took = 0;

  /** @throws Error when the file cannot be used */
  constructor(path: string, options: SpoolOptions) {
    this.#options = { rememberFor: WEEK, remember: 500_000, ...options };
    this.#database = (options.open ?? openSpoolFile)(path);
    const prepare = (sql: string): StatementSync => this.#database.prepare(sql);
    this.#insert = prepare("INSERT INTO entries (lane, body) VALUES (?, ?)");
    this.#delete = prepare("DELETE FROM entries WHERE seq = ?");
    this.#select = prepare(
      "SELECT seq, lane, body FROM entries WHERE lane NOT IN (SELECT value FROM json_each(?)) ORDER BY seq LIMIT ?",
    );
    this.#isHandled = prepare("SELECT 1 FROM handled WHERE key = ?");
    this.#handle = prepare("INSERT OR REPLACE INTO handled (key, at) VALUES (?, ?)");
    const sums = prepare(`SELECT count(*) AS size, coalesce(sum(length(body) + ${OVERHEAD}), 0) AS bytes FROM entries`);
    const { size, bytes } = sums.get() ?? {};
    this.#size = Number(size);
    this.#bytes = Number(bytes);
    this.#handled = Number(prepare("SELECT count(*) AS count FROM handled").get()?.count);
  }

  /** Entries that wait. */
  get size(): number {
    return this.#size + this.#pending.length - this.#finished.length;
  }

  /** Bytes that they take. */
  get bytes(): number {
    return this.#bytes + this.#pendingBytes;
  }

  get isFull(): boolean {
    return this.bytes >= this.#options.maxBytes;
  }

  /** Resolves when an entry may be put in. @throws the signal's reason */
  async room(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (this.isFull || this.#pending.length >= MAX_PENDING || this.#pendingBytes >= MAX_PENDING_BYTES) {
      await this.#changes.next(signal);
    }
  }

  /** Resolves when something was put in or finished, or after `milliseconds`. @throws the signal's reason */
  changed(signal: AbortSignal, milliseconds?: number): Promise<void> {
    return this.#changes.next(signal, milliseconds);
  }

  /** Whether what has this key was finished within the last days. */
  wasHandled(key: string): boolean {
    return this.#finishedKeys.has(key) || this.#isHandled.get(key) !== undefined;
  }

  /** Puts an entry in. @returns resolves when it is on the disk; with a disk that refuses, when it no longer does */
  append(lane: string, body: Buffer): Promise<void> {
    return new Promise((saved) => {
      this.#pending.push({ lane, body, saved });
      this.#pendingBytes += body.length + OVERHEAD;
      this.#write(this.#pause());
    });
  }

  /**
   * The oldest entries, in order.
   * @param limit most of them
   * @param maxBytes what they have together; the first one may be larger
   * @param without lanes to be left out
   */
  oldest(limit: number, maxBytes: number, without: Iterable<string> = []): SpoolEntry[] {
    if (this.#finished.length >= MAX_FINISHED) this.flush();
    const entries = this.#read(limit, maxBytes, without);
    if (entries.length > 0 || this.#pending.length === 0) return entries;
    this.flush();
    return this.#read(limit, maxBytes, without);
  }

  #read(limit: number, maxBytes: number, without: Iterable<string>): SpoolEntry[] {
    const unwritten = new Set(this.#finished.map(({ entry }) => entry.seq));
    const entries: SpoolEntry[] = [];
    let bytes = 0;
    for (const row of this.#select.iterate(JSON.stringify([...without]), limit + unwritten.size)) {
      const { seq, lane, body } = row;
      if (unwritten.has(Number(seq)) || !(body instanceof Uint8Array)) continue;
      bytes += body.length;
      if (entries.length === limit || (entries.length > 0 && bytes > maxBytes)) break;
      entries.push({ seq: Number(seq), lane: String(lane), body: Buffer.from(body) });
    }
    return entries;
  }

  /** An entry is dealt with. @param key by which the same object is known when it comes again */
  finish(entry: SpoolEntry, key?: string): void {
    this.#finished.push({ entry, key });
    if (key !== undefined) this.#finishedKeys.add(key);
    this.#write(this.#pause());
  }

  /** Writes what is not on the disk yet, now. A disk that refuses is tried again later. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#pending.length === 0 && this.#finished.length === 0) return;
    const began = performance.now();
    try {
      this.#commit();
    } catch (error) {
      this.#failing = true;
      this.#options.onDiskError?.(messageOf(error));
      this.#write(RETRY_MS);
      return;
    }
    this.#took = performance.now() - began;
    if (this.#failing) this.#options.onDiskError?.(undefined);
    this.#failing = false;
    this.#changes.announce();
  }

  /** Writes what is left and gives up the file. */
  close(): void {
    this.flush();
    clearTimeout(this.#timer);
    if (this.#database.isOpen) this.#database.close();
  }

  #pause(): number {
    return Math.min(MAX_GROUP_MS, Math.max(GROUP_MS, REST * this.#took));
  }

  #write(milliseconds: number): void {
    this.#timer ??= setTimeout(() => this.flush(), milliseconds);
  }

  #commit(): void {
    let bytes = this.#bytes;
    let size = this.#size;
    let handled = this.#handled;
    const now = Date.now();
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      for (const { lane, body } of this.#pending) {
        this.#insert.run(lane, body);
        bytes += body.length + OVERHEAD;
        size += 1;
      }
      for (const { entry, key } of this.#finished) {
        if (Number(this.#delete.run(entry.seq).changes) > 0) {
          bytes -= entry.body.length + OVERHEAD;
          size -= 1;
        }
        if (key === undefined) continue;
        this.#handle.run(key, now);
        handled += 1;
      }
      if (handled > this.#options.remember) handled = this.#forget(now);
      if (this.#finished.length > 0) this.#database.exec(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`);
      this.#database.exec("COMMIT");
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
    this.#bytes = bytes;
    this.#size = size;
    this.#handled = handled;
    const saved = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#finished = [];
    this.#finishedKeys.clear();
    for (const entry of saved) entry.saved();
  }

  /** Forgets keys that are too old, and a tenth of the others, so that it is not to be done again at once. */
  #forget(now: number): number {
    const { rememberFor, remember } = this.#options;
    this.#database.prepare("DELETE FROM handled WHERE at < ?").run(now - rememberFor);
    const count = (): number => Number(this.#database.prepare("SELECT count(*) AS count FROM handled").get()?.count);
    const rest = count() - Math.floor(remember * 0.9);
    if (rest > 0) {
      const oldest = "SELECT key FROM handled ORDER BY at LIMIT ?";
      this.#database.prepare(`DELETE FROM handled WHERE key IN (${oldest})`).run(rest);
    }
    return count();
  }
}
