import { DatabaseSync, type StatementSync } from "node:sqlite";
import { messageOf } from "@threatbus/core";
import type { StreamPosition } from "../stream/start.ts";

/** What is remembered of an indicator that is on the bus. */
export interface Published {
  /** Microseconds since 1970, of `modified`. */
  readonly modified: number;
  /** The first 8 bytes of the SHA-1 of its JSON text: the same text again is no news. */
  readonly digest: Buffer;
}

/** What a batch changes: ids of indicators that are on the bus now, or (undefined) no longer. */
export type PublishedChanges = ReadonlyMap<string, Published | undefined>;

export interface StateFileOptions {
  /** Most indicators that are remembered; beyond it any are forgotten. */
  readonly limit?: number;
  /** Hears how many were forgotten. */
  readonly onForgotten?: (count: number) => void;
}

/** Of so many each takes some 50 bytes: 500 MB at most. */
const DEFAULT_LIMIT = 10_000_000;
const SCHEMA_VERSION = 1;

/**
 * The position in the live stream and the indicators that are on the bus, always as they belong together: a batch is
 * written whole or not at all, also when the process is killed. One process at a time has the file.
 */
export class StateFile {
  readonly #database: DatabaseSync;
  readonly #read: StatementSync;
  readonly #write: StatementSync;
  readonly #remove: StatementSync;
  readonly #savePosition: StatementSync;
  readonly #options: StateFileOptions;
  #count: number;
  #position: StreamPosition | undefined;

  /** @throws Error when the file cannot be used, with the reason */
  constructor(path: string, options: StateFileOptions = {}) {
    this.#options = options;
    try {
      this.#database = open(path);
    } catch (cause) {
      const hint = /locked/.test(messageOf(cause)) ? "another connector works with it" : messageOf(cause);
      throw new Error(`the state file ${path} cannot be used: ${hint}`, { cause });
    }
    const prepare = (sql: string): StatementSync => this.#database.prepare(sql);
    this.#read = prepare("SELECT modified, digest FROM published WHERE id = ?");
    this.#write = prepare("INSERT OR REPLACE INTO published (id, modified, digest) VALUES (?, ?, ?)");
    this.#remove = prepare("DELETE FROM published WHERE id = ?");
    this.#savePosition = prepare(
      "INSERT OR REPLACE INTO position (only, from_id, recover_until, republish) VALUES (1, ?, ?, ?)",
    );
    this.#count = Number(prepare("SELECT count(*) AS count FROM published").get()?.count);
    this.#position = this.#loadPosition();
  }

  /** Where to go on in the live stream. */
  get position(): StreamPosition | undefined {
    return this.#position;
  }

  /** How many indicators are on the bus. */
  get publishedCount(): number {
    return this.#count;
  }

  /** What is remembered of an indicator; undefined: it is not on the bus. */
  published(id: string): Published | undefined {
    const row = this.#read.get(keyOf(id));
    if (row === undefined || !(row.digest instanceof Uint8Array)) return undefined;
    return { modified: Number(row.modified), digest: Buffer.from(row.digest) };
  }

  /** Remembers what the bus has accepted, and how far the stream was read for it. */
  commit(changes: PublishedChanges, position: StreamPosition | undefined): void {
    this.#database.exec("BEGIN IMMEDIATE");
    let count = this.#count;
    try {
      for (const [id, entry] of changes) {
        count -= Number(this.#remove.run(keyOf(id)).changes);
        if (entry === undefined) continue;
        this.#write.run(keyOf(id), entry.modified, entry.digest);
        count += 1;
      }
      count -= this.#forget(count);
      if (position !== undefined) {
        this.#savePosition.run(position.from, position.recoverUntil ?? null, position.republish === true ? 1 : 0);
      }
      this.#database.exec("COMMIT");
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
    this.#count = count;
    this.#position = position ?? this.#position;
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #forget(count: number): number {
    const { limit = DEFAULT_LIMIT, onForgotten } = this.#options;
    if (count <= limit) return 0;
    this.#database.prepare("DELETE FROM published WHERE id IN (SELECT id FROM published LIMIT ?)").run(count - limit);
    onForgotten?.(count - limit);
    return count - limit;
  }

  #loadPosition(): StreamPosition | undefined {
    const row = this.#database.prepare("SELECT from_id, recover_until, republish FROM position").get();
    if (row === undefined) return undefined;
    const from = String(row.from_id);
    if (row.recover_until === null) return { from };
    return { from, recoverUntil: String(row.recover_until), ...(row.republish === 1 ? { republish: true } : {}) };
  }
}

function open(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    // The lock is kept from the first write on. After a power failure the last batches may be missing, together with
    // their position: they come again.
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
    database.exec(`BEGIN IMMEDIATE;
      CREATE TABLE IF NOT EXISTS published (id BLOB PRIMARY KEY, modified INTEGER NOT NULL, digest BLOB NOT NULL)
        STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS position (only INTEGER PRIMARY KEY CHECK (only = 1), from_id TEXT NOT NULL,
        recover_until TEXT, republish INTEGER NOT NULL) STRICT;`);
    const version = Number(database.prepare("PRAGMA user_version").get()?.user_version);
    if (version > SCHEMA_VERSION) throw new Error("it was written by a newer version of the connector");
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT;`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** The 16 bytes of the UUID of `indicator--<uuid>`. */
function keyOf(id: string): Buffer {
  return Buffer.from(id.slice(id.indexOf("--") + 2).replaceAll("-", ""), "hex");
}
