/** The tables, their versions, and the way from each version to the next. */
import { randomUUID } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { StoreError } from "../errors.ts";

/** Says in the file's header whose it is (`PRAGMA application_id`): "TBus". */
const APPLICATION_ID = 0x54427573;

/** The version of the schema that has a log id and cursors; older ones are only met when reading. */
export const LOG_ID_SINCE = 2;
/** ... and that has an outbox. */
export const OUTBOX_SINCE = 4;

/** One step forward; runs in a transaction of its own. */
export type Migration = (database: DatabaseSync) => void;

/**
 * The step at index n makes version n + 1.
 *
 * - log: one row per message. `key` is the hash of stix_id.
 * - by_id, by_value: hash to position, filled in sorted runs (indexer.ts); `state.indexed` says up to where.
 * - times: per block of rows the highest receive time up to its end, so that a time finds its position even if the
 *   clock has jumped back.
 * - state: one row. Positions up to `reserved` may have been given; rows up to `floor` are removed, whether or not they
 *   are still there. `log_id` tells this log from every other one.
 * - cursors: numbers that others keep under names.
 * - receipt_subscriptions: who subscribed; `position` and `marked_at` are of the last mark (or of the start).
 * - receipt_marks: who had got how far, and when; `handed` and `lost` count from the mark before.
 * - outbox: messages that were accepted and that no broker has confirmed yet, with the columns of the log. Their numbers
 *   are of the sequence of positions, and name nothing in the log. The cursor `outbox` says up to where they are gone.
 * - sweep: one row. Index entries of rows up to its `floor` are gone (pruner.ts).
 */
export const MIGRATIONS: readonly Migration[] = [
  (database) =>
    database.exec(`
      CREATE TABLE log (
        seq INTEGER PRIMARY KEY, type INTEGER NOT NULL, key INTEGER NOT NULL, stix_id TEXT NOT NULL,
        modified INTEGER NOT NULL, received_at INTEGER NOT NULL, valid_until INTEGER, source TEXT NOT NULL,
        message_id TEXT NOT NULL, object_path TEXT, value TEXT, tlp INTEGER, removed INTEGER NOT NULL,
        bytes BLOB NOT NULL
      ) STRICT;
      CREATE INDEX by_expiry ON log (valid_until) WHERE valid_until IS NOT NULL AND removed = 0;
      CREATE TABLE by_id (
        key INTEGER NOT NULL, modified INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (key, modified, seq)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE by_value (
        key INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (key, seq)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE times (
        high INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (high, first)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 1), reserved INTEGER NOT NULL, indexed INTEGER NOT NULL,
        floor INTEGER NOT NULL, records INTEGER NOT NULL
      ) STRICT;
      INSERT INTO state VALUES (1, 0, 0, 0, 0);
      PRAGMA application_id = ${APPLICATION_ID};
    `),
  (database) => {
    database.exec(`
      ALTER TABLE state ADD COLUMN log_id TEXT NOT NULL DEFAULT '';
      CREATE TABLE cursors (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    `);
    database.prepare("UPDATE state SET log_id = ?").run(randomUUID());
  },
  (database) =>
    database.exec(`
      CREATE TABLE receipt_subscriptions (
        id INTEGER PRIMARY KEY, plugin TEXT NOT NULL, name TEXT NOT NULL, topics TEXT NOT NULL, filter TEXT,
        start INTEGER NOT NULL, opened_at INTEGER NOT NULL, closed_at INTEGER, position INTEGER NOT NULL,
        marked_at INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE receipt_marks (
        subscription INTEGER NOT NULL, position INTEGER NOT NULL, at INTEGER NOT NULL, handed INTEGER NOT NULL,
        lost INTEGER NOT NULL, PRIMARY KEY (subscription, position)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE sweep (id INTEGER PRIMARY KEY CHECK (id = 1), floor INTEGER NOT NULL) STRICT;
      INSERT INTO sweep VALUES (1, 0);
    `),
  (database) =>
    database.exec(`
      CREATE TABLE outbox (
        seq INTEGER PRIMARY KEY, type INTEGER NOT NULL, key INTEGER NOT NULL, stix_id TEXT NOT NULL,
        modified INTEGER NOT NULL, received_at INTEGER NOT NULL, valid_until INTEGER, source TEXT NOT NULL,
        message_id TEXT NOT NULL, object_path TEXT, value TEXT, tlp INTEGER, removed INTEGER NOT NULL,
        bytes BLOB NOT NULL
      ) STRICT;
    `),
];

export function numberOf(database: DatabaseSync, query: string): number {
  const [value] = Object.values(database.prepare(query).get() ?? {});
  return typeof value === "number" ? value : 0;
}

/** @returns the version of the schema; 0: the database is empty. @throws StoreError when it is none of ours, or newer. */
export function schemaVersion(database: DatabaseSync, path: string, newest = MIGRATIONS.length): number {
  if (numberOf(database, "SELECT count(*) FROM sqlite_schema") === 0) return 0;
  if (numberOf(database, "PRAGMA application_id") !== APPLICATION_ID) {
    throw new StoreError("TB_STORE_FOREIGN", `${path} is the database of another program`);
  }
  const version = numberOf(database, "PRAGMA user_version");
  if (version > newest) {
    const text = `The log ${path} has schema version ${version}; this Threat Bus knows versions up to ${newest}`;
    throw new StoreError("TB_STORE_NEWER", text);
  }
  return version;
}

/** Brings the schema up to date, step by step; a step that fails leaves the version before it. */
export function migrate(database: DatabaseSync, from: number, migrations = MIGRATIONS): void {
  for (const [index, migration] of migrations.entries()) {
    if (index < from) continue;
    database.exec("BEGIN IMMEDIATE");
    try {
      migration(database);
      database.exec(`PRAGMA user_version = ${index + 1}; COMMIT`);
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      throw error;
    }
  }
}
