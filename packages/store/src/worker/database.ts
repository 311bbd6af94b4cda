/** Opens the files: the lock first, then the database, of which nothing is changed before it is known to be ours. */
import { mkdirSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { StoreError, storeError } from "../errors.ts";
import { migrate, numberOf, schemaVersion } from "./schema.ts";
import { PAGE_SIZE, walBytes } from "./sizes.ts";

const LOCK_TIMEOUT = 0;
/** Another process may be reading, or looking at the file for a moment. */
export const BUSY_TIMEOUT = 1000;
const ROOM_TO_OPEN = 256 * 1024;
const CACHE_KIB = 16 * 1024;

export interface OpenDatabase {
  readonly database: DatabaseSync;
  /** Closes the database and gives up the lock. */
  close(): void;
}

/** Makes the folder and takes the lock of the one writer. @throws StoreError */
export function lockLog(path: string): DatabaseSync {
  try {
    makeFolder(dirname(path));
    refuseFolder(path);
    return takeLock(path);
  } catch (error) {
    throw storeError(error, path);
  }
}

/**
 * Opens the log for its one writer, making it or bringing its schema up to date.
 * @param held the lock, which then stays with the caller if this fails
 * @throws StoreError
 */
export function openWriter(path: string, maxBytes = Infinity, held?: DatabaseSync): OpenDatabase {
  const lock = held ?? lockLog(path);
  let database: DatabaseSync | undefined;
  try {
    const opened = new DatabaseSync(path, { timeout: BUSY_TIMEOUT, enableForeignKeyConstraints: false });
    database = opened;
    prepare(opened, path, walBytes(maxBytes));
    const close = (): void => {
      if (opened.isOpen) opened.close();
      if (lock.isOpen) lock.close();
    };
    return { database: opened, close };
  } catch (error) {
    if (database?.isOpen) database.close();
    if (held === undefined) lock.close();
    throw fullOr(storeError(error, path), path);
  }
}

/** A disk that has no room even for the few pages by which readers and writers share a log says "I/O error". */
function fullOr(error: StoreError, path: string): StoreError {
  if (error.code !== "TB_STORE_IO" || hasRoom(path)) return error;
  return new StoreError("TB_STORE_FULL", error.message, { cause: error });
}

/** Is there as much room as opening takes, as far as the system says? */
export function hasRoom(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize >= ROOM_TO_OPEN;
  } catch {
    return true;
  }
}

/**
 * Opens an existing log for reading while its disk is so full that not even readers can share it, and nobody writes: the
 * caller has the lock. What a killed process left in a write-ahead log cannot be seen this way. @throws StoreError
 */
export function openQuiet(path: string): OpenDatabase {
  try {
    return openReader(path);
  } catch (error) {
    const failure = storeError(error, path);
    const isShareable = failure.code !== "TB_STORE_IO" && failure.code !== "TB_STORE_FULL";
    if (isShareable || (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) throw failure;
    const url = pathToFileURL(path);
    url.search = "immutable=1";
    const database = new DatabaseSync(url, { readOnly: true });
    return { database, close: () => database.close() };
  }
}

/** Opens an existing log for reading beside its writer. @throws StoreError */
export function openReader(path: string): OpenDatabase {
  let database: DatabaseSync | undefined;
  try {
    if (statSync(path, { throwIfNoEntry: false }) === undefined) {
      throw new StoreError("TB_STORE_MISSING", `There is no log ${path}`);
    }
    const opened = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT });
    database = opened;
    if (schemaVersion(opened, path) === 0) throw new StoreError("TB_STORE_FOREIGN", `${path} is an empty database`);
    opened.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
    return { database: opened, close: () => opened.close() };
  } catch (error) {
    if (database?.isOpen) database.close();
    throw storeError(error, path);
  }
}

/** Node's own recursive form never ends where a file system says that a parent is not there although it is (/proc). */
function makeFolder(path: string): void {
  const parent = dirname(path);
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return;
  if (parent !== path) makeFolder(parent);
  try {
    mkdirSync(path);
  } catch (error) {
    // Somebody else was quicker; what is no folder is met when the file is opened.
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}

function refuseFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new StoreError("TB_STORE_UNWRITABLE", `The log ${path} is a folder`);
  }
}

/**
 * An empty database that is kept locked: the system frees such a lock however the process ends, and readers of the log
 * itself are not shut out.
 */
function takeLock(path: string): DatabaseSync {
  const lock = new DatabaseSync(`${path}.lock`, { timeout: LOCK_TIMEOUT });
  try {
    // Without a journal it needs no room on the disk.
    lock.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    lock.close();
    const failure = storeError(error, path);
    if (failure.code !== "TB_STORE_LOCKED") throw failure;
    throw new StoreError("TB_STORE_LOCKED", `The log ${path} is in use by another Threat Bus`, { cause: error });
  }
}

function prepare(database: DatabaseSync, path: string, walSize: number): void {
  const version = schemaVersion(database, path);
  // Both are fixed once there are tables. Pages are large: a usual row takes 600 bytes, and fewer are written per commit.
  if (version === 0) database.exec(`PRAGMA page_size = ${PAGE_SIZE}; PRAGMA auto_vacuum = INCREMENTAL`);
  database.exec(`
    PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -${CACHE_KIB};
    PRAGMA wal_autocheckpoint = ${Math.floor(walSize / PAGE_SIZE)}; PRAGMA journal_size_limit = ${Math.floor(walSize)};
  `);
  migrate(database, version);
  // The quick look at a file that may have been damaged while nobody looked; `check` looks at everything.
  numberOf(database, "SELECT count(*) FROM (SELECT bytes FROM log ORDER BY seq DESC LIMIT 1)");
}
