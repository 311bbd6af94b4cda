import { closeSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { messageOf } from "@threatbus/core";

const SCHEMA_VERSION = 1;
/** Bytes at which what is in the write-ahead log moves to the file itself, which takes longer than all else. */
const WAL_BYTES = 16 * 1024 * 1024;
const PAGE_BYTES = 4096;

/**
 * Opens the file of the spool, making it where it is missing. What was committed is on the disk, so that it survives a
 * power failure; one process at a time has the file.
 * @throws Error with the reason; the file is never removed
 */
export function openSpoolFile(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    // What waits here is not for everybody's eyes.
    closeSync(openSync(path, "a", 0o600));
    database = new DatabaseSync(path);
    database.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL; PRAGMA journal_size_limit = ${WAL_BYTES};
      PRAGMA wal_autocheckpoint = ${WAL_BYTES / PAGE_BYTES};`);
    database.exec(`BEGIN IMMEDIATE;
      CREATE TABLE IF NOT EXISTS entries (seq INTEGER PRIMARY KEY AUTOINCREMENT, lane TEXT NOT NULL, body BLOB NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS handled (key TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
      CREATE INDEX IF NOT EXISTS handled_at ON handled (at);`);
    const version = Number(database.prepare("PRAGMA user_version").get()?.user_version);
    if (version > SCHEMA_VERSION) throw new Error("it was written by a newer version of the connector");
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT;`);
    return database;
  } catch (cause) {
    if (database?.isOpen) database.close();
    const why = /locked/.test(messageOf(cause)) ? "another connector works with it" : messageOf(cause);
    throw new Error(`the spool ${path} cannot be used: ${why}`, { cause });
  }
}
